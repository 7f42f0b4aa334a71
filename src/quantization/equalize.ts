import {
  changed,
  floatsToTensor,
  intAttribute,
  tensorToFloats,
  type Graph,
  type GraphNode,
  type GraphProto,
  type Model,
  type TensorProto,
} from '../onnx/index.js';
import { isCompute, weightOf, weightValues } from './layers.js';

/**
 * Two convolutions between which every operator commutes with positive factors of channels: what the first gives can be
 * divided by a factor that the second's weights are multiplied with.
 */
export interface EqualizationPair {
  readonly first: GraphNode;
  readonly second: GraphNode;
}

/** Pairs of a network, and what stands behind the convolutions that are in none. */
export interface EqualizationPairs {
  readonly pairs: readonly EqualizationPair[];
  /** How many convolutions end where, the most frequent first: `a Sigmoid (SiLU is not homogeneous)`. */
  readonly refused: readonly { readonly reason: string; readonly convolutions: number }[];
}

/** Operators with f(s·x) = s·f(x) for every s > 0, channel by channel. */
const HOMOGENEOUS = new Set([
  'Relu',
  'LeakyRelu',
  'PRelu',
  'MaxPool',
  'AveragePool',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'Identity',
  'Dropout',
]);
/** Rounds over all pairs; chains of convolutions need a few (Nagel et al. 2019, section 4.1). */
const ROUNDS = 10;

/** Finds pairs; pure. */
export function equalizationPairs(graph: Graph): EqualizationPairs {
  const pairs: EqualizationPair[] = [];
  const reasons = new Map<string, number>();
  for (const first of graph.nodes.filter(({ opType }) => opType === 'Conv')) {
    const found = pairOf(graph, first);
    if (typeof found === 'string') reasons.set(found, (reasons.get(found) ?? 0) + 1);
    else pairs.push(found);
  }
  const refused = [...reasons]
    .sort(([, m], [, n]) => n - m)
    .map(([reason, convolutions]) => ({ reason, convolutions }));
  return { pairs, refused };
}

/** The pair that a convolution begins, or what prevents one. */
function pairOf(graph: Graph, first: GraphNode): EqualizationPair | string {
  if (!ownsWeights(graph, first)) return 'weights that are computed, or shared with another layer';
  let tensor = first.outputs[0] ?? '';
  for (;;) {
    if (graph.outputs.includes(tensor)) return 'an output of the model';
    const readers = graph.consumersOf(tensor);
    const [reader] = readers;
    if (readers.length > 1 && readers.some(({ opType }) => opType === 'Sigmoid' || opType === 'HardSigmoid'))
      return 'SiLU (x · sigmoid(x) does not commute with factors)';
    if (reader === undefined || readers.length > 1) return 'several readers';
    if (reader.opType === 'Conv' && reader.inputs[0] === tensor)
      return ownsWeights(graph, reader) && channelsOf(graph, reader) !== undefined
        ? { first, second: reader }
        : 'a convolution whose weights are shared or grouped';
    if (!HOMOGENEOUS.has(reader.opType)) return isCompute(reader) ? `a ${reader.opType}` : reader.opType;
    if (reader.opType === 'PRelu' && graph.constant(reader.inputs[1] ?? '') === undefined) return 'PRelu';
    tensor = reader.outputs[0] ?? '';
  }
}

/** True when a convolution's weights and bias are constants that it alone reads. */
function ownsWeights(graph: Graph, node: GraphNode): boolean {
  return node.inputs.slice(1).every((name) => {
    const alone = graph.initializer(name) !== undefined && graph.consumersOf(name).length === 1;
    return name === '' || alone;
  });
}

/** How a convolution's weights lie by input channel: `depthwise` = axis 0, `whole` = axis 1; undefined for other groups. */
function channelsOf(graph: Graph, node: GraphNode): 'depthwise' | 'whole' | undefined {
  const group = intAttribute(node, 'group', 1);
  if (group === 1) return 'whole';
  const dims = weightValues(graph, node.inputs[1] ?? '')?.dims.map(Number) ?? [];
  return dims[0] === group && dims[1] === 1 ? 'depthwise' : undefined;
}

/** Tensors whose values equalization scales: those between the convolutions of pairs. All others stay, but for rounding. */
export function equalizedTensors(graph: Graph, pairs: readonly EqualizationPair[]): ReadonlySet<string> {
  const between = new Set<string>();
  for (const { first, second } of pairs)
    for (let node: GraphNode | undefined = first; node !== undefined && node.index !== second.index;) {
      const tensor: string = node.outputs[0] ?? '';
      between.add(tensor);
      // A pair has one reader at each step.
      node = graph.consumersOf(tensor)[0];
    }
  return between;
}

/**
 * Cross-layer equalization (Nagel et al. 2019, section 4.1): with r1 and r2 the ranges of a channel in the first and second
 * convolution's weights, the first is divided by s = √(r1 / r2) and the second multiplied by it, so that both reach √(r1 r2).
 * The network computes the same, but for rounding in float32. A channel that either side lacks is left alone.
 */
export function equalize(model: Model, graph: Graph, pairs: readonly EqualizationPair[]): Model {
  const values = new Map<string, Float32Array>();
  const get = (name: string): Float32Array => {
    const known = values.get(name) ?? tensorToFloats(graph.initializer(name) as TensorProto).slice();
    values.set(name, known);
    return known;
  };
  for (let round = 0; round < ROUNDS; round++)
    for (const { first, second } of pairs) balance(graph, first, second, get);
  const source = model.proto.graph as GraphProto;
  const initializer = source.initializer.map((tensor) => {
    const now = values.get(tensor.name);
    return now === undefined ? tensor : floatsToTensor(tensor.name, tensor.dims.map(Number), now);
  });
  return { ...model, proto: changed(model.proto, { graph: changed(source, { initializer }) }) };
}

function balance(
  graph: Graph,
  first: GraphNode,
  second: GraphNode,
  get: (name: string) => Float32Array,
): void {
  const [w1, w2] = [get(weightOf(graph, first)?.name ?? ''), get(weightOf(graph, second)?.name ?? '')];
  const bias = first.inputs[2] === undefined || first.inputs[2] === '' ? undefined : get(first.inputs[2]);
  const channels = Number(weightValues(graph, first.inputs[1] ?? '')?.dims[0]);
  const axis = channelsOf(graph, second) === 'depthwise' ? 0 : 1;
  const dims = (weightValues(graph, second.inputs[1] ?? '') as TensorProto).dims.map(Number);
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const place = (i: number): number => Math.floor(i / inner) % channels;
  const [r1, r2] = [new Float64Array(channels), new Float64Array(channels)];
  const each = w1.length / channels;
  w1.forEach(
    (w, i) => (r1[Math.floor(i / each)] = Math.max(r1[Math.floor(i / each)] as number, Math.abs(w))),
  );
  w2.forEach((w, i) => (r2[place(i)] = Math.max(r2[place(i)] as number, Math.abs(w))));
  const factor = r1.map((a, c) => (a > 0 && (r2[c] as number) > 0 ? Math.sqrt(a / (r2[c] as number)) : 1));
  w1.forEach((w, i) => (w1[i] = w / (factor[Math.floor(i / each)] as number)));
  bias?.forEach((b, c) => (bias[c] = b / (factor[c] as number)));
  w2.forEach((w, i) => (w2[i] = w * (factor[place(i)] as number)));
}
