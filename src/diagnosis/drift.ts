import type { TensorStatistics } from '../calibration/index.js';
import { reach } from './signal.js';
import type { Evidence, Finding, PixelMeans, PreprocessingTrial } from './types.js';
import { counted, short } from './words.js';

/** A validation tensor that reaches this much further than in calibration has drifted. */
const BEYOND = 1.25;
/** How far a tensor reaches: this percentile of |x|. The largest value would be a matter of luck. */
const REACH = 99.9;
/** Share of drifted tensors from which the calibration set as a whole is called one-sided. */
const ONE_SIDED = 0.1;
/** Share from which, without other evidence, it is called an error: INT8 has lost much then. */
const MOSTLY = 0.2;
/** Difference of mean brightness, 0…255, from which the lighting differs. */
const LIGHTING = 25;
/** Red and blue must be this far apart, 0…255, before they can be told swapped. */
const COLOURED = 8;
/** FP32 must gain this much mAP by another preprocessing, and this share of what it had. */
const GAIN = 0.03;
const GAIN_SHARE = 1.1;
/** Or objects must get scores higher by {@link GAIN_SHARE}, by so many standard errors: one in 700 by chance. */
const SURELY = 3;

/** How far a tensor reaches on both sets. */
export interface Drift {
  readonly name: string;
  readonly calibration: number;
  readonly validation: number;
  /** Validation over calibration; above 1 validation reaches further. */
  readonly ratio: number;
}

/** Drift of every tensor that both sets saw, the furthest beyond calibration first. */
export function driftOf(
  calibration: ReadonlyMap<string, TensorStatistics>,
  validation: ReadonlyMap<string, TensorStatistics>,
): readonly Drift[] {
  return [...validation.values()]
    .flatMap((now): Drift[] => {
      const before = calibration.get(now.name);
      const [a, b] = [before === undefined ? 0 : reach(before, REACH), reach(now, REACH)];
      return a > 0 ? [{ name: now.name, calibration: a, validation: b, ratio: b / a }] : [];
    })
    .sort((a, b) => b.ratio - a.ratio);
}

/** Tensors that reach a quarter further on validation. */
export function beyondCalibration(drift: readonly Drift[]): readonly Drift[] {
  return drift.filter(({ ratio }) => ratio > BEYOND);
}

/**
 * A calibration set that lacks what validation has: tensors reach further there, and INT8 saturates. Of a file that came
 * with its scales: these do not cover what validation shows, where the calibration images stay within them.
 */
export function oneSidedCalibration(
  evidence: Pick<
    Evidence,
    'calibration' | 'validation' | 'pixels' | 'calibrationFolder' | 'tensors' | 'ownScales'
  >,
): readonly Finding[] {
  const { calibration, validation, pixels, calibrationFolder, tensors } = evidence;
  const drift = driftOf(calibration, validation);
  if (evidence.ownScales === true) return beyondOwnScales(drift, tensors);
  const beyond = beyondCalibration(drift);
  const worst = beyond[0];
  if (worst === undefined || beyond.length < drift.length * ONE_SIDED) return [];
  const names = new Set(beyond.map(({ name }) => name));
  const [before, now] = [pixels.calibration.brightness, pixels.validation.brightness];
  const lighting = Math.abs(before - now) > LIGHTING;
  return [
    {
      kind: 'one-sided-calibration',
      severity: lighting || beyond.length >= drift.length * MOSTLY ? 'error' : 'warning',
      subject: calibrationFolder,
      sentence:
        `The calibration images do not show what the validation images show: ${beyond.length} of ${drift.length} tensors reach more than a quarter further on validation (99.9th percentile of |x|), so that INT8 saturates; worst is ${worst.name}, ${worst.validation.toPrecision(3)} against ${worst.calibration.toPrecision(3)}.` +
        (lighting
          ? ` Calibration images have a mean brightness of ${before.toFixed(0)} (0…255), validation images of ${now.toFixed(0)}: the lighting differs.`
          : ''),
      advice: lighting
        ? `Add ${before < now ? 'brighter' : 'darker'} scenes to the calibration images: they should show every lighting that production has.`
        : 'Add calibration images of the kinds that the validation set has.',
      layers: [...new Set(tensors.filter(({ name }) => names.has(name)).flatMap(({ layers }) => layers))],
      evidence: {
        drifted: beyond.length,
        tensors: drift.length,
        worstRatio: worst.ratio,
        calibrationBrightness: before,
        validationBrightness: now,
      },
    },
  ];
}

/** Nothing tells which images set the scales of a file: only what goes beyond them is told. */
function beyondOwnScales(drift: readonly Drift[], tensors: Evidence['tensors']): readonly Finding[] {
  const driftByName = new Map(drift.map((one) => [one.name, one]));
  const beyond = tensors
    .flatMap((tensor) => {
      const one = driftByName.get(tensor.name);
      return one !== undefined && one.ratio > BEYOND && one.validation > BEYOND * tensor.amax
        ? [{ ...one, tensor, times: one.validation / tensor.amax }]
        : [];
    })
    .sort((a, b) => b.times - a.times);
  const worst = beyond[0];
  if (worst === undefined || beyond.length < tensors.length * ONE_SIDED) return [];
  return [
    {
      kind: 'one-sided-calibration',
      severity: beyond.length >= tensors.length * MOSTLY ? 'error' : 'warning',
      subject: worst.name,
      sentence: `The scales that came with the model do not cover what the validation images show: ${beyond.length} of ${tensors.length} tensors reach more than a quarter beyond their range there (99.9th percentile of |x|), and less far on the calibration images; worst is ${worst.name}, ${short(worst.validation)} against ±${short(worst.tensor.amax)}.`,
      advice:
        'Quantize the model again, in the tool that made this file, with images of the kinds that the validation set has: settings here change none of its scales.',
      layers: [...new Set(beyond.flatMap(({ tensor: { layers } }) => layers))],
      evidence: { drifted: beyond.length, tensors: tensors.length, worstRatio: worst.times },
    },
  ];
}

/** Wrong preprocessing: FP32 itself does better with another, or the two sets have red and blue the other way round. */
export function preprocessing({
  preprocessingTrials,
  pixels,
  calibrationFolder,
  ownScales = false,
}: Pick<Evidence, 'preprocessingTrials' | 'pixels' | 'calibrationFolder' | 'ownScales'>): readonly Finding[] {
  const better = preprocessingTrials.filter(isBetter).sort((a, b) => b.after - a.after)[0];
  const findings: Finding[] = [];
  if (better !== undefined) {
    const { change, before, after, images, found } = better;
    findings.push({
      kind: 'preprocessing',
      severity: 'error',
      subject: `preprocessing.${change}`,
      sentence: `The preprocessing does not fit the model: with ${change} FP32 itself rises from ${before.toFixed(3)} to ${after.toFixed(3)} mAP50-95 on ${images} validation images, and the ${counted(found.objects, 'object')} there are found with a mean score of ${found.after.toFixed(3)} instead of ${found.before.toFixed(3)}.`,
      advice: `Set preprocessing: { ${change} }${ownScales ? '' : '; calibrated with the wrong input, every range is wrong too'}.`,
      layers: [],
      evidence: {
        before,
        after,
        images,
        scoreBefore: found.before,
        scoreAfter: found.after,
        standardErrors: found.z,
      },
    });
  }
  if (channelsSwapped(pixels.calibration, pixels.validation)) {
    const [r, , b] = pixels.calibration.mean;
    const [vr, , vb] = pixels.validation.mean;
    findings.push({
      kind: 'preprocessing',
      severity: 'warning',
      subject: calibrationFolder,
      sentence: `Red and blue look swapped in the calibration images: their means are ${short(r)} and ${short(b)} (0…255), those of the validation images ${short(vr)} and ${short(vb)}.`,
      advice: `Look at a calibration image: if its colours are wrong, it was saved from an array in the other channel order (cv2.imwrite wants BGR).${ownScales ? ' If the model was quantized with these images, quantize it again in the tool that made the file.' : ''}`,
      layers: [],
      evidence: {
        calibrationRed: r,
        calibrationBlue: b,
        validationRed: vr,
        validationBlue: vb,
      },
    });
  }
  return findings;
}

/** By mAP; or by the scores of objects, which tell on few images what mAP cannot. */
function isBetter({ before, after, found }: PreprocessingTrial): boolean {
  if (after >= before + GAIN && after >= before * GAIN_SHARE) return true;
  return after >= before && found.z >= SURELY && found.after >= found.before * GAIN_SHARE;
}

function channelsSwapped({ mean: [r, g, b] }: PixelMeans, { mean: [vr, vg, vb] }: PixelMeans): boolean {
  if (Math.abs(r - b) < COLOURED || Math.abs(vr - vb) < COLOURED || r > b === vr > vb) return false;
  const [same, swapped] = [Math.hypot(r - vr, g - vg, b - vb), Math.hypot(b - vr, g - vg, r - vb)];
  return swapped < same / 3;
}
