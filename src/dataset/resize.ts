/** Resizing of 8-bit images, bit for bit as OpenCV and Pillow do it. */

/** An 8-bit image, `[height, width, 3]`. */
export interface Raster {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Rounds half to even, as C's rint and Python's round do. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value) + 0; // never -0
  return floor % 2 === 0 ? floor : floor + 1;
}

/** OpenCV's coefficients have 11 bits (INTER_RESIZE_COEF_BITS). */
const COEFFICIENT = 2048;

/** For each output pixel of an axis: the left source pixel, the right one, and their weights out of 2048. */
function linearTaps(
  from: number,
  to: number,
  axis: 'x' | 'y',
): { left: Int32Array; right: Int32Array; a: Int32Array; b: Int32Array } {
  const left = new Int32Array(to);
  const right = new Int32Array(to);
  const a = new Int32Array(to);
  const b = new Int32Array(to);
  const scale = 1 / (to / from);
  for (let i = 0; i < to; i++) {
    let f = Math.fround((i + 0.5) * scale - 0.5);
    let s = Math.floor(f);
    f = Math.fround(f - s);
    // At the border OpenCV drops the second weight along x; along y it clamps the rows and keeps both weights.
    if (axis === 'x' && s < 0) [s, f] = [0, 0];
    if (axis === 'x' && s >= from - 1) [s, f] = [from - 1, 0];
    left[i] = Math.min(Math.max(s, 0), from - 1);
    right[i] = Math.min(Math.max(s + 1, 0), from - 1);
    a[i] = roundHalfEven(Math.fround(Math.fround(1 - f) * COEFFICIENT));
    b[i] = roundHalfEven(Math.fround(f * COEFFICIENT));
  }
  return { left, right, a, b };
}

/**
 * cv2.resize(..., INTER_LINEAR) on 8-bit images: 11-bit fixed-point weights, half-pixel centres, no antialiasing;
 * an exact halving of both sides is the mean of 2×2 pixels (OpenCV switches to INTER_AREA there).
 */
export function resizeOpenCv(image: Raster, width: number, height: number): Raster {
  if (image.width === width && image.height === height) return image;
  if (image.width === 2 * width && image.height === 2 * height) return halve(image, width, height);
  const x = linearTaps(image.width, width, 'x');
  const y = linearTaps(image.height, height, 'y');
  const rowLength = width * 3;
  const rows = [new Int32Array(rowLength), new Int32Array(rowLength)] as [Int32Array, Int32Array];
  const held: [number, number] = [-1, -1];
  const out = new Uint8Array(rowLength * height);
  for (let j = 0; j < height; j++) {
    const [top, bottom] = [y.left[j] as number, y.right[j] as number];
    if (held[1] === top) {
      rows.reverse();
      held.reverse();
    }
    if (held[0] !== top) horizontal(image, top, x, rows[0]);
    if (held[1] !== bottom) horizontal(image, bottom, x, rows[1]);
    held[0] = top;
    held[1] = bottom;
    vertical(rows[0], rows[1], y.a[j] as number, y.b[j] as number, out, j * rowLength);
  }
  return { data: out, width, height };
}

function horizontal(
  image: Raster,
  row: number,
  taps: ReturnType<typeof linearTaps>,
  target: Int32Array,
): void {
  const { data } = image;
  const base = row * image.width * 3;
  const { left, right, a, b } = taps;
  for (let i = 0, o = 0; i < left.length; i++) {
    const l = base + (left[i] as number) * 3;
    const r = base + (right[i] as number) * 3;
    const [wa, wb] = [a[i] as number, b[i] as number];
    target[o++] = (data[l] as number) * wa + (data[r] as number) * wb;
    target[o++] = (data[l + 1] as number) * wa + (data[r + 1] as number) * wb;
    target[o++] = (data[l + 2] as number) * wa + (data[r + 2] as number) * wb;
  }
}

function vertical(
  top: Int32Array,
  bottom: Int32Array,
  a: number,
  b: number,
  out: Uint8Array,
  at: number,
): void {
  for (let i = 0; i < top.length; i++)
    out[at + i] =
      (((a * ((top[i] as number) >> 4)) >> 16) + ((b * ((bottom[i] as number) >> 4)) >> 16) + 2) >> 2;
}

function halve(image: Raster, width: number, height: number): Raster {
  const out = new Uint8Array(width * height * 3);
  const { data } = image;
  const stride = image.width * 3;
  for (let j = 0, o = 0; j < height; j++)
    for (let i = 0; i < width; i++)
      for (let c = 0; c < 3; c++, o++) {
        const p = 2 * j * stride + 6 * i + c;
        out[o] =
          ((data[p] as number) +
            (data[p + 3] as number) +
            (data[p + stride] as number) +
            (data[p + stride + 3] as number) +
            2) >>
          2;
      }
  return { data: out, width, height };
}

/** Pillow's fixed point: 22 bits after the binary point. */
const PIL_BITS = 22;

/** For each output pixel of an axis: the first source pixel, how many, and their weights out of 2^22, one after another. */
interface Windows {
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Int32Array;
}

/** Triangle filter of Pillow, widened by the shrink factor (antialiasing). */
function triangleWindows(from: number, to: number): Windows {
  const scale = from / to;
  const support = Math.max(scale, 1);
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const all: number[] = [];
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(from, Math.trunc(centre + support + 0.5));
    const weights = Array.from({ length: end - start }, (_, k) =>
      Math.max(0, 1 - Math.abs((k + start - centre + 0.5) * (1 / support))),
    );
    const sum = weights.reduce((total, w) => total + w, 0);
    first[i] = start;
    count[i] = weights.length;
    for (const w of weights) all.push(Math.trunc(0.5 + (w / sum) * 2 ** PIL_BITS));
  }
  return { first, count, weights: Int32Array.from(all) };
}

/**
 * Image.resize(..., BILINEAR) of Pillow on 8-bit images: two passes with 8 bits in between.
 * The vertical pass comes first where the height shrinks by more than twice what the width does, as from Pillow 13 on;
 * older ones always begin with the horizontal pass, which changes single pixels by one level there.
 */
export function resizePil(image: Raster, width: number, height: number): Raster {
  const shrink = image.height - height;
  const tall = shrink > 0 && shrink > 2 * (image.width - width);
  return tall ? widen(heighten(image, height), width) : heighten(widen(image, width), height);
}

const HALF = 2 ** (PIL_BITS - 1);

/** Sums stay below 2^31: weights of a window add up to about 2^22, pixels reach 255. */
function widen({ data, width: from, height }: Raster, width: number): Raster {
  if (from === width) return { data, width, height };
  const { first, count, weights } = triangleWindows(from, width);
  const out = new Uint8Array(width * height * 3);
  for (let y = 0, o = 0; y < height; y++) {
    const row = y * from * 3;
    for (let x = 0, w = 0; x < width; x++, o += 3) {
      let at = row + 3 * (first[x] as number);
      let [r, g, b] = [HALF, HALF, HALF];
      for (const end = w + (count[x] as number); w < end; w++, at += 3) {
        const weight = weights[w] as number;
        r = (r + (data[at] as number) * weight) | 0;
        g = (g + (data[at + 1] as number) * weight) | 0;
        b = (b + (data[at + 2] as number) * weight) | 0;
      }
      out[o] = top(r);
      out[o + 1] = top(g);
      out[o + 2] = top(b);
    }
  }
  return { data: out, width, height };
}

function heighten({ data, width, height: from }: Raster, height: number): Raster {
  if (from === height) return { data, width, height };
  const { first, count, weights } = triangleWindows(from, height);
  const length = width * 3;
  const out = new Uint8Array(length * height);
  const sums = new Int32Array(length);
  for (let y = 0, w = 0; y < height; y++) {
    sums.fill(HALF);
    for (let k = 0; k < (count[y] as number); k++, w++) {
      const row = ((first[y] as number) + k) * length;
      const weight = weights[w] as number;
      for (let i = 0; i < length; i++)
        sums[i] = ((sums[i] as number) + (data[row + i] as number) * weight) | 0;
    }
    for (let i = 0; i < length; i++) out[y * length + i] = top(sums[i] as number);
  }
  return { data: out, width, height };
}

/** The 8 bits before the binary point; rounded weights may add up to a hair more than 1. */
function top(sum: number): number {
  const value = sum >> PIL_BITS;
  return value > 255 ? 255 : value;
}
