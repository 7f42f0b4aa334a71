import { InputFault } from '../faults/index.js';
import { entropyThreshold } from './entropy.js';
import { mseThreshold } from './mse.js';
import { BINS, type Calibrator, type Ranges, type TensorRange, type TensorStatistics } from './types.js';

/** Options that a calibrator may read. */
export interface CalibratorOptions {
  /** Share of |x| kept by `percentile`, in percent, (0, 100]. */
  readonly percentile: number;
  /** Images that TensorRT's calibrator would be given at once: `entropy` lays its bins by the first batch. */
  readonly batch?: number;
}

/** The calibrators by name: to add one, write its function and name it here. */
const REGISTRY = {
  minmax: (): Calibrator => ({ name: 'minmax', range: (s) => rangeAt(s, amaxOf(s), 'minmax') }),
  average: (): Calibrator => ({ name: 'average', range: (s) => rangeAt(s, averageOf(s), 'average') }),
  percentile: ({ percentile }: CalibratorOptions): Calibrator => {
    const name = `percentile:${percentile}`;
    return { name, range: (s) => rangeAt(s, percentileOf(s, percentile / 100), name) };
  },
  entropy: ({ batch = 1 }: CalibratorOptions): Calibrator => ({
    name: 'entropy',
    range: (s) => ({ ...rangeAt(s, 0, 'entropy'), amax: entropyThreshold(s, batch) }),
  }),
  mse: (): Calibrator => ({ name: 'mse', range: (s) => rangeAt(s, mseThreshold(s), 'mse') }),
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

/** A calibrator's name with the ranges that it gives. */
export interface RangeCandidate {
  /** As in {@link TensorRange.calibrator}: `percentile:99.99`. */
  readonly name: string;
  readonly ranges: Ranges;
}

/** Shares that are tried beside the one asked for, in percent. Less than 99.9 costs every detector tried its scores. */
const PERCENTILES = [99.999, 99.99, 99.9];

/** What every calibrator makes of the same statistics, several percentiles among them. @throws as {@link computeRanges} */
export function rangeCandidates(
  statistics: ReadonlyMap<string, TensorStatistics>,
  options: CalibratorOptions,
): readonly RangeCandidate[] {
  const percentiles = [...new Set([options.percentile, ...PERCENTILES])];
  return CALIBRATORS.flatMap((name) =>
    (name === 'percentile' ? percentiles : [options.percentile]).map((percentile) => {
      const calibrator = calibratorFor(name, { ...options, percentile });
      return { name: calibrator.name, ranges: computeRanges(statistics, calibrator) };
    }),
  );
}

/** A range for every tensor. @throws InputFault naming tensors that were never seen, stayed empty, or held NaN or infinity. */
export function computeRanges(
  statistics: ReadonlyMap<string, TensorStatistics>,
  calibrator: Calibrator,
): Ranges {
  const bad = [...statistics.values()].filter(({ count, nonFinite }) => count === 0 || nonFinite > 0);
  if (bad.length > 0)
    throw new InputFault(
      bad.slice(0, 10).map(({ name, nonFinite, images }) => ({
        where: `tensor ${name}`,
        ...(nonFinite > 0
          ? {
              what: `is NaN or infinite in ${nonFinite} places on the calibration images`,
              fix: 'Check the preprocessing (scale, mean, std) and that the FP32 model itself gives finite values.',
            }
          : {
              what:
                images > 0
                  ? `held no values on any of ${images} calibration images, as a list of regions that stays empty`
                  : 'was never seen during calibration',
              fix: 'Calibrate on images with objects in them, preprocessed as for inference (scale, mean, std).',
            }),
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

/** The wider side of the extremes averaged over images, as onnxruntime's MinMax with `CalibMovingAverage`. */
function averageOf({ minByImage, maxByImage }: TensorStatistics): number {
  const mean = (values: Float32Array): number => {
    const seen = values.filter((value) => !Number.isNaN(value));
    return seen.reduce((sum, value) => sum + value, 0) / seen.length;
  };
  return Math.max(Math.abs(mean(minByImage)), Math.abs(mean(maxByImage)));
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
