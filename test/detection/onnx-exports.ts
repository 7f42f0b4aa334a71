import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataType,
  TensorShapeProtoSchema,
  TensorShapeProto_DimensionSchema,
  TypeProtoSchema,
  TypeProto_TensorSchema,
  ValueInfoProtoSchema,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from '../../src/onnx/generated/onnx_pb.js';
import {
  encodeModel,
  floatsToTensor,
  integersToTensor,
  parseModel,
  type Model,
} from '../../src/onnx/index.js';

export type Type = 'float32' | 'float16' | 'int64' | 'int32' | 'uint8';
export type Dims = readonly (number | string)[];
/** Values from a place on. */
export type Put = readonly [at: number, values: readonly number[]];

/** An output as an exporter declares it, and what it holds. */
export interface OutputWords {
  readonly name: string;
  readonly dims: Dims;
  readonly type?: Type;
  /** Dimensions of the data where the declared ones are free. */
  readonly ran?: readonly number[];
  readonly zero?: number;
  readonly puts?: readonly Put[];
  /** Element that grows by `value` when the middle pixel's first channel, as the model gets it, is `pixel`. */
  readonly seen?: { readonly at: number; readonly pixel: number; readonly value: number };
  /** Rows are multiplied (or divided) by the elements of a further input at these places; 2 means 1. */
  readonly scaled?: { readonly by: string; readonly at: readonly number[]; readonly divide?: boolean };
}

export interface ExportWords {
  readonly inputs: readonly (readonly [name: string, dims: Dims, type?: Type])[];
  readonly outputs: readonly OutputWords[];
  readonly metadata?: Readonly<Record<string, string>>;
  /** Operators that stand beside the way to the outputs, as a whole detector has them. */
  readonly operators?: readonly string[];
}

const TYPES: Readonly<Record<Type, TensorProto_DataType>> = {
  float32: TensorProto_DataType.FLOAT,
  float16: TensorProto_DataType.FLOAT16,
  int64: TensorProto_DataType.INT64,
  int32: TensorProto_DataType.INT32,
  uint8: TensorProto_DataType.UINT8,
};

/** A graph that answers with the given numbers, one of them taken from the image. */
export function exportOf({ inputs, outputs, metadata = {}, operators = [] }: ExportWords): Model {
  const nodes: NodeProto[] = [];
  const constants: TensorProto[] = [integersToTensor('one', [1], [1])];
  const node = (
    opType: string,
    input: readonly string[],
    output: string,
    ints: Record<string, bigint> = {},
  ) => {
    nodes.push(
      create(NodeProtoSchema, {
        name: output,
        opType,
        input: [...input],
        output: opType === 'TopK' ? [output, `${output}/at`] : [output],
        attribute: Object.entries(ints).map(([name, i]) =>
          create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.INT, i }),
        ),
      }),
    );
    return output;
  };
  const floats = (name: string, dims: readonly number[], values: ArrayLike<number>): string => {
    constants.push(floatsToTensor(name, dims, Float32Array.from(values)));
    return name;
  };
  const cast = (from: string, to: Type, name: string) =>
    node('Cast', [from], name, { to: BigInt(TYPES[to]) });

  const pixel = middlePixel(inputs, node, cast, constants);
  for (const { name, dims, type = 'float32', ran, zero = 0, puts = [], seen, scaled } of outputs) {
    const shape = ran ?? (dims as readonly number[]);
    const count = shape.reduce((a, b) => a * b, 1);
    const data = new Float32Array(count).fill(zero);
    for (const [at, values] of puts) values.forEach((value, i) => (data[at + i] = value));
    const mask = new Float32Array(count);
    if (seen !== undefined) mask[seen.at] = seen.value / seen.pixel;
    const lit = node('Mul', [pixel, floats(`${name}/mask`, shape, mask)], `${name}/lit`);
    let last = node('Add', [lit, floats(`${name}/data`, shape, data)], `${name}/float`);
    if (scaled !== undefined) {
      const sides = cast(scaled.by, 'float32', `${name}/sides`);
      const flat = node('Reshape', [sides, constant(constants, `${name}/two`, [2])], `${name}/flat`);
      const padded = node('Concat', [flat, floats(`${name}/unit`, [1], [1])], `${name}/padded`, { axis: 0n });
      const at = constant(constants, `${name}/at`, scaled.at);
      const factors = node('Gather', [padded, at], `${name}/factors`);
      last = node(scaled.divide === true ? 'Div' : 'Mul', [last, factors], `${name}/scaled`);
    }
    cast(last, type, name);
  }
  for (const opType of operators) beside(opType, node, floats);
  const proto = create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [create(OperatorSetIdProtoSchema, { domain: '', version: 17n })],
    metadataProps: Object.entries(metadata).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value }),
    ),
    graph: create(GraphProtoSchema, {
      name: 'main_graph',
      node: nodes,
      input: inputs.map(([name, dims, type = 'float32']) => info(name, dims, type)),
      output: outputs.map(({ name, dims, type = 'float32' }) => info(name, dims, type)),
      initializer: constants,
    }),
  });
  return parseModel(encodeModel(proto), 'export.onnx');
}

type Node = (
  opType: string,
  input: readonly string[],
  output: string,
  ints?: Record<string, bigint>,
) => string;

function middlePixel(
  inputs: ExportWords['inputs'],
  node: Node,
  cast: (from: string, to: Type, name: string) => string,
  constants: TensorProto[],
): string {
  const [image, dims] = inputs.find(
    ([name, d]) => d.length === 4 || (d.length === 3 && name !== 'pixel_mask'),
  )!;
  const last = dims.length - 1;
  const nhwc = dims[last] === 3;
  const starts = dims.map((_, axis) =>
    (nhwc ? axis === last - 1 || axis === last - 2 : axis >= last - 1) ? 32 : 0,
  );
  const slice = [starts, starts.map((at) => at + 1)].map((values, i) =>
    constant(constants, `pixel/${['starts', 'ends'][i]}`, values),
  );
  const cut = node('Slice', [cast(image, 'float32', 'image/float'), ...slice], 'pixel/cut');
  return node('Reshape', [cut, 'one'], 'pixel');
}

function constant(constants: TensorProto[], name: string, values: readonly number[]): string {
  constants.push(integersToTensor(name, [values.length], values));
  return name;
}

function beside(
  opType: string,
  node: Node,
  floats: (name: string, dims: readonly number[], values: ArrayLike<number>) => string,
): void {
  const name = `beside/${opType}`;
  const plane = (): string => floats(`${name}/x`, [1, 1, 1, 1], [0]);
  if (opType === 'GridSample') node(opType, [plane(), floats(`${name}/grid`, [1, 1, 1, 2], [0, 0])], name);
  else if (opType === 'TopK') node(opType, [plane(), 'one'], name);
  else if (opType === 'Sub') node(opType, [plane(), `${name}/x`], name);
  else node(opType, [plane()], name);
}

function info(name: string, dims: Dims, type: Type): ValueInfoProto {
  const dim = dims.map((one) =>
    create(TensorShapeProto_DimensionSchema, {
      value:
        typeof one === 'number' ? { case: 'dimValue', value: BigInt(one) } : { case: 'dimParam', value: one },
    }),
  );
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, {
      value: {
        case: 'tensorType',
        value: create(TypeProto_TensorSchema, {
          elemType: TYPES[type],
          shape: create(TensorShapeProtoSchema, { dim }),
        }),
      },
    }),
  });
}
