import type { GroundTruth } from './types.js';

/**
 * Chooses `count` images that show classes in about the proportions of the whole set, none of them lost while the
 * count allows it: rarest class first, each gets its share (at least one image), images without objects are a class of
 * their own, and what is left over is filled at random. The same seed gives the same images on every machine.
 * @returns places in {@link GroundTruth.images}, ascending; all of them when `count` covers the set
 */
export function stratify(truth: GroundTruth, count: number, seed: number): readonly number[] {
  const all = truth.images.map((_, i) => i);
  if (count >= all.length) return all;
  const order = shuffled(all, seed);
  const classes = classesOfImages(truth);
  const members = new Map<number, number[]>();
  for (const image of order)
    for (const c of classes[image] as Set<number>) {
      const list = members.get(c);
      if (list === undefined) members.set(c, [image]);
      else list.push(image);
    }
  const rarestFirst = [...members].sort(([a, x], [b, y]) => x.length - y.length || a - b);
  const chosen = new Set<number>();
  for (const [, images] of rarestFirst) {
    const share = Math.max(1, Math.round((images.length * count) / all.length));
    let have = images.filter((image) => chosen.has(image)).length;
    for (const image of images) {
      if (have >= share || chosen.size >= count) break;
      if (chosen.has(image)) continue;
      chosen.add(image);
      have++;
    }
  }
  for (const image of order) {
    if (chosen.size >= count) break;
    chosen.add(image);
  }
  return [...chosen].sort((a, b) => a - b);
}

const NO_OBJECT = -1;

function classesOfImages({ images, annotations }: GroundTruth): readonly ReadonlySet<number>[] {
  const classes = images.map(() => new Set<number>());
  for (let row = 0; row < annotations.count; row++)
    classes[annotations.image[row] as number]?.add(annotations.category[row] as number);
  for (const set of classes) if (set.size === 0) set.add(NO_OBJECT);
  return classes;
}

/** Fisher-Yates over a 32-bit mixing generator (splitmix32). */
function shuffled(items: readonly number[], seed: number): number[] {
  const out = [...items];
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32;
  };
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [out[i], out[j]] = [out[j] as number, out[i] as number];
  }
  return out;
}
