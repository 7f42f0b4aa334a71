import type { DetectionTable, GroundTruth } from '../dataset/index.js';
import { overlap } from './distances.js';

/** A detection of an object: its class, and at least this IoU, as in mAP50. */
const SAME_OBJECT = 0.5;

/** How surely two detectors find the objects of the same images. */
export interface FoundComparison {
  /** Mean over objects of the highest score among the detections of each, 0…1; 0 where there is none. */
  readonly before: number;
  readonly after: number;
  /** Objects that count: no crowds, none to ignore. */
  readonly objects: number;
  /** Sum over images of after minus before, in standard errors of that sum: beyond ±3 hardly chance. */
  readonly z: number;
}

/**
 * Compares by the scores that objects get, image by image. Unlike mAP it needs few images to tell two inputs of one
 * detector apart, since each object counts by itself; it says nothing of false detections.
 */
export function compareFound(
  truth: Pick<GroundTruth, 'images' | 'annotations'>,
  before: DetectionTable,
  after: DetectionTable,
): FoundComparison {
  const [a, b] = [foundByImage(truth, before), foundByImage(truth, after)];
  const { ignore, crowd } = truth.annotations;
  const objects = ignore.reduce((sum, one, i) => sum + (one === 0 && crowd[i] === 0 ? 1 : 0), 0);
  const differences = b.map((one, image) => one - (a[image] as number));
  const sum = total(differences);
  const error = Math.sqrt(total(differences.map((one) => one ** 2)));
  return {
    before: objects === 0 ? 0 : total(a) / objects,
    after: objects === 0 ? 0 : total(b) / objects,
    objects,
    z: error === 0 ? 0 : sum / error,
  };
}

function total(values: Float64Array): number {
  return values.reduce((sum, one) => sum + one, 0);
}

/** By image: sum over its objects of the highest score of a detection of each. */
function foundByImage(
  { images, annotations }: Pick<GroundTruth, 'images' | 'annotations'>,
  detections: DetectionTable,
): Float64Array {
  const byImage = images.map((): number[] => []);
  for (let k = 0; k < detections.count; k++) byImage[detections.image[k] as number]?.push(k);
  const found = new Float64Array(images.length);
  for (let i = 0; i < annotations.count; i++) {
    if (annotations.crowd[i] === 1 || annotations.ignore[i] === 1) continue;
    const image = annotations.image[i] as number;
    let best = 0;
    for (const k of byImage[image] ?? []) {
      const score = detections.score[k] as number;
      if (score <= best || detections.category[k] !== annotations.category[i]) continue;
      if (overlap(annotations.bbox, i, detections.bbox, k) >= SAME_OBJECT) best = score;
    }
    found[image] = (found[image] as number) + best;
  }
  return found;
}
