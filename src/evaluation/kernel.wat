;; The loops of a resample, which take all of its time. Compiled by `npm run generate`; spoken to by weighted.ts.
;;
;; Two tricks that JavaScript does not allow: no access checks its bounds, and the envelope's maximum is an instruction
;; instead of a branch that would be guessed wrong at every second step. Addresses are in bytes.
(module
  (import "weighted" "memory" (memory 1))

  ;; Weighs the events of a class: at the e-th pair from $events, the weight of an event and the weight of all detections
  ;; up to it. A detection is 4 * image, + 1 where it is an event; so half of it is the place of the weight. Writes one
  ;; pair too many.
  (func (export "walk") (param $at i32) (param $end i32) (param $weights i32) (param $events i32)
    (local $one i32) (local $weight i32) (local $seen i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $one (i32.load (local.get $at)))
        (local.set $weight
          (i32.load16_u (i32.add (local.get $weights) (i32.shr_u (local.get $one) (i32.const 1)))))
        (local.set $seen (i32.add (local.get $seen) (local.get $weight)))
        (i32.store (local.get $events) (local.get $weight))
        (i32.store offset=4 (local.get $events) (local.get $seen))
        (local.set $events
          (i32.add (local.get $events) (i32.shl (i32.and (local.get $one) (i32.const 1)) (i32.const 3))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $next))))

  ;; Sum of the weights of listed events.
  (func $total (export "total") (param $at i32) (param $end i32) (result i32)
    (local $sum i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $sum (i32.add (local.get $sum) (i32.load (i32.load (local.get $at)))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $next)))
    (local.get $sum))

  ;; Area under the envelope of a curve. Its right events lie from $first to before $end, its ignored ones from
  ;; $skipFirst to before $skipEnd, both ascending; $found is the weight of the right ones. At $needed lie the right
  ;; detections that each of the 101 recall points needs, ascending. At $highest is room for a float64 by number of right
  ;; detections, and for two more in front.
  ;;
  ;; From the last event to the first: the highest precision so far is written for as many right detections as the event
  ;; stands for, and for two at least; what is too many belongs to events before it, which write it again. An event of
  ;; weight 0 moves nothing: the right one before it has as many right and no more seen.
  (func (export "area")
    (param $first i32) (param $end i32) (param $skipFirst i32) (param $skipEnd i32)
    (param $found i32) (param $needed i32) (param $highest i32) (result f64)
    (local $left i32) (local $skipped i32) (local $event i32) (local $weight i32) (local $to i32) (local $more i32)
    (local $sum f64) (local $top v128)
    (local.set $left (local.get $found))
    (local.set $skipped (call $total (local.get $skipFirst) (local.get $skipEnd)))
    (local.set $skipEnd (i32.sub (local.get $skipEnd) (i32.const 4)))
    (local.set $end (i32.sub (local.get $end) (i32.const 4)))
    (block $done
      (loop $next
        (br_if $done (i32.lt_u (local.get $end) (local.get $first)))
        (local.set $event (i32.load (local.get $end)))
        (block $counted
          (loop $skip
            (br_if $counted (i32.lt_u (local.get $skipEnd) (local.get $skipFirst)))
            (br_if $counted (i32.lt_u (i32.load (local.get $skipEnd)) (local.get $event)))
            (local.set $skipped
              (i32.sub (local.get $skipped) (i32.load (i32.load (local.get $skipEnd)))))
            (local.set $skipEnd (i32.sub (local.get $skipEnd) (i32.const 4)))
            (br $skip)))
        (local.set $top
          (f64x2.pmax
            (local.get $top)
            (f64x2.splat
              (f64.div
                (f64.convert_i32_s (local.get $left))
                ;; float64 epsilon, as COCOeval adds it
                (f64.add
                  (f64.convert_i32_s (i32.sub (i32.load offset=4 (local.get $event)) (local.get $skipped)))
                  (f64.const 0x1p-52))))))
        (local.set $weight (i32.load (local.get $event)))
        (local.set $to (i32.add (local.get $highest) (i32.shl (local.get $left) (i32.const 3))))
        (v128.store64_lane 0 (local.get $to) (local.get $top))
        (v128.store64_lane 0 (i32.sub (local.get $to) (i32.const 8)) (local.get $top))
        (if (i32.gt_u (local.get $weight) (i32.const 2))
          (then
            (local.set $more (i32.sub (local.get $weight) (i32.const 2)))
            (loop $write
              (local.set $to (i32.sub (local.get $to) (i32.const 8)))
              (v128.store64_lane 0 (i32.sub (local.get $to) (i32.const 8)) (local.get $top))
              (local.set $more (i32.sub (local.get $more) (i32.const 1)))
              (br_if $write (local.get $more)))))
        (local.set $left (i32.sub (local.get $left) (local.get $weight)))
        (local.set $end (i32.sub (local.get $end) (i32.const 4)))
        (br $next)))
    ;; Recall 0 needs no right detection.
    (v128.store64_lane 0 (local.get $highest) (local.get $top))
    (local.set $to (i32.add (local.get $needed) (i32.const 400)))
    (loop $point
      (local.set $left (i32.load (local.get $to)))
      (if (i32.le_s (local.get $left) (local.get $found))
        (then
          (local.set $sum
            (f64.add
              (local.get $sum)
              (f64.load (i32.add (local.get $highest) (i32.shl (local.get $left) (i32.const 3))))))))
      (local.set $to (i32.sub (local.get $to) (i32.const 4)))
      (br_if $point (i32.ge_u (local.get $to) (local.get $needed))))
    (local.get $sum)))
