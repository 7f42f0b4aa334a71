import type { GroundTruth } from '../dataset/index.js';

/**
 * Deterministic choice of images that shows every class about equally often: again and again the class that is seen
 * least gives the image that holds most of it. Ascending indexes; all images when `count` covers them.
 */
export function chooseSubset(truth: GroundTruth, count: number, seed: number): readonly number[] {
  const all = truth.images.map((_, i) => i);
  if (count >= all.length) return all;
  const { annotations } = truth;
  const boxes = all.map(() => new Map<number, number>());
  for (let row = 0; row < annotations.count; row++) {
    const map = boxes[annotations.image[row] as number] as Map<number, number>;
    map.set(annotations.category[row] as number, (map.get(annotations.category[row] as number) ?? 0) + 1);
  }
  const seen = new Float64Array(truth.categories.length);
  const chosen = new Set<number>();
  const order = shuffled(all, seed);
  while (chosen.size < count) {
    const rarest = rarestClass(seen, order, boxes, chosen);
    const next = pick(order, boxes, chosen, rarest);
    chosen.add(next);
    for (const [category, n] of boxes[next] as Map<number, number>)
      seen[category] = (seen[category] as number) + n;
  }
  return [...chosen].sort((a, b) => a - b);
}

function rarestClass(
  seen: Float64Array,
  order: readonly number[],
  boxes: readonly ReadonlyMap<number, number>[],
  chosen: ReadonlySet<number>,
): number | undefined {
  const open = new Set(
    order.filter((i) => !chosen.has(i)).flatMap((i) => [...(boxes[i] as ReadonlyMap<number, number>).keys()]),
  );
  return [...open].sort((a, b) => (seen[a] as number) - (seen[b] as number) || a - b)[0];
}

function pick(
  order: readonly number[],
  boxes: readonly ReadonlyMap<number, number>[],
  chosen: ReadonlySet<number>,
  category: number | undefined,
): number {
  const open = order.filter((i) => !chosen.has(i));
  if (category === undefined) return open[0] as number;
  return open.reduce((best, i) =>
    (boxes[i]?.get(category) ?? 0) > (boxes[best]?.get(category) ?? 0) ? i : best,
  );
}

/** Fisher-Yates with a linear congruential generator: enough to break ties without favouring file order. */
function shuffled(items: readonly number[], seed: number): readonly number[] {
  const out = [...items];
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = out.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    [out[i], out[j]] = [out[j] as number, out[i] as number];
  }
  return out;
}
