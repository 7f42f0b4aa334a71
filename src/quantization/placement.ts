import type { Graph, GraphNode } from '../onnx/index.js';
import { floatData, movedInputs, skipInput } from './layers.js';
import type { Layer, OperatorScope } from './types.js';

/** Reader that stands for a graph output. */
export const LEAVES = -1;

/** Where Q/DQ goes: which nodes read which tensor through it, and which tensors share a scale. */
export interface Placement {
  /** By quantized tensor: indexes of the nodes that read it dequantized; {@link LEAVES} where it leaves the model. */
  readonly readers: ReadonlyMap<string, ReadonlySet<number>>;
  /** By quantized tensor: tensors whose ranges its scale must cover, as INT8 layers read them. */
  readonly covers: ReadonlyMap<string, readonly string[]>;
  /** By quantized tensor: layers that it is quantized for. */
  readonly users: ReadonlyMap<string, readonly string[]>;
}

/**
 * Places Q/DQ for the layers that run in INT8.
 *
 * With `tensorrt` every tensor between INT8 layers is rounded exactly once: a Q/DQ that an INT8 layer wants moves up
 * through operators that only move values (Split, MaxPool, nearest Resize …) as long as all that is read there is read
 * in INT8, so that those operators run in INT8 too. TensorRT moves a DQ down through all of them but Concat, and a Q
 * up through Concat (measured with 10.6: without Q/DQ behind it, Concat and the convolution after it ran in FP16). So
 * at a Concat Q/DQ stands on both sides under one scale, but for inputs that nothing else reads, where the Q from
 * behind arrives. The values that layers read do not change by moving: those operators commute with rounding to one
 * grid.
 */
export function placeQuantizers(graph: Graph, scope: OperatorScope, int8: readonly Layer[]): Placement {
  const wanted = wantedBy(graph, scope, int8);
  const ties = new Ties();
  const readers = new Map([...wanted].map(([tensor, { nodes }]) => [tensor, new Set(nodes)]));
  if (scope === 'tensorrt')
    for (const node of [...graph.nodes].reverse())
      if (canRise(graph, node, readers)) rise(graph, node, readers, ties);
  const members = new Map<string, string[]>();
  for (const tensor of wanted.keys()) append(members, ties.find(tensor), tensor);
  const covers = new Map([...readers.keys()].map((tensor) => [tensor, members.get(ties.find(tensor)) ?? []]));
  const users = new Map(
    [...covers].map(([tensor, list]) => [
      tensor,
      [
        ...new Set(
          (wanted.has(tensor) ? [tensor] : list).flatMap((name) => [...(wanted.get(name)?.layers ?? [])]),
        ),
      ],
    ]),
  );
  return { readers, covers, users };
}

interface Wanted {
  readonly nodes: Set<number>;
  readonly layers: Set<string>;
}

/** Tensors that INT8 layers read, skip inputs of the Adds that fuse with them included. */
function wantedBy(graph: Graph, scope: OperatorScope, int8: readonly Layer[]): ReadonlyMap<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  const note = (tensor: string, reader: number, layer: string): void => {
    const entry = wanted.get(tensor) ?? { nodes: new Set(), layers: new Set() };
    entry.nodes.add(reader);
    entry.layers.add(layer);
    wanted.set(tensor, entry);
  };
  for (const layer of int8)
    for (const index of layer.nodes) {
      const node = graph.nodes[index] as GraphNode;
      for (const tensor of floatData(graph, node)) note(tensor, index, layer.name);
      const skip = scope === 'tensorrt' ? skipInput(graph, node) : undefined;
      if (skip !== undefined) for (const tensor of skip.tensors) note(tensor, skip.add.index, layer.name);
      // What leaves the model is quantized too where everything is.
      if (scope === 'all')
        for (const output of node.outputs)
          if (graph.outputs.includes(output) && graph.isFloat(output)) note(output, LEAVES, layer.name);
    }
  return wanted;
}

/** Moves the Q/DQ on a node's outputs to its inputs; a Concat keeps its own. */
function rise(graph: Graph, node: GraphNode, readers: Map<string, Set<number>>, ties: Ties): void {
  const inputs = movedInputs(node);
  for (const output of node.outputs) {
    if (!readers.has(output)) continue;
    if (node.opType !== 'Concat') readers.delete(output);
    for (const input of inputs) ties.join(input, output);
  }
  for (const input of inputs)
    if (node.opType !== 'Concat' || !arrives(graph, node, input))
      readers.set(input, (readers.get(input) ?? new Set()).add(node.index));
}

/** True when the Q behind a Concat, moved up, lands on the operator that computes this input and fuses there. */
function arrives(graph: Graph, concat: GraphNode, input: string): boolean {
  const producer = graph.producerOf(input);
  if (producer === undefined || valueReaders(graph, input).some(({ index }) => index !== concat.index))
    return false;
  return producer.opType === 'Concat' || movedInputs(producer).length === 0;
}

/** Nodes that read a tensor's values, not its form alone. */
function valueReaders(graph: Graph, tensor: string): readonly GraphNode[] {
  return graph.consumersOf(tensor).filter(({ opType }) => opType !== 'Shape' && opType !== 'Size');
}

/** True when everything that the node hands on is read in INT8, and all that it reads can be quantized. */
function canRise(graph: Graph, node: GraphNode, readers: ReadonlyMap<string, ReadonlySet<number>>): boolean {
  const inputs = movedInputs(node);
  if (
    inputs.length === 0 ||
    !inputs.every((name) => graph.isFloat(name) && graph.constant(name) === undefined)
  )
    return false;
  const used = node.outputs.filter(
    (name) => graph.outputs.includes(name) || valueReaders(graph, name).length > 0,
  );
  return (
    used.length > 0 &&
    used.every((name) => {
      const through = readers.get(name);
      return (
        through !== undefined &&
        !graph.outputs.includes(name) &&
        valueReaders(graph, name).every(({ index }) => through.has(index))
      );
    })
  );
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** Union-find over tensor names. */
class Ties {
  private readonly parent = new Map<string, string>();

  find(name: string): string {
    let root = name;
    for (let up = this.parent.get(root); up !== undefined; up = this.parent.get(root)) root = up;
    return root;
  }

  join(a: string, b: string): void {
    const [x, y] = [this.find(a), this.find(b)];
    if (x !== y) this.parent.set(x, y);
  }
}
