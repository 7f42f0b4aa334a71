import type { DetectionTable, GroundTruth } from '../../dataset/index.js';
import { OUTCOME, type CocoEvaluation } from '../../evaluation/index.js';
import type { WorstImage } from '../../report/index.js';
import { CONFIDENT } from './distributions.js';

/** Boxes shown of one kind on one image, the surest ones. */
const BOXES = 60;

/** What INT8 loses on one image. */
export interface Loss {
  readonly image: number;
  readonly lost: number;
  readonly added: number;
}

/**
 * Images on which INT8 has fewer right detections of a class than FP32, or more wrong ones (IoU 0.5, score 0.25);
 * most lost first, then most added, then in the order of the set.
 */
export function lossesOf(images: number, fp32: CocoEvaluation, int8: CocoEvaluation): Loss[] {
  const lost = new Int32Array(images);
  const added = new Int32Array(images);
  const [before, after] = [outcomes(images, fp32), outcomes(images, int8)];
  before.forEach((one, k) => {
    const other = after[k] as (typeof after)[number];
    for (let i = 0; i < images; i++) {
      lost[i] = (lost[i] as number) + Math.max(0, (one.right[i] as number) - (other.right[i] as number));
      added[i] = (added[i] as number) + Math.max(0, (other.wrong[i] as number) - (one.wrong[i] as number));
    }
  });
  return Array.from({ length: images }, (_, image) => ({
    image,
    lost: lost[image] as number,
    added: added[image] as number,
  }))
    .filter((one) => one.lost + one.added > 0)
    .sort((a, b) => b.lost - a.lost || b.added - a.added || a.image - b.image);
}

/** Right and wrong detections by class and image, at the first threshold over all sizes. */
function outcomes(
  images: number,
  { matches }: CocoEvaluation,
): readonly { readonly right: Int32Array; readonly wrong: Int32Array }[] {
  return (matches.classes[0] ?? []).map(({ count, score, image, outcome }) => {
    const [right, wrong] = [new Int32Array(images), new Int32Array(images)];
    for (let i = 0; i < count; i++) {
      if ((score[i] as number) < CONFIDENT) continue;
      const bins =
        outcome[i] === OUTCOME.truePositive
          ? right
          : outcome[i] === OUTCOME.falsePositive
            ? wrong
            : undefined;
      const at = image[i] as number;
      if (bins !== undefined) bins[at] = (bins[at] as number) + 1;
    }
    return { right, wrong };
  });
}

/** The boxes of one image: labelled, found by FP32, found by INT8. */
export function boxesOf(
  truth: GroundTruth,
  fp32: DetectionTable,
  int8: DetectionTable,
  image: number,
): Pick<WorstImage, 'truth' | 'fp32' | 'int8'> {
  const found = (table: DetectionTable): WorstImage['fp32'] =>
    rowsOf(table, image)
      .filter((i) => (table.score[i] as number) >= CONFIDENT)
      .sort((a, b) => (table.score[b] as number) - (table.score[a] as number))
      .slice(0, BOXES)
      .map((i) => ({ ...boxAt(truth, table, i), score: tenth(table.score[i] as number, 3) }));
  const { annotations } = truth;
  const labelled = rowsOf(annotations, image).filter((i) => annotations.crowd[i] !== 1);
  return {
    truth: labelled.slice(0, BOXES).map((i) => boxAt(truth, annotations, i)),
    fp32: found(fp32),
    int8: found(int8),
  };
}

function rowsOf({ image: images }: { readonly image: Int32Array }, image: number): number[] {
  const rows: number[] = [];
  images.forEach((one, i) => {
    if (one === image) rows.push(i);
  });
  return rows;
}

function boxAt(
  { categories }: GroundTruth,
  { category, bbox }: Pick<DetectionTable, 'category' | 'bbox'>,
  i: number,
): WorstImage['truth'][number] {
  return {
    class: categories[category[i] as number]?.name ?? '',
    box: Array.from(bbox.subarray(4 * i, 4 * i + 4), (value) => tenth(value, 1)),
  };
}

function tenth(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
