import { TensorProto_DataType, type TensorProto, type ValueInfoProto } from './generated/onnx_pb.js';
import type { GraphNode } from './graph.js';

const { FLOAT, INT64, BOOL, UINT8, INT8, INT32 } = TensorProto_DataType;

/** Operators whose every output has a fixed type. */
const FIXED: Readonly<Record<string, TensorProto_DataType>> = {
  Shape: INT64,
  Size: INT64,
  ArgMax: INT64,
  ArgMin: INT64,
  NonZero: INT64,
  NonMaxSuppression: INT64,
  Equal: BOOL,
  Less: BOOL,
  LessOrEqual: BOOL,
  Greater: BOOL,
  GreaterOrEqual: BOOL,
  Not: BOOL,
  And: BOOL,
  Or: BOOL,
  Xor: BOOL,
  IsNaN: BOOL,
  IsInf: BOOL,
  ConvInteger: INT32,
  MatMulInteger: INT32,
  RandomNormal: FLOAT,
  RandomUniform: FLOAT,
};
/** Operators whose type is that of another input than the first. */
const LIKE_INPUT: Readonly<Record<string, number>> = { Where: 1, DequantizeLinear: 1, OneHot: 2, Pad: 0 };
/** Operators whose second output is indices. */
const INDEX_OUTPUT = new Set(['TopK', 'MaxPool', 'Unique']);

/** Element types of all tensors: what the file states, else by each operator's rule, most often that of its first input. */
export function inferElementTypes(
  nodes: readonly GraphNode[],
  infos: ReadonlyMap<string, ValueInfoProto>,
  initializers: ReadonlyMap<string, TensorProto>,
): ReadonlyMap<string, TensorProto_DataType> {
  const types = new Map<string, TensorProto_DataType>();
  for (const [name, tensor] of initializers) types.set(name, tensor.dataType);
  for (const [name, info] of infos) {
    const type = info.type?.value;
    if (type?.case === 'tensorType' && type.value.elemType !== 0) types.set(name, type.value.elemType);
  }
  for (const node of nodes)
    node.outputs.forEach((output, position) => {
      if (output === '' || types.has(output)) return;
      const type = outputType(node, position, types);
      if (type !== undefined) types.set(output, type);
    });
  return types;
}

function outputType(
  node: GraphNode,
  position: number,
  types: ReadonlyMap<string, TensorProto_DataType>,
): TensorProto_DataType | undefined {
  const attribute = (name: string) => node.proto.attribute.find((a) => a.name === name);
  if (position > 0 && INDEX_OUTPUT.has(node.opType)) return INT64;
  switch (node.opType) {
    case 'Cast':
      return Number(attribute('to')?.i ?? 1n);
    case 'Constant':
      return (
        attribute('value')?.t?.dataType ??
        ((attribute('value_ints') ?? attribute('value_int')) ? INT64 : FLOAT)
      );
    case 'ConstantOfShape':
      return attribute('value')?.t?.dataType ?? FLOAT;
    case 'QuantizeLinear':
      return (node.inputs[2] !== undefined && types.get(node.inputs[2])) || UINT8;
    case 'QLinearConv':
    case 'QLinearMatMul':
      return types.get(node.inputs[7] ?? '') ?? INT8;
    case 'DynamicQuantizeLinear':
      return position === 1 ? FLOAT : UINT8;
    default:
      return FIXED[node.opType] ?? types.get(node.inputs[LIKE_INPUT[node.opType] ?? 0] ?? '');
  }
}
