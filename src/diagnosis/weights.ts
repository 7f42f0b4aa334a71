import { elementCount, intAttribute, tensorToFloats, type Graph, type GraphNode } from '../onnx/index.js';
import { channelScales, weightOf, weightValues, type Layer } from '../quantization/index.js';
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
  /** Sum of w² by channel of the input; empty where the operator has no channels at axis 1 of its input. */
  readonly inputEnergy: Float64Array;
}

/** Reads the weights of the named layers; layers without constant weights are left out. */
export function weightEvidence(graph: Graph, layers: readonly Layer[]): readonly WeightEvidence[] {
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
        sqnr: weightSqnr(values, dims, weight.axis),
        inputEnergy:
          node.opType === 'Conv'
            ? inputEnergy(values, dims, intAttribute(node, 'group', 1))
            : new Float64Array(),
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

function weightSqnr(values: Float32Array, dims: readonly number[], axis: number | undefined): number {
  const scales = channelScales(values, dims, axis);
  const inner = axis === undefined ? values.length : dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  let signal = 0;
  let noise = 0;
  values.forEach((value, i) => {
    const scale = scales[Math.floor(i / inner) % scales.length] as number;
    signal += value * value;
    noise += (value - Math.round(value / scale) * scale) ** 2;
  });
  return noise === 0 ? Infinity : 10 * Math.log10(signal / noise);
}

/** Weights of a Conv are [output, input / group, …kernel]. */
function inputEnergy(values: Float32Array, dims: readonly number[], group: number): Float64Array {
  const [outputs = 1, inputs = 1] = dims;
  const kernel = dims.slice(2).reduce((a, b) => a * b, 1);
  const energy = new Float64Array(inputs * group);
  const each = outputs / group;
  values.forEach((value, i) => {
    const output = Math.floor(i / (inputs * kernel));
    const channel = Math.floor(output / each) * inputs + (Math.floor(i / kernel) % inputs);
    energy[channel] = (energy[channel] as number) + value * value;
  });
  return energy;
}

/** Weights that INT8 keeps worse than this many dB are told. Trained weights with a scale a channel keep about 40. */
const POOR_DB = 25;

/** Weights that one scale does not serve: channels of very different size under one scale, or single huge weights. */
export function weightRanges({ weights }: Pick<Evidence, 'weights'>): readonly Finding[] {
  const found = weights.filter(({ sqnr }) => sqnr < POOR_DB).sort((a, b) => a.sqnr - b.sqnr);
  const worst = found[0];
  if (worst === undefined) return [];
  const live = [...worst.channelAmax].filter((one) => one > 0).sort((a, b) => a - b);
  const [least, median] = [live[0] ?? 0, live[live.length >> 1] ?? 0];
  const why = worst.perChannel
    ? `single weights are far larger than the others of their output channel (largest ${short(worst.amax)}, median of the channels' largest ${short(median)})`
    : `its output channels reach from ${short(least)} to ${short(worst.amax)} and share one scale`;
  return [
    {
      kind: 'weight-range',
      severity: 'warning',
      subject: worst.layer,
      sentence: `INT8 keeps the weights of ${worst.layer} at ${dB(worst.sqnr)} only: ${why}.${found.length > 1 ? ` So it is with ${found.length} layers.` : ''}`,
      advice: `Keep ${found.length > 1 ? 'these layers' : 'this layer'} in float (quantization.keepFloat), or train with weight decay; a batch normalization folded into it with a tiny variance does this too.`,
      layers: found.map(({ layer }) => layer),
      evidence: { layers: found.length, sqnr: worst.sqnr, largest: worst.amax, median, smallest: least },
    },
  ];
}
