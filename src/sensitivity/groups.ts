import type { Graph, GraphNode } from '../onnx/index.js';
import type { Layer } from '../quantization/index.js';
import { attentionBlocks } from './attention.js';

type Tie = 'attention' | 'concat' | 'residual';

/** Layers that change precision together, because an engine would otherwise convert between them. */
export interface LayerGroup {
  /** Name of its first layer, which a person finds in the exporter's code. */
  readonly name: string;
  /** Along the network's depth. */
  readonly layers: readonly Layer[];
  /** Why they belong together; undefined for a layer by itself. */
  readonly tie: Tie | undefined;
  /** Tensor that the group hands on: the last layer's output behind the activation function that fuses with it. */
  readonly end: string;
}

const ACTIVATIONS = new Set(['Relu', 'LeakyRelu', 'HardSwish', 'Clip', 'Swish', 'Elu', 'PRelu']);
const GATES = new Set(['Sigmoid', 'HardSigmoid']);

/**
 * Finds groups from the graph.
 *
 * - `attention`: the two products, and what of Softmax and its like between them is a layer. Engines run them as one kernel,
 *   or as none that is fast when Q/DQ stands around one of them; and to a person they are one place.
 * - `concat`: layers that read one Concat's output. The Concat runs in INT8 (its inputs under one scale) only when all
 *   that read it do.
 * - `residual`: convolutions whose outputs meet in one Add. The engine fuses the Add with the later one, whose other
 *   input must then have its precision.
 */
export function groupLayers(graph: Graph, layers: readonly Layer[]): readonly LayerGroup[] {
  const root = layers.map((_, i) => i);
  const ties = new Map<number, Tie>();
  const find = (i: number): number => {
    let at = i;
    while (root[at] !== at) at = root[at] as number;
    return at;
  };
  const join = (members: readonly number[], tie: Tie): void => {
    for (const other of members.slice(1)) {
      const [a, b] = [find(members[0] as number), find(other)].sort((x, y) => x - y) as [number, number];
      root[b] = a;
    }
    if (members.length > 1) ties.set(find(members[0] as number), tie);
  };
  for (const block of attentionBlocks(graph)) join(within(layers, new Set(block)), 'attention');
  for (const node of graph.nodes) {
    if (node.opType === 'Concat') join(readersOf(layers, node.outputs[0] ?? ''), 'concat');
    if (node.opType === 'Add') join(endingIn(graph, layers, node), 'residual');
  }
  const members = new Map<number, Layer[]>();
  layers.forEach((layer, i) => members.set(find(i), [...(members.get(find(i)) ?? []), layer]));
  return [...members].map(([first, list]) => ({
    name: (list[0] as Layer).name,
    layers: list,
    tie: ties.get(first),
    end: endOf(graph, graph.nodes[(list.at(-1) as Layer).nodes.at(-1) as number] as GraphNode),
  }));
}

function within(layers: readonly Layer[], nodes: ReadonlySet<number>): number[] {
  return layers.flatMap((layer, i) => (layer.nodes.some((index) => nodes.has(index)) ? [i] : []));
}

function readersOf(layers: readonly Layer[], tensor: string): number[] {
  return layers.flatMap(({ activations }, i) => (activations[0] === tensor ? [i] : []));
}

/** Layers whose outputs, behind their activation functions, are inputs of the Add. */
function endingIn(graph: Graph, layers: readonly Layer[], add: GraphNode): number[] {
  return layers.flatMap(({ nodes, opType }, i) => {
    const node = graph.nodes[nodes.at(-1) as number] as GraphNode;
    return opType === 'Conv' && add.inputs.includes(endOf(graph, node)) ? [i] : [];
  });
}

/** A node's output behind the activation function that fuses with it: Relu and its like, or SiLU as Sigmoid and Mul. */
export function endOf(graph: Graph, node: GraphNode): string {
  const output = node.outputs[0] ?? '';
  const readers = graph.consumersOf(output);
  const [first] = readers;
  if (readers.length === 1 && first !== undefined && ACTIVATIONS.has(first.opType))
    return first.outputs[0] ?? output;
  const gate = readers.find(({ opType }) => GATES.has(opType));
  const mul = readers.find(({ opType }) => opType === 'Mul');
  return readers.length === 2 && gate !== undefined && mul?.inputs.includes(gate.outputs[0] ?? '') === true
    ? (mul.outputs[0] ?? output)
    : output;
}
