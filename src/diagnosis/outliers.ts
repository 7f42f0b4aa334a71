import { featureMaps } from './feature-maps.js';
import { regionOf } from './region.js';
import { amaxOf, bestRange, reach, rootMeanSquare, tensorSqnr } from './signal.js';
import { WORTH_DB, inFloat, type Tried } from './remedies.js';
import type { CalibratorTrial, Evidence, Finding, QuantizedTensor } from './types.js';
import { counted, dB, layersOf, short } from './words.js';

/** Clipping must win this much SQNR on a tensor before its range counts as set by outliers. */
const GAIN_DB = 6;
/** Below this SQNR at its best range a tensor is called heavy-tailed: no range serves it. */
const HEAVY_DB = 18;
/** A scale that goes this many times beyond the largest value was set by none. */
const EMPTY = 1.5;

/** A tensor whose range is set by few values. */
export interface Outlier {
  readonly tensor: QuantizedTensor;
  /** dB at the calibrator's range and at the best one. */
  readonly now: number;
  readonly best: number;
  readonly bestWords: string;
}

/** Tensors that a narrower range would serve better, the largest gain first. Pure; says what is worth trying. */
export function findOutliers({ tensors }: Pick<Evidence, 'tensors'>): readonly Outlier[] {
  return tensors
    .flatMap((tensor): Outlier[] => {
      const now = tensorSqnr(tensor.calibration, tensor.ownAmax);
      const { amax, sqnr, words } = bestRange(tensor.calibration);
      return amax < tensor.ownAmax && sqnr - now >= GAIN_DB
        ? [{ tensor, now, best: sqnr, bestWords: words }]
        : [];
    })
    .sort((a, b) => b.best - b.now - (a.best - a.now));
}

/** Ranges set by outliers, with who set the worst, and what clipping them did to the whole model. */
export function rangeOutliers(
  evidence: Pick<
    Evidence,
    'graph' | 'tensors' | 'calibrator' | 'ownScales' | 'calibratorTrials' | 'peaks' | 'input'
  > &
    Tried,
): readonly Finding[] {
  return [...clippable(evidence), ...heavyTails(evidence)];
}

function clippable(evidence: Parameters<typeof rangeOutliers>[0]): Finding[] {
  const found = findOutliers(evidence);
  const worst = found[0];
  if (worst === undefined) return [];
  const { calibration, ownAmax, name } = worst.tensor;
  const inside = reach(calibration, 99.99);
  const sigmas = ownAmax / rootMeanSquare(calibration);
  const many =
    found.length === 1
      ? ''
      : ` So it is with ${counted(found.length, 'tensor')} in all; this one gains most.`;
  const { sentence, advice, helps } = tried(evidence);
  // A scale that came with a file may go far beyond all values: no outlier has set it then.
  const reaches = amaxOf(calibration);
  const how =
    evidence.ownScales === true && reaches * EMPTY < ownAmax
      ? `The model's own scale of ${name} goes to ±${short(ownAmax)}, where the largest value on the calibration images is ${short(reaches)}.`
      : `Few values set the range of ${name}: 99.99 % of them lie within ±${short(inside)}, the range goes to ±${short(ownAmax)} (${short(sigmas)} times the root mean square)${evidence.ownScales === true ? '' : culprit(evidence, worst.tensor)}.`;
  return [
    {
      kind: 'range-outlier',
      severity: helps ? 'warning' : 'info',
      subject: name,
      sentence:
        `${how} With ${worst.bestWords} instead of ${evidence.calibrator} its SQNR rises from ${dB(worst.now)} to ${dB(worst.best)}.` +
        many +
        sentence,
      advice,
      layers: layersOf(found.map(({ tensor }) => tensor)),
      evidence: {
        tensors: found.length,
        amax: ownAmax,
        percentile9999: inside,
        sigmas,
        sqnr: worst.now,
        sqnrClipped: worst.best,
        ...trialNumbers(evidence),
      },
    },
  ];
}

/** `, reached in 300017.jpg at x 120…144, y 80…104`. */
function culprit(
  { graph, peaks, input }: Pick<Evidence, 'graph' | 'peaks' | 'input'>,
  tensor: QuantizedTensor,
): string {
  const peak = tensor.extremes?.peak;
  const image = peak === undefined ? undefined : peaks.get(peak.image);
  if (peak === undefined || image === undefined) return '';
  const region = featureMaps(graph).has(tensor.name)
    ? regionOf(peak.index, peak.shape, input, image.geometry)
    : undefined;
  const where =
    region === undefined
      ? ''
      : ` around x ${region.left}…${region.right}, y ${region.top}…${region.bottom} of that image`;
  return `, its largest value being ${short(peak.value)} in ${image.name}${where}`;
}

function bestTrial({ calibratorTrials }: Pick<Evidence, 'calibratorTrials'>): CalibratorTrial | undefined {
  return [...calibratorTrials].sort((a, b) => b.sqnr - a.sqnr)[0];
}

/** The scales are the file's: settings here change none of them. */
const REQUANTIZE =
  'Set this range otherwise in the tool that quantized the model (a percentile or the least square error instead of the maximum).';

/** What clipping did to the whole model; a calibrator is advised only where it helped. */
export function tried(evidence: Pick<Evidence, 'sqnr' | 'calibratorTrials' | 'ownScales'>): {
  readonly sentence: string;
  readonly advice: string;
  readonly helps: boolean;
} {
  const best = bestTrial(evidence);
  if (best === undefined || evidence.sqnr === undefined)
    return {
      sentence: '',
      advice:
        evidence.ownScales === true
          ? REQUANTIZE
          : 'Try a calibrator that clips (calibration.calibrator: percentile or mse).',
      helps: true,
    };
  const helps = best.sqnr - evidence.sqnr >= WORTH_DB;
  return {
    helps,
    sentence: ` Tried on the whole model: with ${best.calibrator} the head's SQNR goes from ${dB(evidence.sqnr)} to ${dB(best.sqnr)}.`,
    advice: helps
      ? `Set calibration.calibrator to ${best.calibrator}.`
      : 'Leave the calibrator as it is: other ranges were tried, and the whole model does not gain from them.',
  };
}

function trialNumbers(evidence: Pick<Evidence, 'sqnr' | 'calibratorTrials'>): Record<string, number> {
  const best = bestTrial(evidence);
  return best === undefined || evidence.sqnr === undefined || !Number.isFinite(evidence.sqnr)
    ? {}
    : { modelSqnr: evidence.sqnr, modelSqnrTried: best.sqnr };
}

/** Tensors that no range serves, worst first. */
function findHeavy({ tensors }: Pick<Evidence, 'tensors'>) {
  return tensors
    .map((tensor) => ({ tensor, best: bestRange(tensor.calibration).sqnr }))
    .filter(({ best }) => best < HEAVY_DB)
    .sort((a, b) => a.best - b.best);
}

/** Layers that read those tensors, as many as one would keep in float. */
export function heavyLayers(evidence: Parameters<typeof findHeavy>[0]): readonly string[] {
  return worstFew(findHeavy(evidence));
}

function worstFew(found: ReturnType<typeof findHeavy>): readonly string[] {
  return layersOf(found.map(({ tensor }) => tensor)).slice(0, 3);
}

function heavyTails(evidence: Pick<Evidence, 'tensors'> & Tried): Finding[] {
  const found = findHeavy(evidence);
  const worst = found[0];
  if (worst === undefined) return [];
  const { name, calibration } = worst.tensor;
  const layers = layersOf(found.map(({ tensor }) => tensor));
  const remedy = inFloat(evidence, worstFew(found));
  return [
    {
      kind: 'range-outlier',
      severity: remedy.leave === undefined ? 'warning' : 'info',
      subject: name,
      sentence: `No range serves ${name}${found.length > 1 ? ` and ${counted(found.length - 1, 'other tensor')}` : ''}: half of its values lie within ±${short(reach(calibration, 50))}, the largest reaches ${short(amaxOf(calibration))}, and the best that any calibrator gives is ${dB(worst.best)}.${remedy.sentence}`,
      advice: remedy.leave ?? `${remedy.keep}: what reads it.`,
      layers,
      evidence: {
        tensors: found.length,
        amax: amaxOf(calibration),
        bestSqnr: worst.best,
        ...remedy.evidence,
      },
    },
  ];
}
