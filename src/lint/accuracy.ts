import {
  TensorProto_DataType,
  intAttribute,
  tensorToFloats,
  tensorToIntegers,
  type GraphNode,
} from '../onnx/index.js';
import { isCompute, movedInputs } from '../quantization/index.js';
import type { LintFinding } from './types.js';
import type { QdqView, Quantizer } from './view.js';
import { short } from '../words/index.js';

/** Smallest scale that keeps its digits: normal in FP32; in FP16, which GPUs do not flush, 16 steps above 0. */
const SMALLEST: Readonly<Partial<Record<TensorProto_DataType, number>>> = {
  [TensorProto_DataType.FLOAT]: 2 ** -126,
  [TensorProto_DataType.FLOAT16]: 2 ** -20,
  [TensorProto_DataType.BFLOAT16]: 2 ** -126,
};
/** Scales of a pair may differ by this much, as when one of them is rounded to FP16. */
const SAME = 1e-3;
/** Weights may pass their range by this much: learned and clipping ranges do, on purpose. */
const CLIPPED = 1.5;
/** Weights may pass their range by this much where the scale was rounded, not lost. */
const REACHED = 1.05;
/** dB that a scale a channel must win over one for all before it is told. */
const GAIN_DB = 3;

const { FLOAT, FLOAT16 } = TensorProto_DataType;

type Found = Omit<LintFinding, 'severity' | 'node'>;

/** What TensorRT builds, but what answers worse than INT8 could. */
export function* inaccuracies(view: QdqView): Generator<LintFinding> {
  for (const one of view.quantizers)
    for (const found of [...scaleValues(one), ...pairs(view, one)])
      yield { severity: 'accuracy', ...found, node: one.node.name };
  for (const node of view.graph.nodes) {
    if (!isCompute(node)) continue;
    const weight = view.dequantized.get(node.inputs[1] ?? '');
    if (weight?.constant === undefined || weight.scale === undefined || weight.moved) continue;
    for (const found of [...axes(node, weight), ...ranges(node, weight)])
      yield { severity: 'accuracy', ...found, node: node.name };
  }
}

function* scaleValues(one: Quantizer): Generator<Found> {
  const { scale, scaleType = TensorProto_DataType.FLOAT, kind } = one;
  if (kind !== 'DQ' || scale === undefined) return;
  if (scale.includes(Infinity))
    yield {
      rule: 'scale-infinite',
      why: 'has an infinite scale: all codes are 0, and 0 times infinity is no number. TensorRT builds it without a word',
      fix: 'The calibration is damaged (an activation overflowed, often in FP16): calibrate again in FP32.',
    };
  const smallest = SMALLEST[scaleType] ?? 0;
  const tiny = scale.findIndex((value) => value > 0 && value < smallest);
  if (tiny >= 0 && !holdsWeights(one))
    yield {
      rule: 'scale-subnormal',
      why: `scale${scale.length > 1 ? `[${tiny}]` : ''} is ${scale[tiny]}, too small for ${TensorProto_DataType[scaleType] ?? 'its type'} to hold exactly or at all: what is not 0 saturates`,
      fix: 'A tensor or channel that was 0 in calibration: write scale 1, or calibrate on images that wake it.',
    };
}

/** Whether a scale, however small, reaches as far as the float weights under it in every channel. */
function holdsWeights({ scale = new Float32Array(), constant, axis }: Quantizer): boolean {
  if (constant === undefined || ![FLOAT, FLOAT16].includes(constant.dataType)) return false;
  const dims = constant.dims.map(Number);
  const at = axis < 0 ? axis + dims.length : axis;
  if (scale.length > 1 && dims[at] !== scale.length) return false;
  const weights = tensorToFloats(constant);
  const amax =
    scale.length > 1
      ? reachBy(weights, dims, at)
      : [weights.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0)];
  return amax.every((reach, i) => reach <= REACHED * 127 * (scale[i] as number));
}

/** Q and DQ of a pair have one scale; else the pair multiplies. */
function* pairs(view: QdqView, dq: Quantizer): Generator<Found> {
  if (dq.kind !== 'DQ') return;
  const q = quantizedBy(view, dq.input);
  if (q?.scale === undefined || dq.scale === undefined) return;
  const length = Math.max(q.scale.length, dq.scale.length);
  const at = (scale: Float32Array, i: number): number => scale[scale.length === 1 ? 0 : i] ?? NaN;
  for (let i = 0; i < length; i++) {
    const [from, to] = [at(q.scale, i), at(dq.scale, i)];
    if (!(from > 0 && to > 0 && Number.isFinite(from) && Number.isFinite(to))) continue;
    if (Math.abs(to / from - 1) <= SAME) continue;
    yield {
      rule: 'pair-scales',
      why: `dequantizes with scale ${short(to)} what ${q.node.name} quantized with ${short(from)}: values come out ${short(to / from)} times as large`,
      fix: 'Give Q and DQ of a pair one scale, best one initializer that both read.',
    };
    return;
  }
}

/** The Q behind a DQ, through operators that only move values. */
function quantizedBy(view: QdqView, tensor: string): Quantizer | undefined {
  const own = view.by(tensor);
  if (own !== undefined) return own.kind === 'Q' ? own : undefined;
  const producer = view.graph.producerOf(tensor);
  const [moved, ...others] = producer === undefined ? [] : movedInputs(producer);
  return moved === undefined || others.length > 0 ? undefined : quantizedBy(view, moved);
}

/** Where output channels lie in the weights of a layer; undefined when that is not one axis. */
function outputAxis(node: GraphNode, rank: number): number | undefined {
  switch (node.opType) {
    case 'Conv':
      return 0;
    case 'ConvTranspose':
      return 1;
    case 'Gemm':
      return intAttribute(node, 'transB', 0) === 1 ? 0 : 1;
    default:
      return rank >= 2 ? rank - 1 : undefined;
  }
}

function* axes(node: GraphNode, { scale, axis, constant, node: dq }: Quantizer): Generator<Found> {
  const dims = constant?.dims.map(Number) ?? [];
  const given = axis < 0 ? axis + dims.length : axis;
  const right = outputAxis(node, dims.length);
  if (scale === undefined || scale.length <= 1 || right === undefined || given === right) return;
  yield {
    rule: 'weight-axis',
    why: `${dq.name} gives its weights one scale per channel along axis ${given}; output channels of ${node.opType} lie along axis ${right}. An INT8 kernel can apply scales to output channels alone, yet TensorRT 10.6 built such a file without a word`,
    fix: `Quantize the weights with axis ${right}.`,
  };
}

function* ranges(node: GraphNode, weight: Quantizer): Generator<Found> {
  const { scale, constant } = weight;
  if (scale === undefined || constant === undefined) return;
  const dims = constant.dims.map(Number);
  const axis = outputAxis(node, dims.length);
  const channels = axis === undefined ? undefined : dims[axis];
  // With groups, output channels of ConvTranspose are no axis of their own.
  const grouped = node.opType === 'ConvTranspose' && intAttribute(node, 'group', 1) > 1;
  const float = constant.dataType === TensorProto_DataType.FLOAT;
  if (!float && constant.dataType !== TensorProto_DataType.INT8) return;
  if (axis === undefined || channels === undefined || grouped) return;
  const amax = reachBy(float ? tensorToFloats(constant) : tensorToIntegers(constant), dims, axis);
  const [largest, all] = [Math.max(...amax), scale[0] as number];
  if (scale.length > 1 || !(all > 0) || largest === 0) return;
  if (float && largest > CLIPPED * 127 * all) {
    yield {
      rule: 'weight-clipped',
      why: `has weights up to ${short(largest)}, but ${weight.node.name} ends at ${short(127 * all)}: larger ones are cut off`,
      fix: 'Write the scale as the largest |weight| / 127, or train with the range in place.',
    };
    return;
  }
  const gain = 10 * Math.log10((channels * largest ** 2) / amax.reduce((sum, a) => sum + a * a, 0));
  const unit = float ? 1 : all;
  const live = amax.filter((a) => a > 0).sort();
  if (gain >= GAIN_DB)
    yield {
      rule: 'weight-per-tensor',
      why: `has one scale for weights whose ${channels} output channels reach from ${short((live[0] ?? 0) * unit)} to ${short(largest * unit)}: one a channel would keep them ${gain.toFixed(1)} dB better, at no cost in TensorRT`,
      fix: 'Quantize weights per output channel (onnxruntime.quantization: `per_channel=True`).',
    };
}

/** Largest |w| by channel along an axis. */
function reachBy(values: ArrayLike<number>, dims: readonly number[], axis: number): Float64Array {
  const channels = dims[axis] as number;
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const amax = new Float64Array(channels);
  for (let i = 0; i < values.length; i++) {
    const channel = Math.floor(i / inner) % channels;
    amax[channel] = Math.max(amax[channel] as number, Math.abs(values[i] as number));
  }
  return amax;
}
