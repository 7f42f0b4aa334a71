import type { DetectionTable, GroundTruth } from '../dataset/index.js';
import { bcaInterval, percentileInterval, simultaneousIntervals, type IntervalMethod } from './intervals.js';
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

/** {@link Drop} of a class. */
export interface ClassDrop extends Drop {
  /** Images that hold a box of the class that counts. */
  readonly images: number;
  /**
   * Interval that holds for all classes of {@link BootstrapResult.family} at once; undefined for a class that is not of
   * them.
   */
  readonly together: readonly [low: number, high: number] | undefined;
}

/** Drops of a candidate against a reference on the same images. */
export interface BootstrapResult {
  readonly map: Drop;
  readonly map50: Drop;
  /** AR100. */
  readonly ar: Drop;
  /** AP50-95 by category; undefined for classes without boxes. */
  readonly perClass: readonly (ClassDrop | undefined)[];
  /** Classes with `minBoxes` boxes or more, whose intervals hold together. */
  readonly family: number;
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
  /** Fewest boxes that count for a class to be of {@link BootstrapResult.family}; 1 when left out. */
  readonly minBoxes?: number;
}

/** Groups of the jackknife: enough for a skewness, and each costs an evaluation. */
const GROUPS = 200;

/**
 * Paired bootstrap over images: the same resample, with true multiplicities, for both. Boxes of an image are not
 * independent, so the image is the unit. Matching is done once; a resample only re-weighs.
 *
 * Either set may be a stored one: FP32 and INT8 of one run, or the detections of a base branch and of a head, as long as
 * both belong to the images and classes of `truth`. Above 0 the candidate is worse.
 * @throws InputFault for a score or box that is NaN or infinite
 */
export function pairedBootstrap(options: BootstrapOptions): BootstrapResult {
  return intervalsOf(drawDrops(options), options);
}

/** Drops as {@link Pair.drops} lists them. */
export interface DrawnDrops {
  readonly truth: GroundTruth;
  /** On the set as it is. */
  readonly point: Float64Array;
  /** `[resamples]`. */
  readonly draws: readonly Float64Array[];
  /** With an image or a group of images left out; empty where the method needs none. */
  readonly left: readonly Float64Array[];
  /** By class: boxes that count, and images that hold one. */
  readonly boxes: readonly number[];
  readonly holding: readonly number[];
}

/** The costly half of {@link pairedBootstrap}. */
export function drawDrops({
  truth,
  reference,
  candidate,
  resamples,
  seed,
  method = 'bca',
}: BootstrapOptions): DrawnDrops {
  const pair = new Pair(truth, reference, candidate);
  const n = truth.images.length;
  const point = pair.drops(new Uint16Array(n).fill(1));
  const random = mulberry32(seed);
  const weights = new Uint16Array(n);
  const draws = Array.from({ length: resamples }, () => pair.drops(resample(weights, random)));
  const left = method === 'bca' ? jackknife(n, random, (one) => pair.drops(one)) : [];
  return { truth, point, draws, left, boxes: pair.boxes, holding: pair.holding };
}

/** The other half: intervals from what was drawn. */
export function intervalsOf(
  { truth, point, draws, left, boxes, holding }: DrawnDrops,
  { confidence, method = 'bca', minBoxes = 1 }: Pick<BootstrapOptions, 'confidence' | 'method' | 'minBoxes'>,
): BootstrapResult {
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
  const family = boxes.flatMap((count, k) => (count >= Math.max(1, minBoxes) ? [FIGURES.length + k] : []));
  const together = simultaneousIntervals(point, draws, family, confidence);
  return {
    map: interval(0),
    map50: interval(1),
    ar: interval(2),
    perClass: truth.categories.map((_, k) => {
      const at = FIGURES.length + k;
      return Number.isFinite(point[at] ?? NaN)
        ? { ...interval(at), images: holding[k] as number, together: together.get(at) }
        : undefined;
    }),
    family: family.length,
    method,
    resamples: draws.length,
    confidence,
    images: truth.images.length,
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
  /** By class: boxes that count, and images that hold one. */
  readonly boxes: readonly number[];
  readonly holding: readonly number[];

  constructor(truth: GroundTruth, reference: DetectionTable, candidate: DetectionTable) {
    const side = (table: DetectionTable): WeightedEvaluation =>
      new WeightedEvaluation(truth, matchClasses(truth, table));
    this.sides = [side(reference), side(candidate)];
    this.classes = truth.categories.length;
    this.boxes = this.sides[0].boxes;
    this.holding = this.sides[0].holding;
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
