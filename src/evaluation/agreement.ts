import type { DetectionTable } from '../dataset/index.js';
import { overlap } from './distances.js';

/** What two sets of detections have in common on one image. */
export interface Agreement {
  /** Twice the sum of the lesser score × IoU over pairs. */
  readonly shared: number;
  /** Sum of the scores of both. */
  readonly all: number;
}

/**
 * Soft Sørensen-Dice coefficient of two sets of detections, image by image: {@link agreementOf} joins them. A detection of the
 * reference, surest first, takes the partner of its class and image, not yet taken, with the largest lesser score × IoU.
 * Every detection counts by its score, so that no threshold is needed, and background counts nothing.
 *
 * @param images - number of images
 */
export function agreementByImage(
  reference: DetectionTable,
  candidate: DetectionTable,
  images: number,
): readonly Agreement[] {
  const shared = new Float64Array(images);
  const all = new Float64Array(images);
  for (const { image, score } of [reference, candidate])
    score.forEach((one, i) => add(all, image[i] as number, one));
  const partners = new Map<string, number[]>();
  const keyOf = ({ image, category }: DetectionTable, i: number): string =>
    `${image[i] as number}/${category[i] as number}`;
  candidate.score.forEach((_, i) => {
    const key = keyOf(candidate, i);
    const open = partners.get(key);
    if (open === undefined) partners.set(key, [i]);
    else open.push(i);
  });
  const surest = [...reference.score.keys()].sort(
    (i, j) => (reference.score[j] as number) - (reference.score[i] as number),
  );
  for (const i of surest) {
    const open = partners.get(keyOf(reference, i)) ?? [];
    let [most, at] = [0, -1];
    open.forEach((j, place) => {
      const lesser = Math.min(reference.score[i] as number, candidate.score[j] as number);
      const worth = lesser * overlap(reference.bbox, i, candidate.bbox, j);
      if (worth > most) [most, at] = [worth, place];
    });
    if (at < 0) continue;
    open.splice(at, 1);
    add(shared, reference.image[i] as number, 2 * most);
  }
  return Array.from(shared, (one, i) => ({ shared: one, all: all[i] as number }));
}

function add(sums: Float64Array, at: number, value: number): void {
  sums[at] = (sums[at] as number) + value;
}

/** The coefficient over all images: 1 = the same detections, 0 = none in common; NaN where nothing is detected by either. */
export function agreementOf(images: readonly Agreement[]): number {
  const [shared, all] = sums(images);
  return shared / all;
}

/**
 * What each image says of the coefficient: numbers whose mean it is, and whose spread tells how sure it is, by the first-order
 * expansion of a ratio of sums (the delta method). Two sets on the same images are compared by their differences.
 */
export function agreementShares(images: readonly Agreement[]): readonly number[] {
  const [shared, all] = sums(images);
  const ratio = shared / all;
  const mean = all / images.length;
  return images.map((one) => ratio + (one.shared - ratio * one.all) / mean);
}

function sums(images: readonly Agreement[]): readonly [number, number] {
  return [images.reduce((sum, one) => sum + one.shared, 0), images.reduce((sum, one) => sum + one.all, 0)];
}
