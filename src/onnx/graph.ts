import { clone, create } from '@bufbuild/protobuf';
import {
  ModelProtoSchema,
  TensorProto_DataType,
  ValueInfoProtoSchema,
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from './generated/onnx_pb.js';
import type { Model } from './model.js';
import { inferElementTypes } from './types.js';

/** A node with its place in the graph. */
export interface GraphNode {
  readonly index: number;
  /** The node's own name, or operator and place (`Conv_12`) where the exporter gave none. Unique. */
  readonly name: string;
  readonly opType: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly proto: NodeProto;
}

/** Questions about a graph, answered from indexes. */
export interface Graph {
  readonly proto: GraphProto;
  /** Each behind those whose outputs it reads. */
  readonly nodes: readonly GraphNode[];
  /** Inputs that are no initializers. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly metadata: ReadonlyMap<string, string>;
  producerOf(tensor: string): GraphNode | undefined;
  /** Nodes that read the tensor, subgraphs of theirs included; each once. */
  consumersOf(tensor: string): readonly GraphNode[];
  initializer(name: string): TensorProto | undefined;
  /** Value of an initializer or of a Constant node's output. */
  constant(name: string): TensorProto | undefined;
  /** ONNX element type, inferred where the file does not say; undefined when it cannot be known. */
  elementType(tensor: string): TensorProto_DataType | undefined;
  /** True for FLOAT and FLOAT16 tensors. */
  isFloat(tensor: string): boolean;
  /** Dimensions as far as the file tells; -1 marks a free one. */
  shape(tensor: string): readonly number[] | undefined;
}

/** Indexes a model's graph. */
export function buildGraph(model: Pick<Model, 'proto'>): Graph {
  const proto = model.proto.graph as GraphProto;
  const nodes = namedNodes(proto);
  const initializers = new Map(proto.initializer.map((tensor) => [tensor.name, tensor]));
  const producers = new Map<string, GraphNode>();
  const consumers = new Map<string, GraphNode[]>();
  const constants = new Map(initializers);
  for (const node of nodes) {
    for (const output of node.outputs) if (output !== '') producers.set(output, node);
    for (const input of new Set(readsOf(node.proto))) {
      const list = consumers.get(input);
      if (list === undefined) consumers.set(input, [node]);
      else list.push(node);
    }
    const value = node.opType === 'Constant' ? attributeOf(node, 'value')?.t : undefined;
    if (value !== undefined && node.outputs[0] !== undefined) constants.set(node.outputs[0], value);
  }
  const infos = new Map(
    [...proto.input, ...proto.valueInfo, ...proto.output].map((info) => [info.name, info]),
  );
  const types = inferElementTypes(nodes, infos, initializers);
  return {
    proto,
    nodes,
    inputs: proto.input.map(({ name }) => name).filter((name) => !initializers.has(name)),
    outputs: proto.output.map(({ name }) => name),
    metadata: new Map(model.proto.metadataProps.map(({ key, value }) => [key, value])),
    producerOf: (tensor) => producers.get(tensor),
    consumersOf: (tensor) => consumers.get(tensor) ?? [],
    initializer: (name) => initializers.get(name),
    constant: (name) => constants.get(name),
    elementType: (tensor) => types.get(tensor),
    isFloat: (tensor) => isFloatType(types.get(tensor)),
    shape: (tensor) => shapeOf(tensor, infos, initializers),
  };
}

function isFloatType(type: TensorProto_DataType | undefined): boolean {
  return type === TensorProto_DataType.FLOAT || type === TensorProto_DataType.FLOAT16;
}

function namedNodes(proto: GraphProto): GraphNode[] {
  const taken = new Set<string>();
  return proto.node.map((node, index) => {
    const plain = node.name === '' ? `${node.opType}_${index}` : node.name;
    const name = taken.has(plain) ? `${plain}#${index}` : plain;
    taken.add(name);
    return { index, name, opType: node.opType, inputs: node.input, outputs: node.output, proto: node };
  });
}

/** Every tensor that a node reads from the outer graph, those of its subgraphs included. */
export function readsOf(node: NodeProto): string[] {
  const reads = node.input.filter((name) => name !== '');
  for (const { g, graphs } of node.attribute)
    for (const sub of [...(g ? [g] : []), ...graphs])
      reads.push(...sub.node.flatMap(readsOf), ...sub.output.map(({ name }) => name));
  return reads;
}

/** An attribute of a node by name. */
export function attributeOf(node: GraphNode, name: string): AttributeProto | undefined {
  return node.proto.attribute.find((attribute) => attribute.name === name);
}

/** An integer attribute, or its default. */
export function intAttribute(node: GraphNode, name: string, otherwise: number): number {
  const attribute = attributeOf(node, name);
  return attribute === undefined ? otherwise : Number(attribute.i);
}

function shapeOf(
  tensor: string,
  infos: ReadonlyMap<string, ValueInfoProto>,
  initializers: ReadonlyMap<string, TensorProto>,
): readonly number[] | undefined {
  const weights = initializers.get(tensor);
  if (weights !== undefined) return weights.dims.map(Number);
  const type = infos.get(tensor)?.type?.value;
  if (type?.case !== 'tensorType' || type.value.shape === undefined) return undefined;
  return type.value.shape.dim.map(({ value }) => (value.case === 'dimValue' ? Number(value.value) : -1));
}

/** A copy of the model that also returns the named tensors. Weights are shared, not copied. */
export function exposeOutputs(proto: ModelProto, names: readonly string[]): ModelProto {
  const graph = proto.graph as GraphProto;
  const present = new Set(graph.output.map(({ name }) => name));
  const infos = new Map(graph.valueInfo.map((info) => [info.name, info]));
  const added = [...new Set(names)]
    .filter((name) => !present.has(name))
    .map((name) => infos.get(name) ?? create(ValueInfoProtoSchema, { name }));
  return changed(proto, { graph: changed(graph, { output: [...graph.output, ...added] }) });
}

/**
 * A message with some fields changed. Spreading one (`{...node}`) would lose the defaults of unset fields, which
 * protobuf keeps on the prototype.
 */
export function changed<T extends object>(message: T, changes: Partial<T>): T {
  return Object.assign(Object.create(Object.getPrototypeOf(message) as object) as T, message, changes);
}

/** A deep copy. */
export function cloneModel(proto: ModelProto): ModelProto {
  return clone(ModelProtoSchema, proto);
}
