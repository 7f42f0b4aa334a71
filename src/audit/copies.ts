import type { ImageFeatures, Pair } from './types.js';

/** Bits of 256 in which hashes of near duplicates may differ. */
const NEAR_BITS = 26;
/** Grids of near duplicates correlate at least so, and differ on average by at most so many of 255. */
const NEAR_CORRELATION = 0.995;
const NEAR_DIFFERENCE = 12;
/** An image with less contrast shows nothing that could be told from another. */
const FLAT = 2;

/** Images that are in a set more than once. */
export interface Copies {
  /** Each copy with the first image that it repeats. */
  readonly pairs: readonly Pair[];
  /** Images that could go: all but the first of each group. */
  readonly spare: readonly string[];
}

/** Exact copies by digest; near ones by a difference hash, then by the picture itself on a grid of 17 × 16. */
export function findCopies(images: readonly ImageFeatures[]): Copies {
  const pairs: Pair[] = [];
  const spare = new Set<number>();
  const first = new Map<string, number>();
  images.forEach((image, i) => {
    const known = first.get(image.digest);
    if (known === undefined) first.set(image.digest, i);
    else {
      pairs.push(pairOf(images[known] as ImageFeatures, image, true));
      spare.add(i);
    }
  });
  for (let i = 0; i < images.length; i++) {
    if (spare.has(i)) continue;
    for (let j = i + 1; j < images.length; j++) {
      const [a, b] = [images[i] as ImageFeatures, images[j] as ImageFeatures];
      if (spare.has(j) || !alike(a, b)) continue;
      pairs.push(pairOf(a, b, false));
      spare.add(j);
    }
  }
  return { pairs, spare: [...spare].sort((a, b) => a - b).map((i) => (images[i] as ImageFeatures).name) };
}

/** Calibration images that are in the validation set too: each with the first that it equals. */
export function findOverlap(
  calibration: readonly ImageFeatures[],
  validation: readonly ImageFeatures[],
): readonly Pair[] {
  const byDigest = new Map(validation.map((image) => [image.digest, image]));
  return calibration.flatMap((image) => {
    const exact = byDigest.get(image.digest);
    const found = exact ?? validation.find((other) => alike(image, other));
    return found === undefined ? [] : [pairOf(image, found, exact !== undefined)];
  });
}

/** Whether two pictures show the same, but for size, compression or exposure. */
function alike(a: ImageFeatures, b: ImageFeatures): boolean {
  return (
    a.contrast >= FLAT &&
    b.contrast >= FLAT &&
    differingBits(a.hash, b.hash) <= NEAR_BITS &&
    difference(a.grid, b.grid) <= NEAR_DIFFERENCE &&
    correlation(a.grid, b.grid) >= NEAR_CORRELATION
  );
}

function pairOf(a: ImageFeatures, b: ImageFeatures, exact: boolean): Pair {
  return { first: a.name, second: b.name, exact };
}

function differingBits(a: Uint32Array, b: Uint32Array): number {
  let count = 0;
  for (let i = 0; i < a.length; i++)
    for (let rest = ((a[i] as number) ^ (b[i] as number)) >>> 0; rest !== 0; rest = (rest & (rest - 1)) >>> 0)
      count++;
  return count;
}

function difference(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, one, i) => sum + Math.abs(one - (b[i] as number)), 0) / a.length;
}

/** Pearson's correlation; 1 where both are flat. */
function correlation(a: Float32Array, b: Float32Array): number {
  const mean = (values: Float32Array): number => values.reduce((sum, one) => sum + one, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [(a[i] as number) - ma, (b[i] as number) - mb];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 && bb === 0 ? 1 : aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}
