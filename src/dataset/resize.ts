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

interface Window {
  readonly from: number;
  readonly weights: Int32Array;
}

/** Triangle filter of Pillow, widened by the shrink factor (antialiasing). */
function triangleWindows(from: number, to: number): Window[] {
  const scale = from / to;
  const support = Math.max(scale, 1);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const last = Math.min(from, Math.trunc(centre + support + 0.5));
    const weights = Array.from({ length: last - first }, (_unused, k) =>
      Math.max(0, 1 - Math.abs((k + first - centre + 0.5) * (1 / support))),
    );
    const sum = weights.reduce((total, w) => total + w, 0);
    return {
      from: first,
      weights: Int32Array.from(weights, (w) => Math.trunc(0.5 + (w / sum) * 2 ** PIL_BITS)),
    };
  });
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

function widen({ data, width: from, height }: Raster, width: number): Raster {
  if (from === width) return { data, width, height };
  const windows = triangleWindows(from, width);
  return { data: pass(data, windows, height, from * 3, 3, width * 3, 3), width, height };
}

function heighten({ data, width, height: from }: Raster, height: number): Raster {
  if (from === height) return { data, width, height };
  const windows = triangleWindows(from, height);
  return { data: pass(data, windows, width, 3, width * 3, 3, width * 3), width, height };
}

/** Filters along one axis; `step` and `outStep` walk along it, `line` and `outLine` from line to line. */
function pass(
  data: Uint8Array,
  windows: readonly Window[],
  lines: number,
  line: number,
  step: number,
  outLine: number,
  outStep: number,
): Uint8Array {
  const out = new Uint8Array(windows.length * lines * 3);
  for (let i = 0; i < windows.length; i++) {
    const { from, weights } = windows[i] as Window;
    for (let l = 0; l < lines; l++)
      for (let c = 0; c < 3; c++) {
        let sum = 2 ** (PIL_BITS - 1);
        let at = l * line + from * step + c;
        for (let k = 0; k < weights.length; k++, at += step)
          sum += (data[at] as number) * (weights[k] as number);
        out[l * outLine + i * outStep + c] = Math.min(255, sum >> PIL_BITS);
      }
  }
  return out;
}
