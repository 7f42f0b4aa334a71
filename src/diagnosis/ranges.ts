import type { TensorStatistics } from '../calibration/index.js';
import { tried } from './outliers.js';
import { amaxOf, bestRange, shareBeyond, tensorSqnr } from './signal.js';
import { inFloat, type Tried } from './remedies.js';
import type { Evidence, Finding, QuantizedTensor } from './types.js';
import type { WeightEvidence } from './weights.js';
import { counted, dB, layersOf, listed, short } from './words.js';

/** A wider range must win this much SQNR on a tensor before clipping counts as harmful. */
const GAIN_DB = 3;
/** Largest finite FP16 number (IEEE 754 binary16). */
const FP16_MAX = 65504;
/** One-sided tensors below this SQNR are told; every network with SiLU has others. */
const COARSE_DB = 18;
/** More tensors than this are no matter of single layers. */
const WIDESPREAD = 10;
/** Least value of SiLU, x·sigmoid(x), at x = -1.278. */
const SILU_FLOOR = -0.2785;

/** Ranges that clip so much that a wider one would lose less: entropy calibration's usual fault. */
export function saturation(
  evidence: Pick<Evidence, 'tensors' | 'calibrator' | 'ownScales' | 'sqnr' | 'calibratorTrials'>,
): readonly Finding[] {
  const found = findClipped(evidence);
  const worst = found[0];
  if (worst === undefined) return [];
  const { tensor, now, best, words } = worst;
  const share = shareBeyond(tensor.calibration, tensor.ownAmax) * 100;
  const trial = tried(evidence);
  return [
    {
      kind: 'saturation',
      // Where no other range could be tried, the scales may have been trained to clip.
      severity: !trial.helps ? 'info' : evidence.ownScales === true ? 'warning' : 'error',
      subject: tensor.name,
      sentence:
        `${evidence.ownScales === true ? "The model's own scale" : evidence.calibrator} clips ${short(share)} % of the values of ${tensor.name} at ±${short(tensor.ownAmax)}, which reach ${short(amaxOf(tensor.calibration))}: with ${words} its SQNR rises from ${dB(now)} to ${dB(best)}.` +
        (found.length > 1 ? ` ${counted(found.length, 'tensor')} are clipped too early.` : '') +
        trial.sentence,
      advice: trial.advice,
      layers: layersOf(found.map((one) => one.tensor)),
      evidence: {
        tensors: found.length,
        amax: tensor.ownAmax,
        largest: amaxOf(tensor.calibration),
        clippedPercent: share,
        sqnr: now,
        sqnrWider: best,
      },
    },
  ];
}

/** Tensors that a wider range would serve better, the largest gain first. */
export function findClipped({ tensors }: Pick<Evidence, 'tensors'>) {
  return tensors
    .flatMap((tensor) => {
      const now = tensorSqnr(tensor.calibration, tensor.ownAmax);
      const { amax, sqnr, words } = bestRange(tensor.calibration);
      return amax > tensor.ownAmax && sqnr - now >= GAIN_DB ? [{ tensor, now, best: sqnr, words }] : [];
    })
    .sort((a, b) => b.best - b.now - (a.best - a.now));
}

interface OneSided {
  /** Tensors whose negative side rounds to 0. */
  readonly lost: readonly QuantizedTensor[];
  /** Others whose scale is coarse. */
  readonly coarse: readonly QuantizedTensor[];
}

/** Tensors that leave negative codes unused, where the scale is coarse. */
export function findOneSided({ tensors }: Pick<Evidence, 'tensors'>): OneSided {
  const oneSided = tensors.filter(
    ({ calibration: { min, max }, amax }) => max > 0 && min >= SILU_FLOOR && -min < amax / 8,
  );
  const lost = oneSided.filter(
    ({ calibration: { min }, amax }) => min < SILU_FLOOR * 0.9 && -min < amax / 127 / 2,
  );
  const coarse = oneSided.filter(
    (one) => !lost.includes(one) && tensorSqnr(one.calibration, one.amax) < COARSE_DB,
  );
  return { lost, coarse };
}

/** Layers that read them, each set as one would keep it in float. */
export function oneSidedLayers(evidence: Pick<Evidence, 'tensors'>): readonly (readonly string[])[] {
  const { lost, coarse } = findOneSided(evidence);
  return [...(lost.length > WIDESPREAD ? [] : [layersOf(lost)]), layersOf(coarse)];
}

type OneSidedEvidence = Pick<Evidence, 'tensors' | 'ownScales' | 'calibratorTrials'> & Tried;

/** SiLU and ReLU leave negative codes unused; where the scale is coarse, SiLU's negative side is lost altogether. */
export function oneSidedRanges(evidence: OneSidedEvidence): readonly Finding[] {
  const { lost, coarse } = findOneSided(evidence);
  return [...lostSides(evidence, lost), ...coarseSides(evidence, coarse)];
}

function lostSides(evidence: OneSidedEvidence, lost: OneSided['lost']): readonly Finding[] {
  const worst = [...lost].sort((a, b) => b.amax - a.amax)[0];
  if (worst === undefined) return [];
  const layers = layersOf(lost);
  const remedy = inFloat(evidence, layers);
  const clip = clipMore(evidence);
  // Where nearly all tensors are this wide, no list of layers helps.
  const wide = lost.length > WIDESPREAD;
  const helps = wide || remedy.leave === undefined || clip.helps === true;
  const ways = [...(wide || remedy.leave !== undefined ? [] : [remedy.keep]), ...clip.ways];
  return [
    {
      kind: 'one-sided-range',
      severity: helps ? 'warning' : 'info',
      subject: worst.name,
      sentence: `The negative side of SiLU (down to ${short(worst.calibration.min)}) rounds to 0 in ${listed(lost.map(({ name }) => name))}: a range of ±${short(worst.amax)} makes INT8 steps of ${short(worst.amax / 127)}.${remedy.sentence}${clip.sentence}`,
      advice: wide
        ? `Look at FP32 first: where so many tensors are this wide, the scale of the input is often wrong (preprocessing.scale). Else ${[...clip.ways, 'train with quantization'].join(', or ')}.`
        : ways.length === 0
          ? (remedy.leave ?? '')
          : `${sentenceOf(ways.join(', or '))}.`,
      layers,
      evidence: {
        tensors: lost.length,
        amax: worst.amax,
        min: worst.calibration.min,
        step: worst.amax / 127,
        ...remedy.evidence,
      },
    },
  ];
}

/** Clipping more as a remedy: advised where it was not tried, or tried and helped. */
function clipMore(evidence: OneSidedEvidence): {
  readonly ways: readonly string[];
  readonly sentence: string;
  /** Undefined where it was not tried. */
  readonly helps?: boolean;
} {
  if (evidence.ownScales === true)
    return { ways: ['clip more in the tool that quantized the model'], sentence: '' };
  if (evidence.calibratorTrials.length === 0 || evidence.sqnr === undefined)
    return {
      ways: ['choose a calibrator that clips more (calibration.calibrator: mse, or a lower percentile)'],
      sentence: '',
    };
  const { helps, sentence, advice } = tried(evidence);
  return { ways: helps ? [`${advice.charAt(0).toLowerCase()}${advice.slice(1, -1)}`] : [], sentence, helps };
}

function sentenceOf(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}

function coarseSides(evidence: OneSidedEvidence, coarse: OneSided['coarse']): readonly Finding[] {
  const first = coarse[0];
  if (first === undefined) return [];
  const layers = layersOf(coarse);
  const { sentence, keep, leave, evidence: numbers } = inFloat(evidence, layers);
  return [
    {
      kind: 'one-sided-range',
      severity: 'info',
      subject: first.name,
      sentence: `${counted(coarse.length, 'tensor')} with next to nothing below zero, as SiLU and ReLU make them, keep less than ${COARSE_DB} dB: ${listed(coarse.map(({ name }) => name))}. Symmetric INT8 leaves nearly half of its codes unused there, which costs up to 6 dB.${sentence}`,
      advice:
        leave ??
        `TensorRT has no other INT8: ${keep.charAt(0).toLowerCase()}${keep.slice(1)}, or train with quantization.`,
      layers,
      evidence: { tensors: coarse.length, of: evidence.tensors.length, ...numbers },
    },
  ];
}

/** Values that FP16 cannot hold: a float layer of the engine would answer infinity. */
export function fp16Overflow({
  calibration,
  validation,
  weights,
  floatLayers,
  tensors,
}: Pick<Evidence, 'calibration' | 'validation' | 'weights' | 'floatLayers' | 'tensors'>): readonly Finding[] {
  const reachOf = (name: string): number =>
    Math.max(
      ...[calibration.get(name), validation.get(name)].map((one?: TensorStatistics) =>
        one ? amaxOf(one) : 0,
      ),
    );
  const over = [...new Set([...calibration.keys(), ...validation.keys()])]
    .map((name) => ({ name, amax: reachOf(name) }))
    .filter(({ amax }) => amax > FP16_MAX)
    .sort((a, b) => b.amax - a.amax);
  const heavy = weights.filter(({ amax }: WeightEvidence) => amax > FP16_MAX);
  const worst = over[0] ?? heavy.map(({ layer, amax }) => ({ name: `the weights of ${layer}`, amax }))[0];
  if (worst === undefined) return [];
  const names = new Set(over.map(({ name }) => name));
  const inFloat = floatLayers.filter(({ activations }) => activations.some((name) => names.has(name)));
  const inInt8 = tensors.filter(({ name }) => names.has(name));
  const layers = [
    ...new Set([...inFloat.map(({ name }) => name), ...layersOf(inInt8), ...heavy.map(({ layer }) => layer)]),
  ];
  return [
    {
      kind: 'fp16-overflow',
      severity: inFloat.length > 0 ? 'error' : 'warning',
      subject: worst.name,
      sentence: `${worst.name} reaches ${short(worst.amax)}; FP16 ends at ${FP16_MAX}, beyond it everything is infinite.${over.length > 1 ? ` ${counted(over.length, 'tensor')} pass it.` : ''}${inFloat.length > 0 ? ` ${listed(inFloat.map(({ name }) => name))} would run in FP16.` : ''}`,
      advice: `Give ${listed(layers)} the precision fp32 in the plan (quantization.plan), or scale the values down in front of them.`,
      layers,
      evidence: { tensors: over.length, amax: worst.amax, limit: FP16_MAX },
    },
  ];
}
