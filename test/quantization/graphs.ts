import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorShapeProtoSchema,
  TensorShapeProto_DimensionSchema,
  TypeProtoSchema,
  TypeProto_TensorSchema,
  ValueInfoProtoSchema,
  type AttributeProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from '../../src/onnx/generated/onnx_pb.js';
import { encodeModel, floatsToTensor, parseModel, type Model } from '../../src/onnx/index.js';

/** A graph in words. */
export interface Words {
  readonly opset?: number;
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
  readonly outputs: readonly string[];
  /** `y = Conv(x, w){strides=[2,2]}`; nodes are called as their first output. */
  readonly nodes: readonly string[];
  /** Initializers; names starting with `w` that are not given are 1×1 weights of 8 by 8 channels. */
  readonly constants?: readonly TensorProto[];
}

/** Builds a model from words; every tensor is FLOAT unless operators say otherwise. */
export function modelOf({
  opset = 17,
  inputs = { x: [1, 8, 8, 8] },
  outputs,
  nodes,
  constants = [],
}: Words): Model {
  const node = nodes.map(nodeOf);
  const given = new Set([...constants.map(({ name }) => name), ...node.flatMap(({ output }) => output)]);
  const weights = [...new Set(node.flatMap(({ input }) => input))].filter(
    (name) => name.startsWith('w') && !given.has(name),
  );
  const proto = create(ModelProtoSchema, {
    irVersion: opset > 18 ? 10n : 8n,
    opsetImport: [create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(opset) })],
    graph: create(GraphProtoSchema, {
      name: 'words',
      node,
      input: Object.entries(inputs).map(([name, dims]) => info(name, dims)),
      output: outputs.map((name) => info(name)),
      initializer: [...constants, ...weights.map((name, i) => weightOf(name, i))],
    }),
  });
  return parseModel(encodeModel(proto), 'words.onnx');
}

/** 8×8×1×1 numbers between -1 and 1. */
export function weightOf(name: string, seed: number, dims: readonly number[] = [8, 8, 1, 1]): TensorProto {
  const count = dims.reduce((a, b) => a * b, 1);
  return floatsToTensor(name, dims, noise(count, seed + 1));
}

/** Repeatable numbers between -1 and 1. */
export function noise(count: number, seed: number): Float32Array {
  return Float32Array.from(
    { length: count },
    (_, i) => ((Math.imul(i + 1, 2654435761) ^ Math.imul(seed, 40503)) >>> 0) / 2 ** 31 - 1,
  );
}

function nodeOf(words: string): NodeProto {
  const match = /^(.+?) = (\w+)\(([^)]*)\)(?:\{(.*)\})?$/.exec(words);
  if (match === null) throw new Error(`no node: ${words}`);
  const [, outputs = '', opType = '', inputs = '', attributes = ''] = match;
  const list = (text: string): string[] => (text === '' ? [] : text.split(',').map((one) => one.trim()));
  const output = list(outputs);
  return create(NodeProtoSchema, {
    name: output[0] ?? '',
    opType,
    input: list(inputs),
    output,
    attribute: [...attributes.matchAll(/(\w+)=(\[[^\]]*\]|[^,]+)/g)].map(([, name = '', value = '']) =>
      attributeFrom(name, value),
    ),
  });
}

function attributeFrom(name: string, value: string): AttributeProto {
  const { INT, INTS, FLOAT, STRING } = AttributeProto_AttributeType;
  if (value.startsWith('['))
    return create(AttributeProtoSchema, {
      name,
      type: INTS,
      ints: (JSON.parse(value) as number[]).map(BigInt),
    });
  if (/^-?\d+$/.test(value)) return create(AttributeProtoSchema, { name, type: INT, i: BigInt(value) });
  if (/^-?[\d.e-]+$/.test(value))
    return create(AttributeProtoSchema, { name, type: FLOAT, f: Number(value) });
  return create(AttributeProtoSchema, { name, type: STRING, s: Buffer.from(value) });
}

function info(name: string, dims?: readonly number[]): ValueInfoProto {
  const shape = dims && {
    shape: create(TensorShapeProtoSchema, {
      dim: dims.map((size) =>
        create(TensorShapeProto_DimensionSchema, { value: { case: 'dimValue', value: BigInt(size) } }),
      ),
    }),
  };
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, {
      value: { case: 'tensorType', value: create(TypeProto_TensorSchema, { elemType: 1, ...shape }) },
    }),
  });
}
