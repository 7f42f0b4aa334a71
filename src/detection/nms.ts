/** Candidate boxes as columns: corners in model pixels, class and score. */
export interface Candidates {
  readonly corners: number[];
  readonly classes: number[];
  readonly scores: number[];
}

/**
 * Class-aware non-maximum suppression with torchvision's `batched_nms` semantics: by falling score (ties keep their
 * order), a box is dropped when its IoU with a kept box of its class is above `iou`. Answers kept indexes, best first.
 */
export function nonMaximumSuppression(
  { corners, classes, scores }: Candidates,
  iou: number,
  limit: number,
): number[] {
  const order = scores.map((_, i) => i).sort((a, b) => (scores[b] as number) - (scores[a] as number));
  const keptOfClass = new Map<number, number[]>();
  const kept: number[] = [];
  for (const i of order) {
    if (kept.length >= limit) break;
    const rivals = keptOfClass.get(classes[i] as number) ?? [];
    if (rivals.some((j) => overlap(corners, i, j) > iou)) continue;
    rivals.push(i);
    keptOfClass.set(classes[i] as number, rivals);
    kept.push(i);
  }
  return kept;
}

function overlap(corners: readonly number[], i: number, j: number): number {
  const at = (box: number, side: number): number => corners[4 * box + side] as number;
  const width = Math.min(at(i, 2), at(j, 2)) - Math.max(at(i, 0), at(j, 0));
  const height = Math.min(at(i, 3), at(j, 3)) - Math.max(at(i, 1), at(j, 1));
  if (width <= 0 || height <= 0) return 0;
  const inter = width * height;
  const area = (box: number): number => (at(box, 2) - at(box, 0)) * (at(box, 3) - at(box, 1));
  return inter / (area(i) + area(j) - inter);
}
