import type { DetectionTable, GroundTruth } from '../dataset/index.js';
import { matchClasses, type ClassBits } from './matching.js';
import { AREAS, IOU_THRESHOLDS, OUTCOME } from './parameters.js';

/**
 * One class at one area range: detections of all images in order of falling score (ties in order of image, then of
 * input), with their outcomes. For those who re-weigh images; evaluation itself reads {@link ClassBits}.
 */
export interface ClassMatches {
  readonly category: number;
  readonly area: number;
  /** Detections kept: at most 100 an image. */
  readonly count: number;
  readonly score: Float64Array;
  /** Index of the detection's image. */
  readonly image: Int32Array;
  /** Place of the detection among those of its image, 0 = highest score. */
  readonly rank: Int32Array;
  /** `[thresholds, count]`: {@link OUTCOME}. */
  readonly outcome: Uint8Array;
  /** Ground-truth boxes that count, per image. */
  readonly positives: Int32Array;
  /** Sum of `positives`. */
  readonly total: number;
}

/** All matches of detections with a ground truth. */
export interface Matches {
  readonly truth: GroundTruth;
  /** `[areas][categories]`. */
  readonly classes: readonly (readonly ClassMatches[])[];
}

/** Matches detections with ground truth as pycocotools does. @throws InputFault for a score or box that is NaN or infinite */
export function prepareMatches(truth: GroundTruth, detections: DetectionTable): Matches {
  return spread(truth, matchClasses(truth, detections));
}

/** The outcomes one byte each. */
export function spread(truth: GroundTruth, classes: readonly ClassBits[]): Matches {
  return {
    truth,
    classes: AREAS.map((_, area) => classes.map((one) => classMatches(truth, one, area))),
  };
}

function classMatches(truth: GroundTruth, one: ClassBits, area: number): ClassMatches {
  const { category, count, score, image, rank } = one;
  const outcome = new Uint8Array(IOU_THRESHOLDS.length * count);
  for (let i = 0; i < count; i++) {
    const right = one.right[area * count + i] as number;
    const ignored = one.ignored[area * count + i] as number;
    if ((right | ignored) === 0) continue;
    for (let t = 0; t < IOU_THRESHOLDS.length; t++)
      outcome[t * count + i] =
        ((right >> t) & 1) * OUTCOME.truePositive + ((ignored >> t) & 1) * OUTCOME.ignored;
  }
  const total = one.totals[area] as number;
  return {
    category,
    area,
    count,
    score,
    image,
    rank,
    outcome,
    positives: positives(truth, one.boxes, area),
    total,
  };
}

/** Boxes that count at an area range, by image. */
export function positives({ annotations, images }: GroundTruth, boxes: Int32Array, area: number): Int32Array {
  const { from, to } = AREAS[area] as (typeof AREAS)[number];
  const counts = new Int32Array(images.length);
  for (const row of boxes) {
    const size = annotations.area[row] as number;
    if (annotations.crowd[row] === 1 || annotations.ignore[row] === 1 || size < from || size > to) continue;
    const image = annotations.image[row] as number;
    counts[image] = (counts[image] as number) + 1;
  }
  return counts;
}

/** float64 epsilon, which COCOeval adds to the denominator of precision. */
export const EPSILON = 2.220446049250313e-16;
