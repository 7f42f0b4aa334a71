import type { TensorExtremes } from '../calibration/index.js';
import type { Evidence, Finding } from './types.js';
import { short } from './words.js';

/** Fewer calibration images than this are called too few. */
const FEW_IMAGES = 32;
/** Ranges that half of the images would make smaller than this share are still growing. */
const STILL_GROWING = 0.9;
/** From this share on, nothing changes any more. */
const SETTLED = 0.99;

/**
 * Mean over tensors of the range that `count` images give, as a share of the range that all give.
 * The mean is over all choices of images, not over one order of theirs: with per-image extremes sorted ascending,
 * E[max of n of N] = Σ a_k · C(k-1, n-1) / C(N, n).
 */
export function expectedRange(images: readonly (readonly number[])[], count: number): number {
  let sum = 0;
  let tensors = 0;
  for (const amax of images) {
    const sorted = [...amax].sort((a, b) => a - b);
    const largest = sorted.at(-1) ?? 0;
    if (largest <= 0) continue;
    sum += expectedMaximum(sorted, Math.min(count, sorted.length)) / largest;
    tensors++;
  }
  return tensors === 0 ? 1 : sum / tensors;
}

function expectedMaximum(sorted: readonly number[], n: number): number {
  const total = sorted.length;
  // C(k-1, n-1) / C(N, n), from k = N down: n / N, then times (k - n) / (k - 1).
  let probability = n / total;
  let expected = 0;
  for (let k = total; k >= n && probability > 0; k--) {
    expected += probability * (sorted[k - 1] as number);
    probability *= k > 1 ? (k - n) / (k - 1) : 0;
  }
  return expected;
}

/** Largest |x| by image of the images seen. */
export function amaxByImage({ min, max }: TensorExtremes): readonly number[] {
  return Array.from(min, (low, i) => Math.max(-low, max[i] as number)).filter((one) => !Number.isNaN(one));
}

/** How ranges grow with the number of images. */
export interface GrowthCurve {
  readonly points: readonly { readonly images: number; readonly range: number }[];
  /** Fewest images (of the points) that give 99 % of the final range; undefined when only all do. */
  readonly settledAt: number | undefined;
}

/** The curve at 1, 2, 4, … images, half of all and all. */
export function growthCurve(extremes: readonly TensorExtremes[]): GrowthCurve {
  const images = extremes.map(amaxByImage);
  const total = images.reduce((most, one) => Math.max(most, one.length), 0);
  const counts = new Set<number>();
  for (let n = 1; n < total; n *= 2) counts.add(n);
  for (const share of [0.5, 0.75, 0.9]) counts.add(Math.max(1, Math.round(total * share)));
  counts.add(total);
  const points = [...counts]
    .filter((n) => n > 0)
    .sort((a, b) => a - b)
    .map((n) => ({ images: n, range: expectedRange(images, n) }));
  return { points, settledAt: points.find(({ range, images: n }) => n < total && range >= SETTLED)?.images };
}

/** Too few images, or ranges that still grow with the last of them. */
export function calibrationSize({
  tensors,
  calibrationImages: count,
  calibrationFolder,
}: Pick<Evidence, 'tensors' | 'calibrationImages' | 'calibrationFolder'>): readonly Finding[] {
  const extremes = tensors.flatMap(({ extremes: one }) => (one === undefined ? [] : [amaxByImage(one)]));
  const half = Math.floor(count / 2);
  const before = extremes.length === 0 || half < 1 ? undefined : expectedRange(extremes, half);
  const growing = before !== undefined && before < STILL_GROWING;
  if (count >= FEW_IMAGES && !growing) return [];
  const rose =
    before === undefined
      ? ''
      : ` From ${half} to ${count} of them the largest values rose by ${short((1 / before - 1) * 100)} % in the mean over ${extremes.length} tensors.`;
  return [
    {
      kind: count < FEW_IMAGES ? 'few-calibration-images' : 'growing-ranges',
      severity: 'warning',
      subject: calibrationFolder,
      sentence:
        count < FEW_IMAGES
          ? `Only ${count} calibration images: ranges of rare activations are left to chance.${rose}`
          : `The ranges are not settled with ${count} calibration images.${rose}`,
      advice: `Use ${count < FEW_IMAGES ? '128 images or more' : `about ${count * 2} images`} that show what production shows; around 500 is the usual advice.`,
      layers: [],
      evidence: { images: count, ...(before !== undefined && { rangeAtHalf: before }) },
    },
  ];
}
