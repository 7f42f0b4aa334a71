import {
  elementCount,
  floatsToTensor,
  intAttribute,
  tensorToFloats,
  type Graph,
  type GraphNode,
  type TensorProto,
} from '../onnx/index.js';
import { channelScales, weightOf, weightValues, type Layer } from '../quantization/index.js';
import type { TensorExtremes } from '../calibration/index.js';
import { channelReach } from './channels.js';
import { WORTH_DB, inFloat, type InFloat, type Tried } from './remedies.js';
import type { Evidence, Finding } from './types.js';
import { dB, short } from './words.js';

/** What the weights of an INT8 layer tell. */
export interface WeightEvidence {
  readonly layer: string;
  /** The activation that they multiply. */
  readonly input: string;
  /** Whether every output channel has a scale of its own. */
  readonly perChannel: boolean;
  /** Largest |w| by output channel. */
  readonly channelAmax: Float64Array;
  /** Largest |w| of all. */
  readonly amax: number;
  /** dB of the weights in INT8. */
  readonly sqnr: number;
  /** What the weights' rounding leaves of the layer's output; undefined where channels of its input are not known. */
  readonly output: WeightOutput | undefined;
  /** Sum of w² by channel of the input; empty where the operator has no channels at axis 1 of its input. */
  readonly inputEnergy: Float64Array;
}

/** Weights seen with what they multiply. */
export interface WeightOutput {
  /** dB of the output when the weights alone are in INT8, each counted by the square of its input channel's largest |x|. */
  readonly sqnr: number;
  /** Largest |x| of the input channel that the largest weight multiplies. */
  readonly atLargest: number;
  /** Largest |x| of all input channels. */
  readonly reach: number;
}

/** Reads the weights of the named layers; layers without constant weights are left out. @param extremes of the layers' inputs */
export function weightEvidence(
  graph: Graph,
  layers: readonly Layer[],
  extremes: ReadonlyMap<string, TensorExtremes>,
): readonly WeightEvidence[] {
  return layers.flatMap((layer) => {
    const node = graph.nodes[layer.nodes[0] as number] as GraphNode;
    const weight = weightOf(graph, node);
    const tensor = weight === undefined ? undefined : weightValues(graph, weight.name);
    if (weight === undefined || tensor === undefined || elementCount(tensor) === 0) return [];
    const values = tensorToFloats(tensor);
    const dims = tensor.dims.map(Number);
    const channels = channelAmax(
      values,
      dims,
      weight.axis ?? (node.opType === 'ConvTranspose' ? 1 : dims.length - 1),
    );
    return [
      {
        layer: layer.name,
        input: node.inputs[0] ?? '',
        perChannel: weight.axis !== undefined,
        channelAmax: channels,
        amax: channels.reduce((a, b) => Math.max(a, b), 0),
        sqnr: weightSqnr(values, dims, weight.axis, () => 1),
        output: outputOf(node, values, dims, weight.axis, extremes.get(node.inputs[0] ?? '')),
        inputEnergy: inputEnergy(node, values, dims),
      },
    ];
  });
}

function channelAmax(values: Float32Array, dims: readonly number[], axis: number): Float64Array {
  const channels = dims[axis] ?? 1;
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const amax = new Float64Array(channels);
  values.forEach((value, i) => {
    const c = Math.floor(i / inner) % channels;
    amax[c] = Math.max(amax[c] as number, Math.abs(value));
  });
  return amax;
}

/** @param loud - by index of a weight: largest |x| that it multiplies */
function weightSqnr(
  values: Float32Array,
  dims: readonly number[],
  axis: number | undefined,
  loud: (index: number) => number,
): number {
  const scales = channelScales(values, dims, axis);
  const inner = axis === undefined ? values.length : dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  let signal = 0;
  let noise = 0;
  values.forEach((value, i) => {
    const scale = scales[Math.floor(i / inner) % scales.length] as number;
    const counts = loud(i) ** 2;
    signal += counts * value * value;
    noise += counts * (value - Math.round(value / scale) * scale) ** 2;
  });
  return noise === 0 ? Infinity : 10 * Math.log10(signal / noise);
}

/** What weights leave of the output; undefined where the operator or its input has no channels at axis 1. */
function outputOf(
  node: GraphNode,
  values: Float32Array,
  dims: readonly number[],
  axis: number | undefined,
  extremes: TensorExtremes | undefined,
): WeightOutput | undefined {
  const channelAt = inputChannel(node, dims);
  const reaches = extremes === undefined ? new Float64Array() : channelReach(extremes);
  const reach = reaches.reduce((a, b) => Math.max(a, b), 0);
  // A layer that reads zeros alone makes nothing that could be told from noise.
  if (channelAt === undefined || reach === 0) return undefined;
  const loud = (i: number): number => reaches[channelAt(i)] as number;
  const largest = values.reduce((at, one, i) => (Math.abs(one) > Math.abs(values[at] as number) ? i : at), 0);
  return { sqnr: weightSqnr(values, dims, axis, loud), atLargest: loud(largest), reach };
}

/** By index of a weight the channel that it multiplies: Conv has [output, input / group, …kernel], ConvTranspose [input, …]. */
function inputChannel(node: GraphNode, dims: readonly number[]): ((index: number) => number) | undefined {
  const [outputs = 1, inputs = 1] = dims;
  const kernel = dims.slice(2).reduce((a, b) => a * b, 1);
  if (node.opType === 'ConvTranspose') return (i) => Math.floor(i / (inputs * kernel));
  if (node.opType !== 'Conv') return undefined;
  const each = outputs / intAttribute(node, 'group', 1);
  return (i) =>
    Math.floor(Math.floor(i / (inputs * kernel)) / each) * inputs + (Math.floor(i / kernel) % inputs);
}

/** Sum of w² by channel of a convolution's input. */
function inputEnergy(node: GraphNode, values: Float32Array, dims: readonly number[]): Float64Array {
  const channelAt = node.opType === 'Conv' ? inputChannel(node, dims) : undefined;
  if (channelAt === undefined) return new Float64Array();
  const energy = new Float64Array((dims[1] ?? 1) * intAttribute(node, 'group', 1));
  values.forEach((value, i) => {
    const channel = channelAt(i);
    energy[channel] = (energy[channel] as number) + value * value;
  });
  return energy;
}

/** Weights that INT8 keeps worse than this many dB are told. Trained weights with a scale a channel keep about 40. */
const POOR_DB = 25;

/** dB that the weights' rounding leaves: of the output where that is known, for weights on a silent channel carry nothing. */
function keptBy({ sqnr, output }: WeightEvidence): number {
  return output?.sqnr ?? sqnr;
}

function findPoor({ weights }: Pick<Evidence, 'weights'>): readonly WeightEvidence[] {
  return weights.filter((one) => keptBy(one) < POOR_DB).sort((a, b) => keptBy(a) - keptBy(b));
}

/** Layers whose weights one scale does not serve, worst first. */
export function poorLayers(evidence: Parameters<typeof findPoor>[0]): readonly string[] {
  return findPoor(evidence).map(({ layer }) => layer);
}

/**
 * The layer that {@link weightRanges} names, where its weights are kept well by themselves and serve the output badly: the
 * large ones multiply next to nothing. Undefined where other weights are the worst.
 */
export function findIdle(evidence: Pick<Evidence, 'weights'>): WeightEvidence | undefined {
  const worst = findPoor(evidence)[0];
  return worst?.output !== undefined && worst.sqnr >= POOR_DB ? worst : undefined;
}

/** The weights of a layer with 0 where they multiply no more than the largest of them does; undefined where channels are not known. */
export function withoutIdle(
  graph: Graph,
  layer: Layer,
  extremes: ReadonlyMap<string, TensorExtremes>,
): TensorProto | undefined {
  const node = graph.nodes[layer.nodes[0] as number] as GraphNode;
  const weight = weightOf(graph, node);
  const tensor = weight === undefined ? undefined : weightValues(graph, weight.name);
  const seen = extremes.get(node.inputs[0] ?? '');
  if (tensor === undefined || seen === undefined) return undefined;
  const [values, dims] = [tensorToFloats(tensor), tensor.dims.map(Number)];
  const channelAt = inputChannel(node, dims);
  const output = outputOf(node, values, dims, weight?.axis, seen);
  if (channelAt === undefined || output === undefined) return undefined;
  const reaches = channelReach(seen);
  const kept = values.map((value, i) => ((reaches[channelAt(i)] as number) > output.atLargest ? value : 0));
  return floatsToTensor(tensor.name, dims, kept);
}

/** Weights that one scale does not serve: channels of very different size under one scale, or single huge weights. */
export function weightRanges(
  evidence: Pick<Evidence, 'weights' | 'silenceTrial'> & Tried,
): readonly Finding[] {
  const found = findPoor(evidence);
  const worst = found[0];
  if (worst === undefined) return [];
  const live = [...worst.channelAmax].filter((one) => one > 0).sort((a, b) => a - b);
  const [least, median] = [live[0] ?? 0, live[live.length >> 1] ?? 0];
  const { output } = worst;
  const layers = found.map(({ layer }) => layer);
  const remedy = inFloat(evidence, layers);
  const idle = findIdle(evidence) !== undefined && output !== undefined;
  const silence = silencing(evidence, worst.layer);
  const why = idle
    ? `its largest (up to ${short(worst.amax)}) multiply input channels that hardly carry anything (up to ${short(output.atLargest)}, where others reach ${short(output.reach)}), and set the scale of the weights that count`
    : worst.perChannel
      ? `single weights are far larger than the others of their output channel (largest ${short(worst.amax)}, median of the channels' largest ${short(median)})`
      : `its output channels reach from ${short(least)} to ${short(worst.amax)} and share one scale`;
  return [
    {
      kind: 'weight-range',
      severity: remedy.leave === undefined || (silence.gain ?? 0) >= WORTH_DB ? 'warning' : 'info',
      subject: worst.layer,
      sentence: `INT8 keeps the weights of ${worst.layer} at ${dB(keptBy(worst))} only${output === undefined ? '' : ', counted by what they multiply'}: ${why}.${found.length > 1 ? ` So it is with ${found.length} layers.` : ''}${remedy.sentence}${silence.sentence}`,
      advice: poorAdvice(remedy, idle ? silence.gain : NaN),
      layers: [...layers],
      evidence: {
        layers: found.length,
        sqnr: keptBy(worst),
        largest: worst.amax,
        median,
        smallest: least,
        ...remedy.evidence,
      },
    },
  ];
}

/** What setting the idle weights of a layer to zero did to the whole model. */
function silencing(
  { silenceTrial, sqnr }: Pick<Evidence, 'silenceTrial' | 'sqnr'>,
  layer: string,
): { readonly sentence: string; readonly gain?: number } {
  if (silenceTrial?.layer !== layer || sqnr === undefined || !Number.isFinite(sqnr)) return { sentence: '' };
  return {
    sentence: ` Tried: with the weights of those channels at 0 it goes to ${dB(silenceTrial.sqnr)}.`,
    gain: silenceTrial.sqnr - sqnr,
  };
}

/** @param gain - dB that the whole model wins by zeros; undefined where that was not tried, NaN where there is nothing to try */
function poorAdvice({ keep, leave, gain: float = 0 }: InFloat, gain: number | undefined): string {
  const zero = 'et the weights of input channels that carry nothing to zero before the export';
  const train =
    'train with weight decay; a batch normalization folded into it with a tiny variance does this too.';
  // Zeros also take away what those channels did carry: they must win about what float wins.
  const silence = gain === undefined || (gain >= WORTH_DB && gain >= float / 2);
  if (leave !== undefined) return silence && gain !== undefined ? `S${zero}.` : leave;
  if (!silence) return `${keep}, or ${train}`;
  return gain === undefined || gain > float
    ? `S${zero}. Or k${keep.slice(1)}, or ${train}`
    : `${keep}; to keep INT8, s${zero}. Or ${train}`;
}
