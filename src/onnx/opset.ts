import { create } from '@bufbuild/protobuf';
import { InputFault } from '../faults/index.js';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
} from './generated/onnx_pb.js';
import { buildGraph, changed, type Graph } from './graph.js';
import { opsetOf } from './model.js';
import { integersToTensor } from './tensor.js';

/** Oldest operator set that adapters start from. */
export const OLDEST_OPSET = 11;
/** Newest operator set that adapters reach. */
export const NEWEST_OPSET = 21;

/** Oldest IR version that may carry an operator set. Source: ONNX, docs/Versioning.md. */
const IR_OF: Readonly<Record<number, bigint>> = {
  11: 6n,
  12: 7n,
  13: 7n,
  14: 7n,
  15: 8n,
  16: 8n,
  17: 8n,
  18: 8n,
  19: 9n,
  20: 9n,
  21: 10n,
};

/** What an adapter may ask. */
interface Place {
  readonly graph: Graph;
  /** A tensor name that nothing else has. */
  readonly fresh: (base: string) => string;
}

/** Nodes that do in the newer operator set what the node did in the older, or why that cannot be. */
type Adapter = (node: NodeProto, place: Place) => readonly NodeProto[] | string;

const axesToInput: Adapter = (node, place) => attributeToInput(node, place, 'axes', 1);
const REDUCTIONS = [
  'ReduceL1',
  'ReduceL2',
  'ReduceLogSum',
  'ReduceLogSumExp',
  'ReduceMax',
  'ReduceMean',
  'ReduceMin',
  'ReduceProd',
  'ReduceSumSquare',
];

/**
 * Changes of meaning between operator sets, by the set that brought them. Operators that only gained types, or
 * attributes whose default is the old behaviour, need none. Source: ONNX, docs/Changelog.md, compared schema by schema.
 */
const ADAPTERS: Readonly<Record<number, Readonly<Record<string, Adapter>>>> = {
  12: { Dropout: (node) => [without(node, 'ratio', 'seed')] },
  13: {
    Softmax: flattenedSoftmax,
    LogSoftmax: flattenedSoftmax,
    Hardmax: flattenedSoftmax,
    ReduceSum: axesToInput,
    Squeeze: axesToInput,
    Unsqueeze: axesToInput,
    Split: (node, place) => attributeToInput(node, place, 'split', 1),
    Resize: (node) =>
      textAttribute(node, 'coordinate_transformation_mode') === 'tf_half_pixel_for_nn'
        ? 'coordinate_transformation_mode "tf_half_pixel_for_nn" ended with opset 12'
        : [node],
  },
  14: {
    BatchNormalization: (node) =>
      node.output.slice(1).some((name) => name !== '')
        ? 'it returns running statistics, as in training'
        : [changed(node, { output: node.output.slice(0, 1) })],
  },
  16: {
    RoiAlign: (node) =>
      textAttribute(node, 'coordinate_transformation_mode') === undefined
        ? [withAttribute(node, textOf('coordinate_transformation_mode', 'output_half_pixel'))]
        : [node],
  },
  18: {
    ...Object.fromEntries(REDUCTIONS.map((name) => [name, axesToInput])),
    Split: (node) =>
      (node.input[1] ?? '') === ''
        ? [withAttribute(node, integerOf('num_outputs', node.output.length))]
        : [node],
  },
  20: {
    GridSample: (node) => {
      const mode = textAttribute(node, 'mode') ?? 'bilinear';
      const renamed = { bilinear: 'linear', bicubic: 'cubic' }[mode] ?? mode;
      return [withAttribute(without(node, 'mode'), textOf('mode', renamed))];
    },
    DFT: () => 'its axis became an input',
  },
  21: { GroupNormalization: () => 'its scale and bias changed from one a group to one a channel' },
};

/**
 * The model in a newer operator set (11 … 21), computing the same. Names of nodes and tensors stay; nodes without a
 * name get the one that {@link buildGraph} calls them by, so that plans keep fitting.
 * @throws InputFault naming the node that cannot be converted and why, or a model that is newer already.
 */
export function convertOpset(proto: ModelProto, target: number, file: string): ModelProto {
  const from = opsetOf(proto);
  if (from === target) return proto;
  if (from < OLDEST_OPSET || from > target || target > NEWEST_OPSET)
    throw new InputFault({
      where: file,
      what: `has opset ${from}, which cannot be converted to ${target}${from > target ? ' (only newer ones can be reached)' : ''}`,
      fix: `Export it again with opset ${Math.min(Math.max(target, OLDEST_OPSET), 17)}.`,
    });
  const graph = buildGraph({ proto });
  const place: Place = { graph, fresh: freshNames(graph) };
  const named = graph.nodes.map(({ proto: node, name }) =>
    node.name === name ? node : changed(node, { name }),
  );
  const converted = convertNodes(named, from, target, place, file);
  const imports = proto.opsetImport.filter(({ domain }) => domain !== '' && domain !== 'ai.onnx');
  const wanted = IR_OF[target] ?? 10n;
  return changed(proto, {
    irVersion: proto.irVersion > wanted ? proto.irVersion : wanted,
    opsetImport: [create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(target) }), ...imports],
    graph: changed(proto.graph as GraphProto, { node: converted }),
  });
}

function convertNodes(
  nodes: readonly NodeProto[],
  from: number,
  target: number,
  place: Place,
  file: string,
): NodeProto[] {
  let current: NodeProto[] = nodes.map((node) => convertBodies(node, from, target, place, file));
  for (let version = from + 1; version <= target; version++) {
    const adapters = ADAPTERS[version];
    if (adapters === undefined) continue;
    current = current.flatMap((node) => {
      const adapter = node.domain === '' || node.domain === 'ai.onnx' ? adapters[node.opType] : undefined;
      const made = adapter === undefined ? [node] : adapter(node, place);
      if (typeof made !== 'string') return made;
      throw new InputFault({
        where: `${file}, node ${node.name} (${node.opType})`,
        what: `cannot be converted to opset ${target}: ${made}`,
        fix: `Export the model with opset ${target} or newer.`,
      });
    });
  }
  return current;
}

/** Bodies of If, Loop and Scan are written in the same operator set. */
function convertBodies(node: NodeProto, from: number, target: number, place: Place, file: string): NodeProto {
  if (!node.attribute.some(({ g, graphs }) => g !== undefined || graphs.length > 0)) return node;
  const body = (graph: GraphProto): GraphProto =>
    changed(graph, { node: convertNodes(graph.node, from, target, place, file) });
  const attribute = node.attribute.map((one) =>
    changed(one, { ...(one.g !== undefined && { g: body(one.g) }), graphs: one.graphs.map(body) }),
  );
  return changed(node, { attribute });
}

/** Until opset 12 Softmax took everything from `axis` on as one vector. */
function flattenedSoftmax(node: NodeProto, { graph, fresh }: Place): readonly NodeProto[] {
  const axis = Number(find(node, 'axis')?.i ?? 1n);
  const input = node.input[0] ?? '';
  const rank = graph.shape(input)?.length;
  if (axis === -1 || axis + 1 === rank)
    return [withAttribute(without(node, 'axis'), integerOf('axis', axis))];
  const [shape, flat, soft] = ['shape', 'flat', 'soft'].map((word) => fresh(`${node.name}_${word}`));
  const make = (opType: string, inputs: readonly (string | undefined)[], output: string | undefined) =>
    create(NodeProtoSchema, {
      name: fresh(`${node.name}_${opType}`),
      opType,
      input: inputs.map((name) => name ?? ''),
      output: [output ?? ''],
    });
  return [
    make('Shape', [input], shape),
    withAttribute(make('Flatten', [input], flat), integerOf('axis', axis)),
    changed(withAttribute(without(node, 'axis'), integerOf('axis', -1)), {
      input: [flat ?? ''],
      output: [soft ?? ''],
    }),
    make('Reshape', [soft, shape], node.output[0]),
  ];
}

function attributeToInput(
  node: NodeProto,
  { fresh }: Place,
  name: string,
  position: number,
): readonly NodeProto[] {
  const attribute = find(node, name);
  if (attribute === undefined) return [node];
  const constant = fresh(`${node.name}_${name}`);
  const value = integersToTensor('', [attribute.ints.length], attribute.ints.map(Number));
  const input = [...node.input];
  input[position] = constant;
  return [
    create(NodeProtoSchema, {
      name: constant,
      opType: 'Constant',
      output: [constant],
      attribute: [
        create(AttributeProtoSchema, {
          name: 'value',
          type: AttributeProto_AttributeType.TENSOR,
          t: value,
        }),
      ],
    }),
    changed(without(node, name), { input }),
  ];
}

function find(node: NodeProto, name: string): AttributeProto | undefined {
  return node.attribute.find((attribute) => attribute.name === name);
}

function textAttribute(node: NodeProto, name: string): string | undefined {
  const attribute = find(node, name);
  return attribute === undefined ? undefined : Buffer.from(attribute.s).toString();
}

function without(node: NodeProto, ...names: readonly string[]): NodeProto {
  return changed(node, { attribute: node.attribute.filter(({ name }) => !names.includes(name)) });
}

function withAttribute(node: NodeProto, attribute: AttributeProto): NodeProto {
  return changed(node, { attribute: [...node.attribute, attribute] });
}

function integerOf(name: string, value: number): AttributeProto {
  return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.INT, i: BigInt(value) });
}

function textOf(name: string, value: string): AttributeProto {
  return create(AttributeProtoSchema, {
    name,
    type: AttributeProto_AttributeType.STRING,
    s: Buffer.from(value),
  });
}

/** Names for new tensors and nodes. */
function freshNames(graph: Graph): (base: string) => string {
  const taken = new Set([
    ...graph.inputs,
    ...graph.proto.initializer.map(({ name }) => name),
    ...graph.nodes.flatMap(({ name, outputs }) => [name, ...outputs]),
  ]);
  return (base) => {
    let name = base;
    for (let i = 1; taken.has(name); i++) name = `${base}.${i}`;
    taken.add(name);
    return name;
  };
}
