import {
  TensorProto_DataType,
  attributeOf,
  elementCount,
  intAttribute,
  tensorToFloats,
  type Graph,
  type GraphNode,
} from '../onnx/index.js';
import type { Layer, OperatorScope } from './types.js';

/** Operators with weights (or two activations to multiply) that INT8 hardware speeds up. */
const COMPUTE = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);
/** Operators that read a tensor's form, not its values, or that no tool quantizes. */
const NEVER = new Set([
  'Shape',
  'Size',
  'Constant',
  'ConstantOfShape',
  'Cast',
  'Identity',
  'If',
  'Loop',
  'Scan',
  'NonMaxSuppression',
  'Range',
]);
/** Operators that only their first input is data of. */
const FIRST_ONLY = new Set([
  'Resize',
  'Upsample',
  'Pad',
  'Clip',
  'Conv',
  'ConvTranspose',
  'Slice',
  'TopK',
  'Tile',
  'Expand',
  'Reshape',
  'BatchNormalization',
  'InstanceNormalization',
  'LayerNormalization',
  'GroupNormalization',
  'PRelu',
]);

/** True for operators that carry most of the arithmetic. */
export function isCompute(node: GraphNode): boolean {
  return COMPUTE.has(node.opType);
}

/** Layers that a plan can switch, along the network's depth. */
export function listLayers(graph: Graph, scope: OperatorScope): readonly Layer[] {
  const heads = headNodes(graph);
  const attention = attentionNodes(graph);
  return graph.nodes
    .filter((node) => inScope(graph, node, scope))
    .map((node, depth) => ({
      name: node.name,
      opType: node.opType,
      nodes: [node.index],
      depth,
      macs: undefined,
      parameters: node.inputs.reduce((sum, name) => sum + weightsIn(graph, name), 0),
      activations: activationsOf(graph, node, scope),
      head: heads.has(node.index),
      attention: attention.has(node.index),
    }));
}

/**
 * Products of two activations, as in attention, and what else reads the tensors that they read (the positional
 * convolution beside them). TensorRT 10.6 ran such products in float although all their inputs were quantized, and
 * lost the fused attention kernels by the Q/DQ.
 */
export function attentionNodes(graph: Graph): ReadonlySet<number> {
  const products = graph.nodes.filter(
    (node) => node.opType === 'MatMul' && floatData(graph, node).length === 2,
  );
  const sources = new Set(
    products.flatMap((node) => floatData(graph, node).map((name) => movedFrom(graph, name))),
  );
  const beside = graph.nodes.filter(
    (node) => isCompute(node) && floatData(graph, node).some((name) => sources.has(movedFrom(graph, name))),
  );
  return new Set([...products, ...beside].map(({ index }) => index));
}

/** The tensor that values were computed as, before operators that only move them. */
function movedFrom(graph: Graph, tensor: string): string {
  for (let node = graph.producerOf(tensor); node !== undefined; node = graph.producerOf(tensor)) {
    const [from, ...more] = movedInputs(node);
    if (from === undefined || more.length > 0) return tensor;
    tensor = from;
  }
  return tensor;
}

/** Operators whose first input's values come out unchanged, each once, several times or not at all. */
const MOVES = new Set([
  'MaxPool',
  'Reshape',
  'Transpose',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'Identity',
  'Split',
  'Slice',
  'DepthToSpace',
  'SpaceToDepth',
]);

/** Inputs whose values a node hands on unchanged; none for operators that compute. */
export function movedInputs(node: GraphNode): readonly string[] {
  if (node.opType === 'Concat') return node.inputs;
  const nearest =
    (node.opType === 'Resize' || node.opType === 'Upsample') &&
    ['', 'nearest'].includes(Buffer.from(attributeOf(node, 'mode')?.s ?? []).toString());
  return nearest || MOVES.has(node.opType) ? node.inputs.slice(0, 1) : [];
}

function inScope(graph: Graph, node: GraphNode, scope: OperatorScope): boolean {
  const named =
    scope === 'all'
      ? !NEVER.has(node.opType)
      : scope === 'tensorrt'
        ? COMPUTE.has(node.opType)
        : scope.includes(node.opType);
  return named && floatData(graph, node).length > 0 && (scope === 'all' || bothInInt8(graph, node));
}

/**
 * Whether both operands of a compute node can be INT8. Of a Conv whose weights are computed from the image (dynamic
 * convolution), or a MatMul whose left side is constant, only one would get Q/DQ: it would run in float all the same.
 */
function bothInInt8(graph: Graph, node: GraphNode): boolean {
  if (!isCompute(node)) return true;
  const data = floatData(graph, node);
  return weightOf(graph, node) !== undefined || node.inputs.slice(0, 2).every((name) => data.includes(name));
}

function weightsIn(graph: Graph, name: string): number {
  const tensor = graph.constant(name);
  return tensor === undefined || !graph.isFloat(name) ? 0 : elementCount(tensor);
}

/** Float inputs of a node that are computed, not constant. */
export function floatData(graph: Graph, node: GraphNode): readonly string[] {
  const inputs = FIRST_ONLY.has(node.opType) ? node.inputs.slice(0, 1) : node.inputs;
  return [...new Set(inputs)].filter(
    (name) =>
      name !== '' && graph.isFloat(name) && graph.constant(name) === undefined && !fromWeights(graph, name),
  );
}

/** A weight that reaches its node through Identity, as some exporters write shared weights. */
function fromWeights(graph: Graph, name: string): boolean {
  const producer = graph.producerOf(name);
  return producer?.opType === 'Identity' && graph.constant(producer.inputs[0] ?? '') !== undefined;
}

/** Tensors that get Q/DQ because this node runs in INT8. */
export function activationsOf(graph: Graph, node: GraphNode, scope: OperatorScope): readonly string[] {
  const own = floatData(graph, node);
  const skip = scope === 'tensorrt' ? skipInput(graph, node) : undefined;
  return skip === undefined ? own : [...new Set([...own, ...skip.tensors])];
}

/**
 * The residual Add that this layer's output ends in, and the inputs of it that must be INT8 for TensorRT to fuse: the
 * other one, which then joins the convolution's kernel; and both where an activation function stands between, for then
 * that fuses with the convolution, and the Add is a kernel of its own that reads INT8. A depthwise convolution fuses
 * with no Add.
 */
export function skipInput(
  graph: Graph,
  node: GraphNode,
): { readonly add: GraphNode; readonly tensors: readonly string[] } | undefined {
  if (node.opType !== 'Conv') return undefined;
  const end = afterActivation(graph, node);
  const readers = graph.consumersOf(end);
  const add = readers.length === 1 ? readers[0] : undefined;
  if (add === undefined || add.opType !== 'Add') return undefined;
  const tensor = add.inputs.find((name) => name !== end);
  if (tensor === undefined || !graph.isFloat(tensor) || graph.constant(tensor) !== undefined)
    return undefined;
  // Of two convolutions, the one that was ready earlier is the skip; anything else is.
  const other = convolutionBefore(graph, tensor);
  if (other !== undefined && other.index > node.index) return undefined;
  const activated = end !== (node.outputs[0] ?? '');
  if (!activated && isDepthwise(graph, node)) return undefined;
  return { add, tensors: activated ? [tensor, end] : [tensor] };
}

function isDepthwise(graph: Graph, node: GraphNode): boolean {
  const group = intAttribute(node, 'group', 1);
  return group > 1 && group === Number(weightValues(graph, node.inputs[1] ?? '')?.dims[0] ?? 0n);
}

/** The convolution that a tensor comes from, through an activation function that fuses with it. */
function convolutionBefore(graph: Graph, tensor: string): GraphNode | undefined {
  let node = graph.producerOf(tensor);
  for (let hops = 0; node !== undefined && hops < 3; hops++) {
    if (node.opType === 'Conv') return afterActivation(graph, node) === tensor ? node : undefined;
    node = graph.producerOf(node.inputs[0] ?? '');
  }
  return undefined;
}

/** Output of a node behind the activation function that fuses with it: itself, Relu, or SiLU as Sigmoid and Mul. */
function afterActivation(graph: Graph, node: GraphNode): string {
  const output = node.outputs[0] ?? '';
  const readers = graph.consumersOf(output);
  const only = readers.length === 1 ? readers[0] : undefined;
  if (only !== undefined && ['Relu', 'LeakyRelu', 'HardSwish', 'Clip', 'Swish'].includes(only.opType))
    return only.outputs[0] ?? output;
  const mul = readers.find(({ opType }) => opType === 'Mul');
  const sigmoid = readers.find(({ opType }) => opType === 'Sigmoid' || opType === 'HardSigmoid');
  return readers.length === 2 &&
    mul !== undefined &&
    sigmoid !== undefined &&
    mul.inputs.includes(sigmoid.outputs[0] ?? '')
    ? (mul.outputs[0] ?? output)
    : output;
}

/** Indexes of the last weighted nodes, those in front of post-processing, and of DFL's fixed convolution. */
export function headNodes(graph: Graph): ReadonlySet<number> {
  const heads = new Set<number>();
  const weightedAfter = new Set<string>();
  for (const node of [...graph.nodes].reverse()) {
    const compute = isCompute(node) && floatData(graph, node).length > 0;
    const dfl = compute && isDfl(graph, node);
    const after = node.outputs.some((name) => weightedAfter.has(name));
    if (compute && (dfl || !after)) heads.add(node.index);
    if (after || (compute && !dfl)) for (const name of node.inputs) weightedAfter.add(name);
  }
  return heads;
}

/** Distribution focal loss's decoding: a 1×1 convolution with the fixed weights 0, 1, 2, … */
export function isDfl(graph: Graph, node: GraphNode): boolean {
  const weights = node.opType === 'Conv' ? graph.constant(node.inputs[1] ?? '') : undefined;
  if (
    weights === undefined ||
    Number(weights.dims[0]) !== 1 ||
    elementCount(weights) < 4 ||
    elementCount(weights) > 64
  )
    return false;
  return tensorToFloats(weights).every((value, i) => Math.abs(value - i) < 1e-3);
}

/** The constant second input of a compute node with the axis of its output channels; undefined when it has none. */
export function weightOf(
  graph: Graph,
  node: GraphNode,
): { readonly name: string; readonly axis: number | undefined } | undefined {
  const name = node.inputs[1] ?? '';
  const tensor = graph.constant(name) ?? identityWeight(graph, name);
  if (tensor === undefined || tensor.dataType !== TensorProto_DataType.FLOAT) return undefined;
  switch (node.opType) {
    case 'Conv':
      return { name, axis: 0 };
    case 'ConvTranspose':
      // With groups, output channels repeat along axis 1: one scale for all is the faithful choice.
      return { name, axis: intAttribute(node, 'group', 1) === 1 ? 1 : undefined };
    case 'Gemm':
      return { name, axis: intAttribute(node, 'transB', 0) === 1 ? 0 : 1 };
    case 'MatMul':
      return { name, axis: tensor.dims.length === 2 ? 1 : undefined };
    default:
      return undefined;
  }
}

function identityWeight(graph: Graph, name: string): ReturnType<Graph['constant']> {
  return fromWeights(graph, name) ? graph.constant(graph.producerOf(name)?.inputs[0] ?? '') : undefined;
}

/** The value of a constant, also through Identity. */
export function weightValues(
  graph: Graph,
  name: string,
): NonNullable<ReturnType<Graph['constant']>> | undefined {
  return graph.constant(name) ?? identityWeight(graph, name);
}

/** Layers with their multiply-accumulates, from the shapes of their inputs at batch 1. */
export function withMacs(
  layers: readonly Layer[],
  graph: Graph,
  shapes: ReadonlyMap<string, { readonly shape: readonly number[] }>,
): readonly Layer[] {
  return layers.map((layer) => ({
    ...layer,
    macs: macsOf(graph, graph.nodes[layer.nodes[0] as number] as GraphNode, shapes),
  }));
}

function macsOf(
  graph: Graph,
  node: GraphNode,
  shapes: ReadonlyMap<string, { readonly shape: readonly number[] }>,
): number | undefined {
  const input = shapes.get(node.inputs[0] ?? '')?.shape;
  const weights = weightValues(graph, node.inputs[1] ?? '');
  if (input === undefined) return undefined;
  if (node.opType === 'Conv' && weights !== undefined) {
    const kernel = weights.dims.slice(2).map(Number);
    return (
      kernel.reduce((product, k, i) => product * outputLength(node, input[2 + i] ?? 1, k, i), 1) *
      elementCount(weights)
    );
  }
  if (node.opType === 'ConvTranspose' && weights !== undefined)
    return input.slice(2).reduce((a, b) => a * b, 1) * elementCount(weights);
  if (!isCompute(node)) return 0;
  const right = weights?.dims.map(Number) ?? shapes.get(node.inputs[1] ?? '')?.shape;
  if (right === undefined) return undefined;
  const transposed = node.opType === 'Gemm' && intAttribute(node, 'transB', 0) === 1;
  return input.reduce((a, b) => a * b, 1) * ((transposed ? right[0] : right.at(-1)) ?? 1);
}

function outputLength(node: GraphNode, length: number, kernel: number, axis: number): number {
  const ints = (name: string): number[] => attributeOf(node, name)?.ints.map(Number) ?? [];
  const stride = ints('strides')[axis] ?? 1;
  const auto = Buffer.from(attributeOf(node, 'auto_pad')?.s ?? []).toString();
  if (auto.startsWith('SAME')) return Math.ceil(length / stride);
  const pads = ints('pads');
  const rank = pads.length / 2;
  const span = (ints('dilations')[axis] ?? 1) * (kernel - 1) + 1;
  return Math.floor((length + (pads[axis] ?? 0) + (pads[axis + rank] ?? 0) - span) / stride) + 1;
}
