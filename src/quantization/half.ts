import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType,
  NodeProtoSchema,
  TensorProto_DataType,
  changed,
  type Graph,
  type GraphProto,
  type ModelProto,
  type NodeProto,
} from '../onnx/index.js';

/**
 * A model in which some nodes read and write what FP16 can hold: their float inputs (weights too) and outputs pass
 * through FP16 and back, so that they are rounded to 11 bits and go to infinity beyond 65504. Sums inside a node stay
 * FP32, as tensor cores keep them when asked to; what FP16 sums would lose is not shown.
 *
 * @param graph of the model before Q/DQ, which knows which tensors are float.
 * @param nodes by name.
 */
export function throughHalf(proto: ModelProto, graph: Graph, nodes: ReadonlySet<string>): ModelProto {
  const source = proto.graph as GraphProto;
  const outputs = new Set(
    graph.nodes.filter(({ name }) => nodes.has(name)).flatMap(({ outputs: own }) => own),
  );
  const inner = (name: string): string => `${name}.int8gate_half_in`;
  const rounded = new Map<string, string>();
  const round = (from: string, to: string): NodeProto[] => {
    const half = `${to}.int8gate_half`;
    return [cast(from, half, TensorProto_DataType.FLOAT16), cast(half, to, TensorProto_DataType.FLOAT)];
  };
  const node = source.node.flatMap((one): NodeProto[] => {
    if (!one.output.some((name) => outputs.has(name))) return [one];
    const before: NodeProto[] = [];
    const input = one.input.map((name) => {
      if (name === '' || !isFloat(graph, name)) return name;
      const known = rounded.get(name);
      if (known !== undefined) return known;
      const to = `${name}.int8gate_rounded`;
      rounded.set(name, to);
      before.push(...round(name, to));
      return to;
    });
    const own = one.output.map((name) => (isFloat(graph, name) ? inner(name) : name));
    const after = one.output.flatMap((name, i) => (own[i] === name ? [] : round(own[i] as string, name)));
    return [...before, changed(one, { input, output: own }), ...after];
  });
  return changed(proto, { graph: changed(source, { node }) });
}

/** Tensors that Q/DQ made are float too, and unknown to the graph before it. */
function isFloat(graph: Graph, tensor: string): boolean {
  if (graph.elementType(tensor) !== undefined) return graph.isFloat(tensor);
  return tensor.endsWith('_dq') || tensor.endsWith('_float');
}

function cast(from: string, to: string, type: TensorProto_DataType): NodeProto {
  return create(NodeProtoSchema, {
    name: `${to}_Cast`,
    opType: 'Cast',
    input: [from],
    output: [to],
    attribute: [
      create(AttributeProtoSchema, { name: 'to', type: AttributeProto_AttributeType.INT, i: BigInt(type) }),
    ],
  });
}
