import type { Dominating } from './types.js';

/** A range that falls by more than this without an image hangs on it. */
const HANGS = 0.2;

/**
 * Leave-one-out: what each image does to the ranges. Without the image that holds a tensor's largest value, the range
 * falls to the second largest; without any other it stays.
 * @param tensors - by tensor, the largest |x| of each image, in the order of `names`
 * @returns images that any range hangs on, the most influential first
 */
export function findDominating(
  names: readonly string[],
  tensors: readonly (readonly number[])[],
): readonly Dominating[] {
  const hanging = new Float64Array(names.length);
  const losses = new Float64Array(names.length);
  let counted = 0;
  for (const amax of tensors) {
    let [first, second, at] = [0, 0, -1];
    amax.forEach((value, image) => {
      if (value > first) [first, second, at] = [value, first, image];
      else if (value > second) second = value;
    });
    if (at < 0) continue;
    counted++;
    const loss = 1 - second / first;
    losses[at] = (losses[at] as number) + loss;
    if (loss > HANGS) hanging[at] = (hanging[at] as number) + 1;
  }
  return names
    .map((name, i) => ({
      name,
      tensors: (hanging[i] as number) / Math.max(1, counted),
      loss: (losses[i] as number) / Math.max(1, counted),
    }))
    .filter(({ tensors: share }) => share > 0)
    .sort((a, b) => b.tensors - a.tensors || b.loss - a.loss);
}
