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

/** Mean over images of the SQNR in dB, and the standard error of that mean. */
export function spreadOf(images: readonly (readonly Power[])[]): {
  readonly mean: number;
  readonly error: number;
} {
  const each = images.map((one) => sqnrOf([one]));
  const mean = each.reduce((sum, one) => sum + one, 0) / each.length;
  if (!Number.isFinite(mean)) return { mean, error: 0 };
  const variance = each.reduce((sum, one) => sum + (one - mean) ** 2, 0) / Math.max(1, each.length - 1);
  return { mean, error: Math.sqrt(variance / each.length) };
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
 */
export function rankIntervals(
  powers: readonly (readonly (readonly Power[])[])[],
  seed: number,
  confidence = 0.8,
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
    const sqnr = powers.map((seen) =>
      seen.some((_, i) => (weights[i] as number) > 0) ? sqnrOf(seen, weights) : sqnrOf(seen),
    );
    orderOf(sqnr).forEach((group, place) => places[group]?.push(place + 1));
  }
  return places.map((list) => {
    const sorted = list.sort((a, b) => a - b);
    const at = (q: number): number => sorted[Math.round(q * (sorted.length - 1))] as number;
    return { low: at((1 - confidence) / 2), high: at((1 + confidence) / 2) };
  });
}

function orderOf(values: readonly number[]): number[] {
  return [...values.keys()].sort((a, b) => {
    const [x, y] = [values[a] as number, values[b] as number];
    return x === y ? a - b : x < y ? -1 : 1;
  });
}

/** Images that every group sees before any is left alone. */
const FEWEST = 8;
/** Standard errors that part a group from those that matter. */
const SURE = 3;

/**
 * Groups that need no further image: those that are surely less sensitive than the `keep` worst, and those whose
 * output is not finite, which nothing can beat.
 *
 * @param powers by group, by image, by head tensor.
 */
export function settled(
  powers: readonly (readonly (readonly Power[])[])[],
  keep: number,
): ReadonlySet<number> {
  if (powers.some(({ length }) => length < FEWEST)) return new Set();
  const spreads = powers.map(spreadOf);
  const upper = spreads.map(({ mean, error }) => mean + SURE * error).sort((a, b) => a - b);
  const limit = upper[Math.min(keep, upper.length) - 1] ?? Infinity;
  return new Set(
    spreads.flatMap(({ mean, error }, g) => (mean === -Infinity || mean - SURE * error > limit ? [g] : [])),
  );
}
