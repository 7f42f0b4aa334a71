import { counted } from '../words/index.js';
import type { AuditCheck, AuditMetric, BrokenImage, Dominating, Gap, ImageFeatures, Pair } from './types.js';
import type { Copies } from './copies.js';

/** Limits, as the settings' `audit` section has them. */
export interface AuditLimits {
  readonly minImages: number;
  readonly maxBroken: number;
  readonly maxDuplicates: number;
  readonly maxOverlap: number;
  readonly maxDominance: number;
  readonly maxDrifted: number;
  readonly maxSaturation: number;
  readonly gaps: 'warn' | 'fail';
}

/** What the audit found, before it is judged. */
export interface AuditEvidence {
  readonly images: readonly ImageFeatures[];
  readonly broken: readonly BrokenImage[];
  readonly copies: Copies;
  readonly overlap: readonly Pair[];
  readonly gaps: readonly Gap[];
  readonly dominating: readonly Dominating[];
  /** Share of the range that half of the images give, and images from which nothing changed. */
  readonly growth: { readonly atHalf: number; readonly settledAt: number | undefined };
  /** Tensors in all, those that reach further on validation, and the worst of them in words. */
  readonly drift: {
    readonly tensors: number;
    readonly beyond: number;
    readonly worst: string | undefined;
    /** Largest share of validation values beyond the calibrated range, less that of calibration, and its tensor. */
    readonly saturation: number;
    readonly saturated: string | undefined;
  };
  /** Mean luma of both sets, 0…255. */
  readonly brightness: { readonly calibration: number; readonly validation: number };
}

/** Half of the images must give this share of the range, or the ranges are still growing. */
const SETTLED = 0.9;
/** An image with less contrast is blank. */
const BLANK = 2;
/** Difference of mean luma from which the lighting differs. */
const LIGHTING = 25;

/** Holds a calibration set against the limits: one answer a question, in the order in which people should read them. */
export function judgeAudit(evidence: AuditEvidence, limits: AuditLimits): readonly AuditCheck[] {
  return [
    drift(evidence, limits),
    saturation(evidence, limits),
    overlap(evidence, limits),
    broken(evidence, limits),
    count(evidence, limits),
    duplicates(evidence, limits),
    gaps(evidence, limits),
    dominance(evidence, limits),
    growth(evidence),
    blank(evidence),
  ];
}

interface Answer {
  readonly bad: boolean;
  readonly value: number;
  readonly limit: string;
  readonly sentence: string;
  readonly advice: string;
  readonly images?: readonly string[];
}

function check(
  metric: AuditMetric,
  badKind: 'warn' | 'fail',
  { bad, advice, images = [], ...rest }: Answer,
): AuditCheck {
  return { kind: bad ? badKind : 'pass', metric, ...rest, advice: bad ? advice : '', images: [...images] };
}

function lighting({ brightness: { calibration, validation } }: AuditEvidence): string | undefined {
  if (Math.abs(calibration - validation) <= LIGHTING) return undefined;
  return calibration < validation ? 'brighter' : 'darker';
}

function drift(evidence: AuditEvidence, { maxDrifted }: AuditLimits): AuditCheck {
  const { tensors, beyond, worst } = evidence.drift;
  const share = tensors === 0 ? 0 : beyond / tensors;
  const light = lighting(evidence);
  const { calibration, validation } = evidence.brightness;
  const lit =
    light === undefined
      ? ''
      : ` The lighting differs: mean brightness is ${calibration.toFixed(0)} (0…255) in calibration, ${validation.toFixed(0)} in validation.`;
  return check('drift', 'fail', {
    bad: share > maxDrifted,
    value: share,
    limit: `at most ${maxDrifted}`,
    sentence:
      beyond === 0
        ? `None of ${tensors} tensors reaches a quarter further on validation than in calibration.`
        : `${beyond} of ${tensors} tensors reach more than a quarter further on validation than in calibration${worst === undefined ? '' : `; worst is ${worst}`}.${lit}`,
    advice:
      light === undefined
        ? 'Add calibration images of the kinds that validation has; the kinds that lack are below.'
        : `Add ${light} scenes to the calibration images: they should show every lighting that production has.`,
  });
}

function saturation(
  { drift: { saturation: share, saturated } }: AuditEvidence,
  { maxSaturation }: AuditLimits,
): AuditCheck {
  return check('saturation', 'fail', {
    bad: share > maxSaturation,
    value: share,
    limit: `at most ${maxSaturation}`,
    sentence:
      saturated === undefined
        ? 'No more of any tensor lies beyond its calibrated range on validation than in calibration.'
        : `Of tensor ${saturated}, ${(100 * share).toFixed(2)} % more values lie beyond the calibrated range on validation than in calibration; of others it is less.`,
    advice:
      'What lies beyond is cut off in INT8: calibrate on images that reach as far, or clip less (a higher percentile).',
  });
}

function overlap({ overlap: pairs, images }: AuditEvidence, { maxOverlap }: AuditLimits): AuditCheck {
  const share = pairs.length / Math.max(1, images.length);
  return check('overlap', 'fail', {
    bad: share > maxOverlap,
    value: share,
    limit: `at most ${maxOverlap}`,
    sentence:
      pairs.length === 0
        ? 'No calibration image is in the validation set.'
        : `${counted(pairs.length, 'calibration image')} ${pairs.length === 1 ? 'is' : 'are'} in the validation set too: mAP looks better than it will be.`,
    advice: 'Take them out of the calibration images.',
    images: pairs.map(({ first, second }) => (first === second ? first : `${first} = ${second}`)),
  });
}

function broken({ broken: found }: AuditEvidence, { maxBroken }: AuditLimits): AuditCheck {
  return check('broken', 'fail', {
    bad: found.length > maxBroken,
    value: found.length,
    limit: `at most ${maxBroken}`,
    sentence:
      found.length === 0
        ? 'Every image can be read.'
        : `${counted(found.length, 'calibration image')} cannot be read.`,
    advice: 'Replace or remove them.',
    images: found.map(({ name, reason }) => `${name}: ${reason}`),
  });
}

function count({ images, copies }: AuditEvidence, { minImages }: AuditLimits): AuditCheck {
  const different = images.length - copies.spare.length;
  return check('images', 'fail', {
    bad: different < minImages,
    value: different,
    limit: `at least ${minImages}`,
    sentence: `${counted(different, 'different image')} can be calibrated on.`,
    advice: 'Use 128 images or more that show what production shows; around 500 is the usual advice.',
  });
}

function duplicates({ images, copies }: AuditEvidence, { maxDuplicates }: AuditLimits): AuditCheck {
  const share = copies.spare.length / Math.max(1, images.length);
  const exact = copies.pairs.filter((pair) => pair.exact).length;
  return check('duplicates', 'fail', {
    bad: share > maxDuplicates,
    value: share,
    limit: `at most ${maxDuplicates}`,
    sentence:
      copies.spare.length === 0
        ? 'No image repeats another.'
        : `${counted(copies.spare.length, 'image')} ${copies.spare.length === 1 ? 'repeats' : 'repeat'} another (${exact} exactly): ${copies.spare.length === 1 ? 'it adds' : 'they add'} nothing and ${copies.spare.length === 1 ? 'weighs' : 'weigh'} on averages.`,
    advice: 'Drop the repeated images, or take frames further apart.',
    images: copies.pairs.map(({ first, second }) => `${second} = ${first}`),
  });
}

function gaps({ gaps: found }: AuditEvidence, { gaps: kind }: AuditLimits): AuditCheck {
  const words = found.map(
    ({ kind: what, validation, calibration }) =>
      `${what}: ${validation} validation and ${calibration} calibration images`,
  );
  return check('coverage', kind, {
    bad: found.length > 0,
    value: found.length,
    limit: 'none',
    sentence:
      found.length === 0
        ? 'Calibration has every kind of image that validation has, by brightness, contrast, colour, size and class.'
        : `Calibration lacks ${counted(found.length, 'kind')} of images: ${words.slice(0, 4).join('; ')}${found.length > 4 ? `; and ${found.length - 4} more` : ''}.`,
    advice: `Add images of ${found.length === 1 ? 'this kind' : 'these kinds'}.`,
  });
}

function dominance({ dominating }: AuditEvidence, { maxDominance }: AuditLimits): AuditCheck {
  const [worst] = dominating;
  const share = worst?.tensors ?? 0;
  return check('dominance', 'fail', {
    bad: share > maxDominance,
    value: share,
    limit: `at most ${maxDominance}`,
    sentence:
      worst === undefined
        ? 'No image sets the range of any tensor alone.'
        : `Without ${worst.name}, the largest values of ${percent(share)} of the tensors would fall by more than a fifth.`,
    advice:
      'Look at the image: where it is no picture that production shows, drop it; else add more like it, or use a calibrator that clips.',
    images: dominating.filter(({ tensors }) => tensors > maxDominance).map(({ name }) => name),
  });
}

function growth({ growth: { atHalf, settledAt }, images }: AuditEvidence): AuditCheck {
  return check('growth', 'warn', {
    bad: atHalf < SETTLED,
    value: atHalf,
    limit: `at least ${SETTLED}`,
    sentence: `Half of the images give ${percent(atHalf)} of the range that all ${images.length} give${settledAt === undefined ? '' : `; from ${settledAt} on nothing changes any more`}.`,
    advice: `Use about ${2 * images.length} images: the ranges are not settled.`,
  });
}

function blank({ images }: AuditEvidence): AuditCheck {
  const found = images.filter(({ contrast }) => contrast < BLANK);
  return check('blank', 'warn', {
    bad: found.length > 0,
    value: found.length,
    limit: 'none',
    sentence:
      found.length === 0
        ? 'No image is blank.'
        : `${counted(found.length, 'image')} ${found.length === 1 ? 'is' : 'are'} blank: one colour without anything in it.`,
    advice: 'Drop them.',
    images: found.map(({ name }) => name),
  });
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
