import { InputFault } from '../faults/index.js';
import { BINS, type Calibrator, type Ranges, type TensorRange, type TensorStatistics } from './types.js';

/** Highest code of symmetric INT8: codes run from -127 to 127. */
const LEVELS = 127;

/** Options that a calibrator may read. */
export interface CalibratorOptions {
  /** Share of |x| kept by `percentile`, in percent, (0, 100]. */
  readonly percentile: number;
}

/** The calibrators by name: to add one, write its function and name it here. */
const REGISTRY = {
  minmax: (): Calibrator => ({ name: 'minmax', range: (s) => rangeAt(s, amaxOf(s), 'minmax') }),
  percentile: ({ percentile }: CalibratorOptions): Calibrator => {
    const name = `percentile:${percentile}`;
    return { name, range: (s) => rangeAt(s, percentileOf(s, percentile / 100), name) };
  },
  entropy: (): Calibrator => ({ name: 'entropy', range: (s) => rangeAt(s, entropyOf(s), 'entropy') }),
  mse: (): Calibrator => ({ name: 'mse', range: (s) => rangeAt(s, mseOf(s), 'mse') }),
} as const;

export type CalibratorName = keyof typeof REGISTRY;
export const CALIBRATORS = Object.keys(REGISTRY) as readonly CalibratorName[];

/** The calibrator of that name. */
export function calibratorFor(
  name: CalibratorName,
  options: CalibratorOptions = { percentile: 99.999 },
): Calibrator {
  return REGISTRY[name](options);
}

/** A range for every tensor. @throws InputFault naming all tensors that were never seen or held NaN or infinity. */
export function computeRanges(
  statistics: ReadonlyMap<string, TensorStatistics>,
  calibrator: Calibrator,
): Ranges {
  const bad = [...statistics.values()].filter(({ count, nonFinite }) => count === 0 || nonFinite > 0);
  if (bad.length > 0)
    throw new InputFault(
      bad.slice(0, 10).map(({ name, nonFinite }) => ({
        where: `tensor ${name}`,
        what:
          nonFinite > 0
            ? `is NaN or infinite in ${nonFinite} places on the calibration images`
            : 'was never seen during calibration',
        fix: 'Check the preprocessing (scale, mean, std) and that the FP32 model itself gives finite values.',
      })),
    );
  return new Map([...statistics].map(([name, one]) => [name, calibrator.range(one)]));
}

function amaxOf({ min, max }: TensorStatistics): number {
  return Math.max(Math.abs(min), Math.abs(max));
}

function rangeAt(statistics: TensorStatistics, amax: number, calibrator: string): TensorRange {
  return { amax: Math.min(amax, amaxOf(statistics)), min: statistics.min, max: statistics.max, calibrator };
}

/** The |x| below which the share `p` of all values lies, interpolated inside its bin. */
function percentileOf(statistics: TensorStatistics, p: number): number {
  const { bins, limit, count } = statistics;
  const wanted = p * count;
  let below = 0;
  for (let i = 0; i < BINS; i++) {
    const here = bins[i] as number;
    if (here > 0 && below + here >= wanted) return ((i + (wanted - below) / here) * limit) / BINS;
    below += here;
  }
  return amaxOf(statistics);
}

/** Bins up to the largest |x|, the first replaced by the second: ReLU and SiLU put a spike at zero that says nothing of range. */
function withoutZeroSpike({ bins }: TensorStatistics): Float64Array {
  let last = BINS;
  while (last > 1 && bins[last - 1] === 0) last--;
  const kept = bins.slice(0, last);
  if (last > 1) kept[0] = kept[1] as number;
  return kept;
}

/** Histogram levels that INT8 has for |x|. */
const QUANTIZED = 128;

/**
 * Threshold with the least KL divergence between the clipped distribution and its 128-level version, as TensorRT's
 * entropy calibration is published: P is the first i bins with the tail added to the last, Q the unclipped first i
 * bins merged to 128 levels and spread over the bins that are not empty.
 */
function entropyOf(statistics: TensorStatistics): number {
  const bins = withoutZeroSpike(statistics);
  const width = statistics.limit / BINS;
  if (bins.length <= QUANTIZED) return amaxOf(statistics);
  const total = bins.reduce((sum, n) => sum + n, 0);
  let best = Infinity;
  let at = bins.length;
  let inside = 0;
  for (let i = 0; i < QUANTIZED; i++) inside += bins[i] as number;
  for (let i = QUANTIZED; i <= bins.length; i++) {
    const divergence = divergenceAt(bins, i, total - inside, total);
    if (divergence <= best) {
      best = divergence;
      at = i;
    }
    inside += bins[i] ?? 0;
  }
  return (at + 0.5) * width;
}

function divergenceAt(bins: Float64Array, kept: number, tail: number, total: number): number {
  const insideTotal = total - tail;
  let divergence = 0;
  for (let level = 0; level < QUANTIZED; level++) {
    const from = Math.floor((level * kept) / QUANTIZED);
    const to = Math.floor(((level + 1) * kept) / QUANTIZED);
    let sum = 0;
    let filled = 0;
    for (let i = from; i < to; i++) {
      const n = bins[i] as number;
      sum += n;
      if (n > 0) filled++;
    }
    if (filled === 0) {
      // The tail falls on an empty bin that no level covers.
      if (to === kept && tail > 0) divergence += (tail / total) * Math.log(tail / total / 1e-12);
      continue;
    }
    const q = sum / filled / insideTotal;
    for (let i = from; i < to; i++) {
      const n = bins[i] as number;
      const p = (i === kept - 1 ? n + tail : n) / total;
      if (p > 0) divergence += p * Math.log(p / (n > 0 ? q : 1e-12));
    }
  }
  return divergence;
}

/** Threshold with the least squared error, from rounding below it and clipping above, over 512 candidates. */
function mseOf(statistics: TensorStatistics): number {
  const amax = amaxOf(statistics);
  const { bins, limit } = statistics;
  const width = limit / BINS;
  let best = Infinity;
  let at = amax;
  for (let step = 512; step >= 16; step--) {
    const threshold = (amax * step) / 512;
    const rounding = (threshold / LEVELS) ** 2 / 12;
    const edge = Math.min(BINS, Math.ceil(threshold / width));
    let error = 0;
    let inside = 0;
    for (let i = 0; i < edge; i++) inside += bins[i] as number;
    for (let i = edge; i < BINS; i++) error += (bins[i] as number) * ((i + 0.5) * width - threshold) ** 2;
    error += inside * rounding;
    if (error < best) {
      best = error;
      at = threshold;
    }
  }
  return at;
}
