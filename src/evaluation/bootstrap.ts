import type { DetectionTable, GroundTruth } from '../dataset/index.js';
import { precisionCurve, prepareMatches, type Matches } from './matches.js';
import { mulberry32 } from './numeric.js';
import { IOU_THRESHOLDS } from './parameters.js';

/** How far a candidate falls below a reference, and how sure that is. */
export interface Drop {
  /** Reference minus candidate on the set as it is. */
  readonly drop: number;
  /** Percentile interval of the drop. */
  readonly low: number;
  readonly high: number;
}

/** Drops of a candidate against a reference on the same images. */
export interface BootstrapResult {
  readonly map: Drop;
  readonly map50: Drop;
  /** By category; undefined for classes without boxes. */
  readonly perClass: readonly (Drop | undefined)[];
  readonly resamples: number;
  readonly confidence: number;
  readonly images: number;
}

/** What to resample. */
export interface BootstrapOptions {
  readonly truth: GroundTruth;
  readonly reference: DetectionTable;
  readonly candidate: DetectionTable;
  readonly resamples: number;
  /** 0…1, e.g. 0.95. */
  readonly confidence: number;
  readonly seed: number;
}

/**
 * Paired bootstrap over images: the same resample, with true multiplicities, for both. Boxes of an image are not
 * independent, so the image is the unit. Matching is done once; a resample only re-weighs.
 */
export function pairedBootstrap({
  truth,
  reference,
  candidate,
  resamples,
  confidence,
  seed,
}: BootstrapOptions): BootstrapResult {
  const matches = [prepareMatches(truth, reference), prepareMatches(truth, candidate)] as const;
  const n = truth.images.length;
  const point = difference(matches, undefined);
  const random = mulberry32(seed);
  const weights = new Float64Array(n);
  const draws = Array.from({ length: resamples }, () => {
    weights.fill(0);
    for (let i = 0; i < n; i++) {
      const image = Math.floor(random() * n);
      weights[image] = (weights[image] as number) + 1;
    }
    return difference(matches, weights);
  });
  const interval = (of: (one: Difference) => number): Drop => {
    const sorted = Float64Array.from(draws, of).filter(Number.isFinite).sort();
    return {
      drop: of(point),
      low: quantile(sorted, (1 - confidence) / 2),
      high: quantile(sorted, (1 + confidence) / 2),
    };
  };
  return {
    map: interval(({ map }) => map),
    map50: interval(({ map50 }) => map50),
    perClass: truth.categories.map((_, k) =>
      Number.isFinite(point.perClass[k] ?? NaN) ? interval(({ perClass }) => perClass[k] ?? NaN) : undefined,
    ),
    resamples,
    confidence,
    images: n,
  };
}

/** Linear interpolation between order statistics, as NumPy's default. */
function quantile(sorted: Float64Array, q: number): number {
  if (sorted.length === 0) return NaN;
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const a = sorted[low] as number;
  return a + (at - low) * ((sorted[Math.min(low + 1, sorted.length - 1)] as number) - a);
}

interface Difference {
  readonly map: number;
  readonly map50: number;
  readonly perClass: Float64Array;
}

/** AP of the reference minus AP of the candidate; a class that a resample lacks is left out of both means. */
function difference([a, b]: readonly [Matches, Matches], weights: Float64Array | undefined): Difference {
  const classes = a.classes[0] ?? [];
  const perClass = new Float64Array(classes.length).fill(NaN);
  let [map, map50, known] = [0, 0, 0];
  classes.forEach((one, k) => {
    const total = weights === undefined ? one.total : weigh(one.positives, weights);
    if (total === 0) return;
    const first = averagePrecision(a, k, weights, total);
    const second = averagePrecision(b, k, weights, total);
    perClass[k] = first.map - second.map;
    map += first.map - second.map;
    map50 += first.map50 - second.map50;
    known++;
  });
  return { map: known === 0 ? NaN : map / known, map50: known === 0 ? NaN : map50 / known, perClass };
}

function weigh(positives: Int32Array, weights: Float64Array): number {
  let total = 0;
  for (let i = 0; i < positives.length; i++) total += (positives[i] as number) * (weights[i] as number);
  return total;
}

const curve = new Float64Array(101);

function averagePrecision(
  matches: Matches,
  k: number,
  weights: Float64Array | undefined,
  total: number,
): { map: number; map50: number } {
  const one = matches.classes[0]?.[k];
  if (one === undefined) return { map: 0, map50: 0 };
  let sum = 0;
  let map50 = 0;
  for (let t = 0; t < IOU_THRESHOLDS.length; t++) {
    precisionCurve(one, t, 100, weights, total, curve);
    let area = 0;
    for (const value of curve) area += value;
    if (t === 0) map50 = area / curve.length;
    sum += area / curve.length;
  }
  return { map: sum / IOU_THRESHOLDS.length, map50 };
}
