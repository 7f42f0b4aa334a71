import type { Power } from '../engine/index.js';
import { mulberry32 } from '../evaluation/index.js';

/**
 * Signal-to-quantization-noise ratio in dB of tensors whose powers are known by image, as {@link SqnrMeter} joins them:
 * powers summed over images (by weight), then the mean of the tensors' noise-to-signal ratios.
 * Infinity when nothing differs, -Infinity when the candidate is not finite.
 */
export function sqnrOf(images: readonly (readonly Power[])[], weights?: ArrayLike<number>): number {
  const count = images[0]?.length ?? 0;
  let sum = 0;
  for (let t = 0; t < count; t++) {
    let [signal, noise] = [0, 0];
    for (let i = 0; i < images.length; i++) {
      const weight = weights === undefined ? 1 : (weights[i] as number);
      if (weight === 0) continue;
      const power = (images[i] as readonly Power[])[t] as Power;
      signal += weight * power.signal;
      noise += weight * power.noise;
    }
    sum += noise / Math.max(signal, Number.MIN_VALUE);
  }
  const mean = sum / count;
  return Number.isFinite(mean) ? -10 * Math.log10(mean) : -Infinity;
}

/** Places from…to that a group takes in most resamples; 1 is the worst. */
export interface RankInterval {
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 200;

/**
 * How sure each place of a ranking is: images are drawn with replacement, the same for all groups, and groups ranked
 * anew. Answers for each group the middle `confidence` of the places that it takes.
 *
 * @param powers by group, by image, by head tensor; a group may have seen only the first images.
 * @param options.behind what groups that no head tensor tells of are ranked by, as noise over signal
 */
export function rankIntervals(
  powers: readonly (readonly (readonly Power[])[])[],
  seed: number,
  {
    confidence = 0.8,
    behind = new Map(),
  }: { readonly confidence?: number; readonly behind?: ReadonlyMap<number, number> } = {},
): readonly RankInterval[] {
  const images = Math.max(0, ...powers.map(({ length }) => length));
  const random = mulberry32(seed);
  const places = powers.map(() => [] as number[]);
  const weights = new Float64Array(images);
  for (let b = 0; b < RESAMPLES; b++) {
    weights.fill(0);
    for (let i = 0; i < images; i++) {
      const image = Math.floor(random() * images);
      weights[image] = (weights[image] as number) + 1;
    }
    const sqnr = powers.map((seen, g) => {
      const harm = behind.get(g);
      if (harm !== undefined) return -10 * Math.log10(harm);
      return seen.some((_, i) => (weights[i] as number) > 0) ? sqnrOf(seen, weights) : sqnrOf(seen);
    });
    orderOf(sqnr).forEach((group, place) => places[group]?.push(place + 1));
  }
  return places.map((list) => {
    const sorted = list.sort((a, b) => a - b);
    const at = (q: number): number => sorted[Math.round(q * (sorted.length - 1))] as number;
    return { low: at((1 - confidence) / 2), high: at((1 + confidence) / 2) };
  });
}

/** Indexes from the least value on, equal ones as they come. */
export function orderOf(values: readonly number[]): number[] {
  return [...values.keys()].sort((a, b) => {
    const [x, y] = [values[a] as number, values[b] as number];
    return x === y ? a - b : x < y ? -1 : 1;
  });
}

/** Images that every group sees before any is left alone. */
const FEWEST = 4;

/**
 * Groups that need no further image: those that are surely less sensitive than each of `keep` others, by a paired t-test
 * over the images that both saw (0.5 %, one-sided), those whose output is not finite, which nothing can beat, and those that
 * were left alone before: what would come after a gap could not be compared.
 * Paired, since an image that is hard for one group mostly is for all.
 *
 * @param powers by group, by image, by head tensor.
 */
export function settled(
  powers: readonly (readonly (readonly Power[])[])[],
  keep: number,
): ReadonlySet<number> {
  if (powers.some(({ length }) => length < FEWEST)) return new Set();
  const each = powers.map((seen) => seen.map((one) => sqnrOf([one])));
  const order = orderOf(powers.map((seen) => sqnrOf(seen)));
  const worst = order.slice(0, keep);
  const images = Math.max(...powers.map(({ length }) => length));
  return new Set(
    order.flatMap((g, place) => {
      const own = each[g] as readonly number[];
      if (own.includes(-Infinity) || own.length < images) return [g];
      const surely = place >= keep && worst.every((other) => isAbove(own, each[other] as readonly number[]));
      return surely ? [g] : [];
    }),
  );
}

/**
 * Whether `a` surely lies above `b` on the images that both have, by a paired t-test (0.5 %, one-sided), never on fewer than
 * four; values that are not finite are compared as they are.
 */
export function isAbove(a: readonly number[], b: readonly number[]): boolean {
  const count = Math.min(a.length, b.length);
  const differences = Array.from({ length: count }, (_, i) =>
    a[i] === b[i] ? 0 : (a[i] as number) - (b[i] as number),
  );
  const mean = differences.reduce((sum, one) => sum + one, 0) / count;
  if (!Number.isFinite(mean)) return mean === Infinity;
  const variance = differences.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (count - 1);
  return mean > quantile(count - 1) * Math.sqrt(variance / count);
}

/** 99.5 % quantile of Student's t by degrees of freedom, from 3 on; in between that of fewer. */
const QUANTILES = [
  [3, 5.841],
  [4, 4.604],
  [5, 4.032],
  [6, 3.707],
  [7, 3.499],
  [9, 3.25],
  [11, 3.106],
  [15, 2.947],
  [20, 2.845],
  [30, 2.75],
  [60, 2.66],
] as const;

function quantile(freedom: number): number {
  return QUANTILES.findLast(([from]) => from <= freedom)?.[1] ?? Infinity;
}
