;; The loops that see every activation of every calibration image. Compiled by `npm run generate`; spoken to by kernel.ts.
;;
;; Four values at once where that can be: bounds, and the bins of values. Counting itself goes value by value, into four
;; tables in turn, so that equal values side by side do not wait for each other's store. Addresses are in bytes:
;; bounds at 0 (four lanes of the least, of the greatest, and of the greatest |x| as bits), tables of 16385 counts at 1024, 66576, 132128 and 197680,
;; values from 263232 on.
(module
  (memory (export "memory") 7)

  ;; Least and greatest of the values before $end, four lanes each, and the greatest |x| as bits of float32, where what
  ;; is not finite stands above all that is; their number is a multiple of eight and not 0. Minimum and maximum are those
  ;; of one instruction, which pass NaN over. Two runs side by side, which do not wait for each other.
  (func (export "bounds") (param $end i32)
    (local $at i32) (local $one v128) (local $two v128) (local $bits v128)
    (local $low v128) (local $lower v128) (local $high v128) (local $higher v128)
    (local.set $at (i32.const 263232))
    (local.set $low (v128.load (local.get $at)))
    (local.set $lower (local.get $low))
    (local.set $high (local.get $low))
    (local.set $higher (local.get $low))
    (loop $next
      (local.set $one (v128.load (local.get $at)))
      (local.set $two (v128.load offset=16 (local.get $at)))
      (local.set $low (f32x4.pmin (local.get $low) (local.get $one)))
      (local.set $lower (f32x4.pmin (local.get $lower) (local.get $two)))
      (local.set $high (f32x4.pmax (local.get $high) (local.get $one)))
      (local.set $higher (f32x4.pmax (local.get $higher) (local.get $two)))
      (local.set $bits
        (i32x4.max_u
          (local.get $bits)
          (i32x4.max_u (f32x4.abs (local.get $one)) (f32x4.abs (local.get $two)))))
      (local.set $at (i32.add (local.get $at) (i32.const 32)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    (v128.store (i32.const 0) (f32x4.pmin (local.get $low) (local.get $lower)))
    (v128.store (i32.const 16) (f32x4.pmax (local.get $high) (local.get $higher)))
    (v128.store (i32.const 32) (local.get $bits)))

  ;; Place of the counter in its table of the values in lanes 0 and 1: 4 * ceil(|x| * perUnit), in float64, which holds
  ;; the product of any float32 and a power of two. Adding 2^52 puts a whole number into the low half.
  (func $places (param $two v128) (param $perUnit v128) (result v128)
    (i32x4.shl
      (f64x2.add
        (f64x2.ceil (f64x2.mul (f64x2.promote_low_f32x4 (local.get $two)) (local.get $perUnit)))
        (v128.const f64x2 0x1p52 0x1p52))
      (i32.const 2)))

  ;; Counts the values before $end, all finite, a multiple of four of them and not 0.
  (func (export "count") (param $end i32) (param $perUnit f64)
    (local $at i32) (local $place i32) (local $scale v128) (local $four v128) (local $low v128) (local $high v128)
    (local.set $at (i32.const 263232))
    (local.set $scale (f64x2.splat (local.get $perUnit)))
    (loop $next
      (local.set $four (f32x4.abs (v128.load (local.get $at))))
      (local.set $low (call $places (local.get $four) (local.get $scale)))
      (local.set $high
        (call $places
          (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $four) (local.get $four))
          (local.get $scale)))
      (local.set $place (i32x4.extract_lane 0 (local.get $low)))
      (i32.store offset=1024 (local.get $place)
        (i32.add (i32.load offset=1024 (local.get $place)) (i32.const 1)))
      (local.set $place (i32x4.extract_lane 2 (local.get $low)))
      (i32.store offset=66576 (local.get $place)
        (i32.add (i32.load offset=66576 (local.get $place)) (i32.const 1)))
      (local.set $place (i32x4.extract_lane 0 (local.get $high)))
      (i32.store offset=132128 (local.get $place)
        (i32.add (i32.load offset=132128 (local.get $place)) (i32.const 1)))
      (local.set $place (i32x4.extract_lane 2 (local.get $high)))
      (i32.store offset=197680 (local.get $place)
        (i32.add (i32.load offset=197680 (local.get $place)) (i32.const 1)))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))))
