/** What a histogram tells of a tensor without running anything. */
import {
  BINS,
  calibratorFor,
  meanSquare,
  quantizationError,
  type CalibratorName,
  type TensorStatistics,
} from '../calibration/index.js';

/**
 * Signal-to-quantization-noise ratio of one tensor at a range, in dB: rounding inside ±amax and clipping beyond it, from
 * the histogram. Zeros cost nothing. Infinity for a tensor of zeros.
 */
export function tensorSqnr(statistics: TensorStatistics, amax: number): number {
  const noise = quantizationError(statistics, amax);
  return noise === 0 ? Infinity : 10 * Math.log10(meanSquare(statistics) / noise);
}

/** Root mean square of the values. */
export function rootMeanSquare(statistics: TensorStatistics): number {
  return Math.sqrt(meanSquare(statistics));
}

/** The |x| that `percent` of all values do not pass. */
export function reach(statistics: TensorStatistics, percent: number): number {
  return calibratorFor('percentile', { percentile: percent }).range(statistics).amax;
}

/** Largest |x|. */
export function amaxOf({ min, max }: { readonly min: number; readonly max: number }): number {
  return Math.max(-min, max, 0);
}

/** Share of values beyond ±amax, 0…1. A bin that amax cuts counts by the part beyond. */
export function shareBeyond({ bins, limit, count }: TensorStatistics, amax: number): number {
  const edge = (amax * BINS) / limit;
  let beyond = 0;
  for (let i = Math.floor(edge); i < BINS; i++) beyond += (bins[i] as number) * Math.min(1, i + 1 - edge);
  return count === 0 ? 0 : beyond / count;
}

/** A way to choose ranges that the settings can name. */
export interface CalibratorChoice {
  readonly name: CalibratorName;
  readonly percentile: number;
  /** As reports name it. */
  readonly words: string;
}

/** As reports name a calibrator. */
export function calibratorWords(name: string, percentile: number): string {
  return name === 'percentile' ? `percentile ${percentile}` : name;
}

const choice = (name: CalibratorName, percentile = 99.999): CalibratorChoice => ({
  name,
  percentile,
  words: calibratorWords(name, percentile),
});

/** What is tried in place of the calibrator in force. */
export const ALTERNATIVES: readonly CalibratorChoice[] = [
  choice('percentile', 99.999),
  choice('percentile', 99.99),
  choice('mse'),
  choice('minmax'),
];

/** Range of a tensor by a choice. */
export function rangeBy({ name, percentile }: CalibratorChoice, statistics: TensorStatistics): number {
  return calibratorFor(name, { percentile }).range(statistics).amax;
}

/** A range and what it gives. */
export interface RatedRange {
  /** The choice, as reports name it. */
  readonly words: string;
  readonly amax: number;
  /** dB. */
  readonly sqnr: number;
}

const rated = new WeakMap<TensorStatistics, RatedRange>();

/** The alternative that gives a tensor the highest SQNR. Kept by statistics: several rules ask. */
export function bestRange(statistics: TensorStatistics): RatedRange {
  const known = rated.get(statistics);
  if (known !== undefined) return known;
  const best = ALTERNATIVES.map((one): RatedRange => {
    const amax = rangeBy(one, statistics);
    return { words: one.words, amax, sqnr: tensorSqnr(statistics, amax) };
  }).reduce((a, b) => (b.sqnr > a.sqnr ? b : a));
  rated.set(statistics, best);
  return best;
}
