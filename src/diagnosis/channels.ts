import type { TensorExtremes } from '../calibration/index.js';
import { inFloat, type Tried } from './remedies.js';
import type { Evidence, Finding, QuantizedTensor } from './types.js';
import type { WeightEvidence } from './weights.js';
import { counted, layersOf, listed, short } from './words.js';

/** dB that a range a channel would win before channels count as unequal. */
const GAIN_DB = 15;
/** A channel with fewer INT8 steps than this is coarse. */
const FEW_STEPS = 8;
/** Share of dead channels from which they are told. */
const DEAD = 0.05;

/** Largest |x| by channel; empty where channels are not known. */
export function channelReach({ channelMin, channelMax }: TensorExtremes): Float64Array {
  return Float64Array.from(channelMin, (low, c) => Math.max(-low, channelMax[c] as number, 0));
}

/**
 * dB of noise at a layer's output that one scale for all channels of its input adds over a scale for each.
 *
 * Rounding puts step² / 12 on every channel, and weights carry it to the output by their energy. With ranges a_c and
 * one range A the ratio of both noises is Σ A² e_c / Σ a_c² e_c: large where strong weights lift weak channels, which
 * is what depthwise convolutions do that are trained with batch normalization.
 */
export function channelGain(amax: number, reaches: Float64Array, energy: Float64Array): number {
  let shared = 0;
  let own = 0;
  energy.forEach((e, c) => {
    shared += amax ** 2 * e;
    own += Math.min(amax, reaches[c] as number) ** 2 * e;
  });
  return own === 0 || shared === 0 ? 0 : 10 * Math.log10(shared / own);
}

interface Unequal {
  readonly weights: WeightEvidence;
  readonly tensor: QuantizedTensor;
  readonly gain: number;
  readonly coarse: number;
  readonly channels: number;
}

/** Layers whose weights lift channels that INT8 has rounded away, worst first. */
function findUnequal({ tensors, weights }: Pick<Evidence, 'tensors' | 'weights'>): readonly Unequal[] {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  return weights
    .flatMap((one): Unequal[] => {
      const tensor = byName.get(one.input);
      if (tensor?.extremes === undefined || !tensor.layers.includes(one.layer)) return [];
      const reaches = channelReach(tensor.extremes);
      if (reaches.length !== one.inputEnergy.length || reaches.length === 0) return [];
      const gain = channelGain(tensor.amax, reaches, one.inputEnergy);
      const steps = (a: number): number => (a / tensor.amax) * 127;
      const coarse = reaches.filter((a) => a > 0 && steps(a) < FEW_STEPS).length;
      return gain < GAIN_DB ? [] : [{ weights: one, tensor, gain, coarse, channels: reaches.length }];
    })
    .sort((a, b) => b.gain - a.gain);
}

/** The worst of those layers, as many as one would keep in float. */
export function unequalLayers(evidence: Parameters<typeof findUnequal>[0]): readonly string[] {
  return worstFew(findUnequal(evidence));
}

function worstFew(found: readonly Unequal[]): readonly string[] {
  return found.slice(0, 3).map(({ weights: { layer } }) => layer);
}

/** Layers whose weights lift channels that INT8 has rounded away, with what float did for them. */
export function unequalChannels(evidence: Pick<Evidence, 'tensors' | 'weights'> & Tried): readonly Finding[] {
  const found = findUnequal(evidence);
  const worst = found[0];
  if (worst === undefined) return [];
  const remedy = inFloat(evidence, worstFew(found));
  const { weights: one, tensor, gain, coarse, channels } = worst;
  const live = channelReach(tensor.extremes as TensorExtremes)
    .filter((a) => a > 0)
    .sort();
  const layers = found.map(({ weights: { layer } }) => layer);
  return [
    {
      kind: 'unequal-channels',
      severity: remedy.leave === undefined ? 'warning' : 'info',
      subject: one.layer,
      sentence:
        `${one.layer} reads ${tensor.name}, whose channels reach from ${short(live[0] ?? 0)} to ${short(live.at(-1) ?? 0)} under one scale of ${short(tensor.amax / 127)}${coarse > 0 ? `: ${coarse} of ${channels} channels have fewer than ${FEW_STEPS} INT8 steps` : ''}, and its weights (up to ${short(one.amax)}) lift the weak ones again. One scale for all costs ${short(gain)} dB at its output.` +
        (found.length > 1 ? ` So it is with ${found.length} layers: ${listed(layers, 5)}.` : '') +
        remedy.sentence,
      advice:
        remedy.leave ??
        `${remedy.keep}; to keep INT8, equalize the channels across layers before the export, or train with quantization.`,
      layers,
      evidence: {
        layers: found.length,
        gain,
        coarseChannels: coarse,
        channels,
        smallest: live[0] ?? 0,
        largest: live.at(-1) ?? 0,
        scale: tensor.amax / 127,
        ...remedy.evidence,
      },
    },
  ];
}

/** Channels that are 0 on every calibration image. */
export function deadChannels({
  tensors,
  ownScales = false,
}: Pick<Evidence, 'tensors' | 'ownScales'>): readonly Finding[] {
  const found = tensors
    .flatMap((tensor) => {
      const reaches = tensor.extremes === undefined ? new Float64Array() : channelReach(tensor.extremes);
      const dead = reaches.filter((a) => a === 0).length;
      return dead > 0 && dead >= reaches.length * DEAD ? [{ tensor, dead, channels: reaches.length }] : [];
    })
    .sort((a, b) => b.dead / b.channels - a.dead / a.channels);
  const worst = found[0];
  if (worst === undefined) return [];
  const all = worst.dead === worst.channels;
  return [
    {
      kind: 'dead-channels',
      severity: all ? 'warning' : 'info',
      subject: worst.tensor.name,
      sentence: `${all ? `All ${worst.channels}` : `${worst.dead} of ${worst.channels}`} channels of ${worst.tensor.name} are 0 on every calibration image${found.length > 1 ? `; ${counted(found.length, 'tensor')} have such channels` : ''}.`,
      advice: all
        ? `If production makes this tensor anything but 0, ${ownScales ? 'whether its scale fits is not known' : 'its range is made up'}: add calibration images that wake it.`
        : `They cost time and carry nothing: prune them, or look for images that wake them, since ${ownScales ? 'whether their scale fits' : 'their range'} is not known.`,
      layers: layersOf(found.map(({ tensor }) => tensor)),
      evidence: { tensors: found.length, dead: worst.dead, channels: worst.channels },
    },
  ];
}
