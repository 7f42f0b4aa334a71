import { attributeOf, elementCount, intAttribute, type Graph, type GraphNode } from '../onnx/index.js';
import { weightValues } from './layers.js';
import type { Layer } from './types.js';

type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/**
 * Elements that a layer moves for one image: its weights, the activations that it reads, and what it gives. In INT8 as
 * many bytes; which of them stay in a cache is not asked. Undefined where a shape is not known.
 *
 * @param layer with its multiply-accumulates, from which the size of its output follows
 * @param shapes dimensions at batch 1 of the tensors that calibration saw
 */
export function elementsMoved(layer: Layer, graph: Graph, shapes: Shapes): number | undefined {
  const node = graph.nodes[layer.nodes[0] as number] as GraphNode;
  const inputs = layer.activations.map((name) => shapes.get(name)?.shape);
  const output = outputElements(layer, node, graph, shapes);
  if (output === undefined || inputs.length === 0 || inputs.includes(undefined)) return undefined;
  return layer.parameters + output + inputs.reduce((sum, dims) => sum + product(dims ?? []), 0);
}

function outputElements({ macs }: Layer, node: GraphNode, graph: Graph, shapes: Shapes): number | undefined {
  const seen = shapes.get(node.outputs[0] ?? '')?.shape;
  if (seen !== undefined) return product(seen);
  const input = shapes.get(node.inputs[0] ?? '')?.shape;
  const weights = weightValues(graph, node.inputs[1] ?? '');
  if (macs === undefined || input === undefined) return undefined;
  if (node.opType === 'Conv' && weights !== undefined)
    return macs / (elementCount(weights) / Number(weights.dims[0]));
  if (node.opType === 'ConvTranspose' && weights !== undefined) {
    const strides = attributeOf(node, 'strides')?.ints.map(Number) ?? [];
    const channels = Number(weights.dims[1]) * intAttribute(node, 'group', 1);
    return channels * product(input.slice(2)) * product(strides);
  }
  // Each output of a product of matrices is a sum over the last dimension of the left one.
  return macs === 0 ? undefined : macs / (input.at(-1) ?? 1);
}
