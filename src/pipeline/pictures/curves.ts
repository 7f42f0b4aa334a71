import { IOU_THRESHOLDS, MAX_DETECTIONS, RECALL_POINTS, AREAS } from '../../evaluation/index.js';
import type { CocoEvaluation } from '../../evaluation/index.js';
import type { PictureSections } from '../../report/index.js';

/** Classes that get a curve of their own: those with most boxes. */
const CLASSES = 40;
/** Places in IOU_THRESHOLDS: 0.5 and 0.75. */
const MEANS = [0, 5] as const;

/** Precision over recall of each variant: the mean over classes at IoU 0.5 and 0.75, and of classes at 0.5. */
export function curvesOf(
  variants: readonly { readonly variant: 'fp32' | 'int8' | 'mixed'; readonly evaluation: CocoEvaluation }[],
): NonNullable<PictureSections['curves']> {
  return variants.flatMap(({ variant, evaluation }) => {
    const { precision, perClass } = evaluation;
    const counted = perClass.filter(({ boxes }) => boxes > 0);
    const most = [...counted].sort((a, b) => b.boxes - a.boxes || a.category - b.category).slice(0, CLASSES);
    const read = (t: number, categories: readonly number[]): number[] =>
      Array.from(RECALL_POINTS, (_, r) => {
        const sum = categories.reduce((total, k) => total + at(precision, perClass.length, t, r, k), 0);
        return Math.round((sum / categories.length) * 1e4) / 1e4;
      });
    const means = counted.length === 0 ? [] : MEANS;
    return [
      ...means.map((t) => ({
        variant,
        iou: IOU_THRESHOLDS[t] as number,
        precision: read(
          t,
          counted.map(({ category }) => category),
        ),
      })),
      ...most.map(({ name, category }) => ({
        variant,
        iou: 0.5,
        class: name,
        precision: read(0, [category]),
      })),
    ];
  });
}

/** `[T, R, K, A, M]`, of all areas at the largest number of detections. */
function at(precision: Float64Array, classes: number, t: number, r: number, k: number): number {
  const last = MAX_DETECTIONS.length - 1;
  const row = ((t * RECALL_POINTS.length + r) * classes + k) * AREAS.length;
  return precision[row * MAX_DETECTIONS.length + last] as number;
}
