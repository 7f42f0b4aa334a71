import {
  TensorProto_DataType,
  attributeOf,
  buildGraph,
  changed,
  floatsToTensor,
  intAttribute,
  tensorToFloats,
  tensorToIntegers,
  type Graph,
  type GraphNode,
  type GraphProto,
  type ModelProto,
  type TensorProto,
} from '../onnx/index.js';
import { isCompute } from './layers.js';

const { FLOAT, FLOAT16, DOUBLE } = TensorProto_DataType;

/**
 * Turns weights that the file computes from constants (a Transpose in front of a MatMul, a Cast of weights stored in
 * FP16, a Reshape, as exporters leave them that fold no constants) into initializers of the same name. Otherwise they
 * would pass for activations: calibrated, and the layer taken for a product of two activations as in attention. TensorRT
 * too wants Q/DQ of weights on constants. Only inputs of layers are folded, and nothing that Identity alone hands on,
 * which keeps shared weights shared. The model itself where there is none.
 */
export function foldWeights(proto: ModelProto): ModelProto {
  const graph = buildGraph({ proto });
  const folded = new Map<string, TensorProto>();
  for (const node of graph.nodes)
    if (isCompute(node))
      for (const name of node.inputs) {
        const producer = graph.producerOf(name);
        if (producer === undefined || producer.opType === 'Identity' || folded.has(name)) continue;
        const value = valueOf(graph, name);
        if (value !== undefined && graph.constant(name) === undefined) folded.set(name, value);
      }
  if (folded.size === 0) return proto;
  const source = proto.graph as GraphProto;
  return changed(proto, {
    graph: changed(source, {
      node: withoutUnread(graph, folded),
      initializer: [...source.initializer, ...folded.values()],
    }),
  });
}

/** Nodes but for those that made what is folded and those that only they read. */
function withoutUnread(graph: Graph, folded: ReadonlyMap<string, TensorProto>): GraphProto['node'] {
  const gone = new Set<number>();
  for (const node of [...graph.nodes].reverse()) {
    const made = node.outputs.some((name) => folded.has(name));
    const unread = node.outputs.every(
      (name) =>
        !graph.outputs.includes(name) &&
        graph.consumersOf(name).length > 0 &&
        graph.consumersOf(name).every(({ index }) => gone.has(index)),
    );
    if (made || unread) gone.add(node.index);
  }
  return graph.nodes.filter(({ index }) => !gone.has(index)).map(({ proto }) => proto);
}

/** The FP32 value of a tensor that depends on constants alone, as far as such operators go; under the tensor's name. */
function valueOf(graph: Graph, name: string): TensorProto | undefined {
  const constant = graph.constant(name);
  if (constant !== undefined) return constant;
  const node = graph.producerOf(name);
  const from = node === undefined ? undefined : valueOf(graph, node.inputs[0] ?? '');
  if (node === undefined || from === undefined || ![FLOAT, FLOAT16, DOUBLE].includes(from.dataType))
    return undefined;
  const dims = from.dims.map(Number);
  if (node.opType === 'Cast')
    return intAttribute(node, 'to', 0) === FLOAT
      ? floatsToTensor(name, dims, tensorToFloats(from))
      : undefined;
  // What is not FP32 yet is not touched: the layer behind it does not read FP32.
  if (from.dataType !== FLOAT && !graph.consumersOf(name).every(({ opType }) => opType === 'Cast'))
    return undefined;
  if (node.opType === 'Transpose') return transposed(name, node, from);
  const shape = node.opType === 'Identity' ? dims : newShape(graph, node, dims);
  return shape === undefined ? undefined : floatsToTensor(name, shape, tensorToFloats(from));
}

/** Dimensions behind an operator that only gives new ones; undefined for any other. */
function newShape(graph: Graph, node: GraphNode, dims: readonly number[]): readonly number[] | undefined {
  const listed = graph.constant(node.inputs[1] ?? '');
  const numbers =
    listed === undefined ? attributeOf(node, 'axes')?.ints.map(Number) : tensorToIntegers(listed);
  const count = dims.reduce((a, b) => a * b, 1);
  switch (node.opType) {
    case 'Reshape': {
      if (listed === undefined || numbers === undefined) return undefined;
      const shape = numbers.map((dim, i) => (dim === 0 ? (dims[i] ?? 0) : dim));
      const known = shape.reduce((product, dim) => (dim < 0 ? product : product * dim), 1);
      return shape.map((dim) => (dim < 0 ? count / known : dim));
    }
    case 'Squeeze': {
      const axes = numbers?.map((axis) => (axis < 0 ? axis + dims.length : axis));
      return dims.filter((dim, i) => (axes === undefined ? dim !== 1 : !axes.includes(i)));
    }
    case 'Unsqueeze': {
      if (numbers === undefined) return undefined;
      const rank = dims.length + numbers.length;
      const axes = new Set(numbers.map((axis) => (axis < 0 ? axis + rank : axis)));
      const left = [...dims];
      return Array.from({ length: rank }, (_, i) => (axes.has(i) ? 1 : (left.shift() as number)));
    }
    default:
      return undefined;
  }
}

function transposed(name: string, node: GraphNode, from: TensorProto): TensorProto {
  const dims = from.dims.map(Number);
  const order = attributeOf(node, 'perm')?.ints.map(Number) ?? dims.map((_, i) => dims.length - 1 - i);
  const strides = dims.map((_, i) => dims.slice(i + 1).reduce((a, b) => a * b, 1));
  const shape = order.map((axis) => dims[axis] as number);
  const steps = order.map((axis) => strides[axis] as number);
  const values = tensorToFloats(from);
  const made = new Float32Array(values.length);
  const at = shape.map(() => 0);
  let place = 0;
  for (let i = 0; i < made.length; i++) {
    made[i] = values[place] as number;
    // Counts up in the new shape, the last dimension first.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at[axis] = (at[axis] as number) + 1;
      place += steps[axis] as number;
      if ((at[axis] as number) < (shape[axis] as number)) break;
      place -= (steps[axis] as number) * (shape[axis] as number);
      at[axis] = 0;
    }
  }
  return floatsToTensor(name, shape, made);
}
