import type { DetectionTable, GroundTruth } from '../dataset/index.js';
import { accumulate, type Curves } from './accumulate.js';
import { spread, type Matches } from './matches.js';
import { matchClasses, type ClassBits, type MatchOptions } from './matching.js';
import { pairwiseSum } from './numeric.js';
import { AREAS, IOU_THRESHOLDS, MAX_DETECTIONS, RECALL_POINTS } from './parameters.js';
import type { ClassResult, CocoStats } from './types.js';

const T = IOU_THRESHOLDS.length;
const R = RECALL_POINTS.length;
const A = AREAS.length;
const M = MAX_DETECTIONS.length;

/** An evaluation with everything that the 12 numbers come from. */
export class CocoEvaluation {
  readonly stats: CocoStats;
  readonly perClass: readonly ClassResult[];
  private readonly curves: Curves;

  constructor(
    private readonly truth: GroundTruth,
    private readonly classes: readonly ClassBits[],
  ) {
    this.curves = accumulate(classes);
    this.stats = this.statsOf();
    this.perClass = truth.categories.map(({ name }, k) => ({
      category: k,
      name,
      AP: this.ap(0, M - 1, undefined, k),
      AP50: this.ap(0, M - 1, 0, k),
      AR100: this.ar(0, M - 1, undefined, k),
      boxes: classes[k]?.totals[0] ?? 0,
    }));
  }

  /** `[T, R, K, A, M]`, -1 where a class has no box: COCOeval's `eval['precision']`. */
  get precision(): Float64Array {
    const { precision: from } = this.curves;
    const K = this.classes.length;
    const to = new Float64Array(from.length);
    let at = 0;
    for (let row = 0; row < K * A * M; row++)
      for (let t = 0; t < T; t++)
        for (let r = 0; r < R; r++) to[(t * R + r) * K * A * M + row] = from[at++] as number;
    return to;
  }

  /** `[T, K, A, M]`, -1 where a class has no box: COCOeval's `eval['recall']`. */
  get recall(): Float64Array {
    const { recall: from } = this.curves;
    const rows = this.classes.length * A * M;
    const to = new Float64Array(from.length);
    for (let row = 0; row < rows; row++)
      for (let t = 0; t < T; t++) to[t * rows + row] = from[row * T + t] as number;
    return to;
  }

  /** The matches behind the numbers, one byte an outcome. */
  get matches(): Matches {
    return spread(this.truth, this.classes);
  }

  /** Detections that had no part because their image has 100 stronger ones of their class. */
  get dropped(): number {
    return this.classes.reduce((sum, one) => sum + one.dropped, 0);
  }

  /** Detections of classes without a box that counts: they change no number. */
  get unjudged(): number {
    return this.classes.reduce((sum, one) => sum + (one.totals[0] === 0 ? one.count : 0), 0);
  }

  /** Average precision and recall at 100 detections of each IoU threshold, over all classes or of one. */
  perIou(k?: number): readonly { readonly iou: number; readonly AP: number; readonly AR: number }[] {
    return Array.from(IOU_THRESHOLDS, (iou, t) => ({
      iou,
      AP: this.ap(0, M - 1, t, k),
      AR: this.ar(0, M - 1, t, k),
    }));
  }

  /** The 12 numbers over all classes, or of one. */
  statsOf(k?: number): CocoStats {
    const last = M - 1;
    return {
      AP: this.ap(0, last, undefined, k),
      AP50: this.ap(0, last, 0, k),
      AP75: this.ap(0, last, 5, k),
      APs: this.ap(1, last, undefined, k),
      APm: this.ap(2, last, undefined, k),
      APl: this.ap(3, last, undefined, k),
      AR1: this.ar(0, 0, undefined, k),
      AR10: this.ar(0, 1, undefined, k),
      AR100: this.ar(0, last, undefined, k),
      ARs: this.ar(1, last, undefined, k),
      ARm: this.ar(2, last, undefined, k),
      ARl: this.ar(3, last, undefined, k),
    };
  }

  private ap(a: number, m: number, only?: number, k?: number): number {
    return this.mean(this.curves.precision, R, a, m, only, k);
  }

  private ar(a: number, m: number, only?: number, k?: number): number {
    return this.mean(this.curves.recall, 1, a, m, only, k);
  }

  /** Mean over thresholds, points and classes that have boxes, in NumPy's order of summation; -1 when there is none. */
  private mean(
    values: Float64Array,
    points: number,
    a: number,
    m: number,
    only: number | undefined,
    k: number | undefined,
  ): number {
    const known: number[] = [];
    for (let c = k ?? 0; c < (k === undefined ? this.classes.length : k + 1); c++)
      if ((this.classes[c]?.totals[a] ?? 0) > 0) known.push(((c * A + a) * M + m) * T * points);
    const [from, to] = only === undefined ? [0, T] : [only, only + 1];
    const slice = new Float64Array((to - from) * points * known.length);
    let at = 0;
    for (let p = from * points; p < to * points; p++)
      for (const start of known) slice[at++] = values[start + p] as number;
    return at === 0 ? -1 : pairwiseSum(slice) / at;
  }
}

/**
 * COCO's bounding-box evaluation: precision and recall equal pycocotools' bit for bit.
 * @throws InputFault for a score or box that is NaN or infinite
 */
export function evaluateCoco(
  truth: GroundTruth,
  detections: DetectionTable,
  options: MatchOptions = {},
): CocoEvaluation {
  return new CocoEvaluation(truth, matchClasses(truth, detections, options));
}
