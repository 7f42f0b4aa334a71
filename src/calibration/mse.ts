import { BINS, type TensorStatistics } from './types.js';

/** Highest code of symmetric INT8. */
const LEVELS = 127;
/** Thresholds tried: amax · k / 128 down to an eighth of amax. */
const STEPS = 128;
const LEAST = 16;

/**
 * Mean squared error that symmetric INT8 with this threshold makes: every bin's middle rounded to the nearest of
 * -127 … 127 steps, and clipped beyond. Zeros are exact.
 */
export function quantizationError(statistics: TensorStatistics, threshold: number): number {
  const { bins, limit, zeros, count } = statistics;
  if (count === 0 || threshold <= 0) return 0;
  const width = limit / BINS;
  const step = threshold / LEVELS;
  // What bins that are wide against a step hide of the rounding.
  const within = width ** 2 / 12;
  let error = 0;
  for (let i = 0; i < BINS; i++) {
    const n = i === 0 ? (bins[0] as number) - zeros : (bins[i] as number);
    if (n === 0) continue;
    const x = (i + 0.5) * width;
    const code = (x / step + 0.5) | 0;
    const off = x - (code > LEVELS ? LEVELS : code) * step;
    error += n * (off * off + within);
  }
  return error / count;
}

/** The threshold of least squared error in a symmetric sweep over 113 of them. */
export function mseThreshold(statistics: TensorStatistics): number {
  const amax = Math.max(-statistics.min, statistics.max);
  let best = Infinity;
  let at = amax;
  for (let k = STEPS; k >= LEAST; k--) {
    const threshold = (amax * k) / STEPS;
    const error = quantizationError(statistics, threshold);
    if (error < best) {
      best = error;
      at = threshold;
    }
  }
  return at;
}
