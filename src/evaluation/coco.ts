import type { DetectionTable, GroundTruth } from '../dataset/index.js';
import {
  AREAS,
  IOU_THRESHOLDS,
  MAX_DETECTIONS,
  OUTCOME,
  RECALL_POINTS,
  prepareMatches,
  type ClassMatches,
  type Matches,
} from './matching.js';
import { pairwiseSum } from './numeric.js';
import type { ClassResult, CocoStats } from './types.js';

const T = IOU_THRESHOLDS.length;
const R = RECALL_POINTS.length;
const A = AREAS.length;
const M = MAX_DETECTIONS.length;

/** An evaluation with everything that the 12 numbers come from. */
export interface CocoEvaluation {
  readonly stats: CocoStats;
  readonly perClass: readonly ClassResult[];
  /** `[T, R, K, A, M]`, -1 where a class has no box. */
  readonly precision: Float64Array;
  /** `[T, K, A, M]`. */
  readonly recall: Float64Array;
  readonly matches: Matches;
}

/** COCO's bounding-box evaluation: precision and recall equal pycocotools' bit for bit. @throws InputFault for a NaN score. */
export function evaluateCoco(truth: GroundTruth, detections: DetectionTable): CocoEvaluation {
  const matches = prepareMatches(truth, detections);
  const K = truth.categories.length;
  const precision = new Float64Array(T * R * K * A * M).fill(-1);
  const recall = new Float64Array(T * K * A * M).fill(-1);
  const curve = new Float64Array(R);
  matches.classes.forEach((list, a) =>
    list.forEach((one, k) => {
      if (one.total === 0) return;
      for (let m = 0; m < M; m++)
        for (let t = 0; t < T; t++) {
          recall[((t * K + k) * A + a) * M + m] = precisionCurve(
            one,
            t,
            MAX_DETECTIONS[m] as number,
            undefined,
            one.total,
            curve,
          );
          for (let r = 0; r < R; r++) precision[(((t * R + r) * K + k) * A + a) * M + m] = curve[r] as number;
        }
    }),
  );
  const view = new Tensors(precision, recall, K);
  return {
    stats: view.stats(),
    perClass: truth.categories.map(({ name }, k) => view.ofClass(k, name, matches)),
    precision,
    recall,
    matches,
  };
}

/** float64 epsilon, which COCOeval adds to the denominator of precision. */
const EPSILON = 2.220446049250313e-16;

/**
 * Precision at the 101 recall points, written to `curve`; answers the highest recall.
 * @param weights - multiplicity of each image in a resample; undefined = each once
 */
export function precisionCurve(
  { count, outcome, rank, image }: ClassMatches,
  threshold: number,
  maxDetections: number,
  weights: Float64Array | undefined,
  total: number,
  curve: Float64Array,
): number {
  let tp = 0;
  let fp = 0;
  let steps = 0;
  for (let i = 0; i < count; i++) {
    if ((rank[i] as number) >= maxDetections) continue;
    const weight = weights === undefined ? 1 : (weights[image[i] as number] as number);
    if (weight === 0) continue;
    const one = outcome[threshold * count + i];
    if (one === OUTCOME.truePositive) tp += weight;
    else if (one === OUTCOME.falsePositive) fp += weight;
    recalls[steps] = tp / total;
    precisions[steps] = tp / (fp + tp + EPSILON);
    if (++steps === recalls.length) enlarge();
  }
  for (let i = steps - 1; i > 0; i--)
    if ((precisions[i] as number) > (precisions[i - 1] as number))
      precisions[i - 1] = precisions[i] as number;
  let at = 0;
  for (let r = 0; r < R; r++) {
    while (at < steps && (recalls[at] as number) < (RECALL_POINTS[r] as number)) at++;
    curve[r] = at < steps ? (precisions[at] as number) : 0;
  }
  return steps === 0 ? 0 : (recalls[steps - 1] as number);
}

// Scratch of precisionCurve, grown as needed.
let recalls = new Float64Array(1024);
let precisions = new Float64Array(1024);

function enlarge(): void {
  const [oldRecalls, oldPrecisions] = [recalls, precisions];
  recalls = new Float64Array(oldRecalls.length * 2);
  precisions = new Float64Array(recalls.length);
  recalls.set(oldRecalls);
  precisions.set(oldPrecisions);
}

/** Means over slices of the tensors, in NumPy's order of summation. */
class Tensors {
  constructor(
    private readonly precision: Float64Array,
    private readonly recall: Float64Array,
    private readonly K: number,
  ) {}

  stats(): CocoStats {
    const last = M - 1;
    return {
      AP: this.ap(0, last),
      AP50: this.ap(0, last, 0),
      AP75: this.ap(0, last, 5),
      APs: this.ap(1, last),
      APm: this.ap(2, last),
      APl: this.ap(3, last),
      AR1: this.ar(0, 0),
      AR10: this.ar(0, 1),
      AR100: this.ar(0, last),
      ARs: this.ar(1, last),
      ARm: this.ar(2, last),
      ARl: this.ar(3, last),
    };
  }

  ofClass(k: number, name: string, matches: Matches): ClassResult {
    const boxes = matches.classes[0]?.[k]?.total ?? 0;
    return {
      category: k,
      name,
      AP: this.ap(0, M - 1, undefined, k),
      AP50: this.ap(0, M - 1, 0, k),
      AR100: this.ar(0, M - 1, k),
      boxes,
    };
  }

  private ap(a: number, m: number, only?: number, k?: number): number {
    const values: number[] = [];
    for (let t = 0; t < T; t++) {
      if (only !== undefined && t !== only) continue;
      for (let r = 0; r < R; r++)
        for (let c = k ?? 0; c < (k === undefined ? this.K : k + 1); c++)
          values.push(this.precision[(((t * R + r) * this.K + c) * A + a) * M + m] as number);
    }
    return meanOfKnown(values);
  }

  private ar(a: number, m: number, k?: number): number {
    const values: number[] = [];
    for (let t = 0; t < T; t++)
      for (let c = k ?? 0; c < (k === undefined ? this.K : k + 1); c++)
        values.push(this.recall[((t * this.K + c) * A + a) * M + m] as number);
    return meanOfKnown(values);
  }
}

/** Mean of the entries above -1; -1 when there is none. */
function meanOfKnown(values: readonly number[]): number {
  const known = Float64Array.from(values.filter((value) => value > -1));
  return known.length === 0 ? -1 : pairwiseSum(known) / known.length;
}
