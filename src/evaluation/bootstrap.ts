import type { DetectionTable, GroundTruth } from '../dataset/index.js';
import { bcaInterval, percentileInterval, type IntervalMethod } from './intervals.js';
import { matchClasses } from './matching.js';
import { mulberry32 } from './numeric.js';
import { FIGURES, WeightedEvaluation } from './weighted.js';

/** How far a candidate falls below a reference, and how sure that is. */
export interface Drop {
  /** Reference minus candidate on the set as it is. */
  readonly drop: number;
  /** Interval of the drop; NaN where too few resamples could be evaluated. */
  readonly low: number;
  readonly high: number;
}

/** Drops of a candidate against a reference on the same images. */
export interface BootstrapResult {
  readonly map: Drop;
  readonly map50: Drop;
  /** AR100. */
  readonly ar: Drop;
  /** AP50-95 by category; undefined for classes without boxes. */
  readonly perClass: readonly (Drop | undefined)[];
  readonly method: IntervalMethod;
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
  /** `bca` when left out. */
  readonly method?: IntervalMethod;
}

/** Groups of the jackknife: enough for a skewness, and each costs an evaluation. */
const GROUPS = 200;

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
  method = 'bca',
}: BootstrapOptions): BootstrapResult {
  const pair = new Pair(truth, reference, candidate);
  const n = truth.images.length;
  const point = pair.drops(new Uint16Array(n).fill(1));
  const random = mulberry32(seed);
  const weights = new Uint16Array(n);
  const draws = Array.from({ length: resamples }, () => pair.drops(resample(weights, random)));
  const left = method === 'bca' ? jackknife(n, random, (one) => pair.drops(one)) : [];
  const interval = (at: number): Drop => {
    const values = Float64Array.from(draws, (one) => one[at] as number)
      .filter(Number.isFinite)
      .sort();
    const drop = point[at] as number;
    const without = Float64Array.from(left, (one) => one[at] as number).filter(Number.isFinite);
    const [low, high] =
      method === 'bca'
        ? bcaInterval(values, drop, without, confidence)
        : percentileInterval(values, confidence);
    return { drop, low, high };
  };
  return {
    map: interval(0),
    map50: interval(1),
    ar: interval(2),
    perClass: truth.categories.map((_, k) =>
      Number.isFinite(point[FIGURES.length + k] ?? NaN) ? interval(FIGURES.length + k) : undefined,
    ),
    method,
    resamples,
    confidence,
    images: n,
  };
}

/** Draws as many images as there are, with replacement. */
function resample(weights: Uint16Array, random: () => number): Uint16Array {
  weights.fill(0);
  for (let i = 0; i < weights.length; i++) {
    const image = Math.floor(random() * weights.length);
    weights[image] = (weights[image] as number) + 1;
  }
  return weights;
}

/** Leaves out one image after the other, or, of many images, one random group after the other. */
function jackknife(
  n: number,
  random: () => number,
  evaluate: (weights: Uint16Array) => Float64Array,
): readonly Float64Array[] {
  const groups = Math.min(n, GROUPS);
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  const weights = new Uint16Array(n).fill(1);
  return Array.from({ length: groups }, (_, g) => {
    for (let i = g; i < n; i += groups) weights[order[i] as number] = 0;
    const drops = evaluate(weights);
    for (let i = g; i < n; i += groups) weights[order[i] as number] = 1;
    return drops;
  });
}

/** Two sets of detections on the same images, re-weighed together. */
class Pair {
  private readonly sides: readonly [WeightedEvaluation, WeightedEvaluation];
  private readonly figures: readonly [Float64Array, Float64Array];
  private readonly classes: number;

  constructor(truth: GroundTruth, reference: DetectionTable, candidate: DetectionTable) {
    const side = (table: DetectionTable): WeightedEvaluation =>
      new WeightedEvaluation(truth, matchClasses(truth, table));
    this.sides = [side(reference), side(candidate)];
    this.classes = truth.categories.length;
    this.figures = [new Float64Array(3 * this.classes), new Float64Array(3 * this.classes)];
  }

  /** Reference minus candidate: mAP50-95, mAP50, AR100, then AP50-95 by class. A class that a resample lacks is NaN and left out of the means. */
  drops(weights: Uint16Array): Float64Array {
    const [a, b] = this.figures;
    this.sides[0].evaluate(weights, a);
    this.sides[1].evaluate(weights, b);
    const drops = new Float64Array(FIGURES.length + this.classes);
    let known = 0;
    for (let k = 0; k < this.classes; k++) {
      const at = FIGURES.length * k;
      drops[FIGURES.length + k] = (a[at] as number) - (b[at] as number);
      if (Number.isNaN(a[at])) continue;
      known++;
      for (let f = 0; f < FIGURES.length; f++)
        drops[f] = (drops[f] as number) + (a[at + f] as number) - (b[at + f] as number);
    }
    for (let f = 0; f < FIGURES.length; f++) drops[f] = known === 0 ? NaN : (drops[f] as number) / known;
    return drops;
  }
}
