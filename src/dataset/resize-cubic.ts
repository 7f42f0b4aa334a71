import { roundHalfEven, type Raster } from './resize.js';

/** Coefficients have 11 bits, as in {@link resizeOpenCv}. */
const COEFFICIENT = 2048;

/** For each output pixel of an axis: four source pixels, clamped to the image, and their weights out of 2048. */
interface Taps {
  readonly at: Int32Array;
  readonly weights: Int32Array;
}

/** Keys' kernel with a = -0.75, each step in float32 as OpenCV's interpolateCubic. */
function cubicTaps(from: number, to: number): Taps {
  const { fround } = Math;
  const at = new Int32Array(4 * to);
  const weights = new Int32Array(4 * to);
  const scale = 1 / (to / from);
  const inner = (x: number): number =>
    fround(fround(fround(fround(fround(fround(1.25 * x) - 2.25) * x) * x)) + 1);
  const outer = (x: number): number =>
    fround(fround(fround(fround(fround(fround(-0.75 * x) + 3.75) * x) - 6) * x) + 3);
  for (let i = 0; i < to; i++) {
    const centre = fround((i + 0.5) * scale - 0.5);
    const left = Math.floor(centre);
    const x = fround(centre - left);
    const [a, b, c] = [outer(fround(x + 1)), inner(x), inner(fround(1 - x))];
    const d = fround(fround(fround(1 - a) - b) - c);
    [a, b, c, d].forEach((weight, k) => {
      at[4 * i + k] = Math.min(Math.max(left - 1 + k, 0), from - 1);
      weights[4 * i + k] = roundHalfEven(fround(weight * COEFFICIENT));
    });
  }
  return { at, weights };
}

/**
 * cv2.resize(..., INTER_CUBIC) on 8-bit images: 11-bit weights along rows, then sums over columns in float32, rounded
 * half to even, as OpenCV's vector code does. (Builds for x86 hand this to Intel's IPP unless told not to, which differs
 * by one level in some pixels.)
 */
export function resizeOpenCvCubic(image: Raster, width: number, height: number): Raster {
  if (image.width === width && image.height === height) return image;
  const x = cubicTaps(image.width, width);
  const y = cubicTaps(image.height, height);
  const length = width * 3;
  const rows = new Map<number, Int32Array>();
  const out = new Uint8Array(length * height);
  for (let j = 0; j < height; j++) {
    const needed = y.at.subarray(4 * j, 4 * j + 4);
    for (const row of rows.keys()) if (row < (needed[0] as number)) rows.delete(row);
    const four = Array.from(needed, (row) => {
      const known = rows.get(row) ?? horizontal(image, row, x);
      rows.set(row, known);
      return known;
    });
    vertical(four, y.weights.subarray(4 * j, 4 * j + 4), out, j * length);
  }
  return { data: out, width, height };
}

function horizontal({ data, width }: Raster, row: number, { at, weights }: Taps): Int32Array {
  const base = row * width * 3;
  const target = new Int32Array((at.length / 4) * 3);
  for (let i = 0, o = 0; i < at.length; i += 4)
    for (let c = 0; c < 3; c++, o++) {
      let sum = 0;
      for (let k = 0; k < 4; k++)
        sum += (data[base + 3 * (at[i + k] as number) + c] as number) * (weights[i + k] as number);
      target[o] = sum;
    }
  return target;
}

function vertical(rows: readonly Int32Array[], weights: Int32Array, out: Uint8Array, at: number): void {
  const { fround } = Math;
  const [r0, r1, r2, r3] = rows as [Int32Array, Int32Array, Int32Array, Int32Array];
  const [b0, b1, b2, b3] = Array.from(weights, (w) => fround(w / (COEFFICIENT * COEFFICIENT))) as [
    number,
    number,
    number,
    number,
  ];
  for (let i = 0; i < r0.length; i++) {
    let sum = fround(fround(r3[i] as number) * b3);
    sum = fround(fround(r2[i] as number) * b2 + sum);
    sum = fround(fround(r1[i] as number) * b1 + sum);
    sum = fround(fround(r0[i] as number) * b0 + sum);
    out[at + i] = Math.min(255, Math.max(0, roundHalfEven(sum)));
  }
}
