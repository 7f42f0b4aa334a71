import type { PreprocessingSpec } from '../dataset/index.js';
import type { ImageTask } from './protocol.js';

/**
 * Fills one image's part of the input tensor from its 8-bit canvas: `(pixel * scale - mean) / std`.
 * `target` has `3 * height * width` elements, in the layout of `spec`.
 */
export function fillInput(task: ImageTask, spec: PreprocessingSpec, target: Float32Array | Uint8Array): void {
  const { pixels } = task;
  const plane = task.width * task.height;
  const tables = [0, 1, 2].map((channel) => lookup(spec, channel));
  for (let channel = 0; channel < 3; channel++) {
    const table = tables[channel] as Float32Array;
    const nchw = spec.layout === 'nchw';
    let out = nchw ? channel * plane : channel;
    const step = nchw ? 1 : 3;
    for (let i = channel; i < plane * 3; i += 3, out += step)
      target[out] = table[pixels[i] as number] as number;
  }
}

/** The 256 values that a pixel can become in a channel. */
function lookup(spec: PreprocessingSpec, channel: number): Float32Array {
  const mean = spec.mean[channel] as number;
  const std = spec.std[channel] as number;
  return Float32Array.from({ length: 256 }, (_, value) => (value * spec.scale - mean) / std);
}

const floatView = new Float32Array(1);
const bitsView = new Uint32Array(floatView.buffer);

/** Nearest IEEE 754 binary16 of a float32, ties to even. */
export function floatToHalf(value: number): number {
  floatView[0] = value;
  const bits = bitsView[0] as number;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  const mantissa = bits & 0x7fffff;
  if (exponent >= 31) return sign | (exponent === 143 && mantissa !== 0 ? 0x7e00 : 0x7c00);
  if (exponent <= 0) {
    if (exponent < -10) return sign;
    return sign | roundShift(mantissa | 0x800000, 14 - exponent);
  }
  return sign + roundShift((exponent << 23) | mantissa, 13);
}

function roundShift(value: number, shift: number): number {
  const kept = value >>> shift;
  const rest = value & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}
