import type { TensorExtremes } from '../calibration/index.js';
import { tried } from './outliers.js';
import { WORTH_DB } from './remedies.js';
import type { Evidence, Finding } from './types.js';
import { dB, short } from './words.js';

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

/** An image that alone sets this share of the ranges explains why they grow. */
const MANY = 0.2;
/** An image sets a range alone when the next largest stays below this share of it. */
const ALONE = 0.8;

/** The image that alone sets most ranges: its index, their share, and the expected range at half of the others, 0…1. */
function settingAlone(
  images: readonly (readonly number[])[],
): { readonly image: number; readonly share: number; readonly without: number } | undefined {
  const alone = new Map<number, number>();
  for (const amax of images) {
    const largest = Math.max(...amax);
    const image = amax.indexOf(largest);
    const next = Math.max(0, ...amax.filter((_, i) => i !== image));
    if (next < ALONE * largest) alone.set(image, (alone.get(image) ?? 0) + 1);
  }
  const [worst] = [...alone].sort((a, b) => b[1] - a[1]);
  if (worst === undefined || worst[1] < MANY * images.length) return undefined;
  const others = images.map((amax) => amax.filter((_, i) => i !== worst[0]));
  const half = Math.floor((others[0]?.length ?? 0) / 2);
  return { image: worst[0], share: worst[1] / images.length, without: expectedRange(others, half) };
}

/**
 * The calibration image without which ranges that still grow would be settled; undefined where there is none. Pure; says
 * what is worth trying.
 */
export function findAlone(
  evidence: Pick<Evidence, 'tensors' | 'calibrationImages' | 'ownScales'>,
): { readonly image: number; readonly share: number; readonly without: number } | undefined {
  if (evidence.ownScales === true || evidence.calibrationImages < FEW_IMAGES) return undefined;
  const { images, before } = growthOf(evidence);
  const alone = before !== undefined && before < STILL_GROWING ? settingAlone(images) : undefined;
  return alone !== undefined && alone.without >= STILL_GROWING ? alone : undefined;
}

/** Largest values by tensor and image, and the expected range at half of the images. */
function growthOf({ tensors, calibrationImages }: Pick<Evidence, 'tensors' | 'calibrationImages'>): {
  readonly images: readonly (readonly number[])[];
  readonly before: number | undefined;
} {
  const images = tensors.flatMap(({ extremes }) => (extremes === undefined ? [] : [amaxByImage(extremes)]));
  const half = Math.floor(calibrationImages / 2);
  return { images, before: images.length === 0 || half < 1 ? undefined : expectedRange(images, half) };
}

type SizeEvidence = Pick<
  Evidence,
  | 'tensors'
  | 'calibrationImages'
  | 'calibrationFolder'
  | 'calibrationNames'
  | 'ownScales'
  | 'calibratorTrials'
  | 'imageTrial'
  | 'sqnr'
>;

/** Too few images, or ranges that still grow with the last of them; nothing where the images set no range. */
export function calibrationSize(evidence: SizeEvidence): readonly Finding[] {
  const { calibrationImages: count, calibrationFolder, ownScales = false } = evidence;
  if (ownScales) return [];
  const { images, before } = growthOf(evidence);
  const growing = before !== undefined && before < STILL_GROWING;
  if (count >= FEW_IMAGES && !growing) return [];
  const alone = oneImage(evidence);
  if (alone.length > 0) return alone;
  const rose =
    before === undefined
      ? ''
      : ` From ${Math.floor(count / 2)} to ${count} of them the largest values rose by ${short((1 / before - 1) * 100)} % in the mean over ${images.length} tensors.`;
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

/** The one image that ranges hang on, with what leaving it out did to the whole model. */
function oneImage(evidence: SizeEvidence): readonly Finding[] {
  const { calibrationImages: count, calibrationNames = [], calibratorTrials, imageTrial, sqnr } = evidence;
  const alone = findAlone(evidence);
  const name = alone === undefined ? undefined : calibrationNames[alone.image];
  if (alone === undefined || name === undefined) return [];
  const { images, before } = growthOf(evidence);
  const trial = sqnr !== undefined && imageTrial?.image === alone.image ? imageTrial.sqnr : undefined;
  const clip = calibratorTrials.length > 0 ? tried(evidence) : undefined;
  const ways = [
    trial === undefined || trial - (sqnr as number) >= WORTH_DB
      ? 'if production shows no such picture, take it out of the calibration images; else add more like it'
      : 'if production shows such pictures, add more like it; taking it out wins the whole model next to nothing',
    ...(clip === undefined
      ? ['use a calibrator that clips (calibration.calibrator: percentile or mse)']
      : clip.helps
        ? [`${clip.advice.charAt(0).toLowerCase()}${clip.advice.slice(1, -1)}`]
        : []),
  ];
  return [
    {
      kind: 'range-outlier',
      severity: 'warning',
      subject: name,
      sentence:
        `One calibration image, ${name}, alone sets the range of ${Math.round(alone.share * images.length)} of ${images.length} tensors: the others stay a fifth and more below it, and without it the ranges would be settled.` +
        (trial === undefined
          ? ''
          : ` Tried: without it the head's SQNR goes from ${dB(sqnr as number)} to ${dB(trial)}.`) +
        (clip?.sentence ?? ''),
      advice: `Look at it: ${ways.join(', or ')}.`,
      layers: [],
      evidence: {
        images: count,
        share: alone.share,
        rangeAtHalf: before ?? 1,
        rangeAtHalfWithout: alone.without,
        ...(trial !== undefined && Number.isFinite(trial) && { modelSqnrTried: trial }),
      },
    },
  ];
}
