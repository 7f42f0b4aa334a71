import { create } from '@bufbuild/protobuf';
import {
  TensorProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
  type TensorProto,
} from './generated/onnx_pb.js';
import { InputFault } from '../faults/index.js';

const { FLOAT, FLOAT16, DOUBLE, INT8, UINT8, INT32, INT64, BOOL } = TensorProto_DataType;

/** Number of elements. */
export function elementCount(tensor: TensorProto): number {
  return tensor.dims.reduce((product, dim) => product * Number(dim), 1);
}

/** Bytes that one element takes, by ONNX data type; undefined for types that int8-gate never computes with. */
export function bytesPerElement(type: number): number | undefined {
  if (type === FLOAT || type === INT32) return 4;
  if (type === DOUBLE || type === INT64) return 8;
  if (type === FLOAT16) return 2;
  if (type === INT8 || type === UINT8 || type === BOOL) return 1;
  return undefined;
}

/** Values of a FLOAT, FLOAT16 or DOUBLE tensor as float32, a copy. @throws InputFault for another type or external data. */
export function tensorToFloats(tensor: TensorProto): Float32Array {
  const where = `initializer ${tensor.name}`;
  if (tensor.dataLocation === TensorProto_DataLocation.EXTERNAL)
    throw new InputFault({
      where,
      what: 'its data lies outside the model file and has not been loaded',
      fix: 'Keep the file of weights beside the .onnx file.',
    });
  const raw = tensor.rawData;
  switch (tensor.dataType) {
    case FLOAT:
      if (raw.length === 0) return Float32Array.from(tensor.floatData);
      return new Float32Array(aligned(raw, 4, where));
    case DOUBLE:
      if (raw.length === 0) return Float32Array.from(tensor.doubleData);
      return Float32Array.from(new Float64Array(aligned(raw, 8, where)));
    case FLOAT16: {
      const bits =
        raw.length === 0 ? Uint16Array.from(tensor.int32Data) : new Uint16Array(aligned(raw, 2, where));
      return Float32Array.from(bits, halfToFloat);
    }
    default:
      throw new InputFault({
        where,
        what: `has type ${TensorProto_DataType[tensor.dataType] ?? tensor.dataType}, expected floats`,
        fix: 'Export the model in FP32.',
      });
  }
}

/** Values of an integer tensor (INT64, INT32, INT8, UINT8, BOOL) as numbers. */
export function tensorToIntegers(tensor: TensorProto): number[] {
  const where = `initializer ${tensor.name}`;
  const raw = tensor.rawData;
  switch (tensor.dataType) {
    case INT64:
      return raw.length === 0
        ? tensor.int64Data.map(Number)
        : Array.from(new BigInt64Array(aligned(raw, 8, where)), Number);
    case INT32:
      return raw.length === 0 ? [...tensor.int32Data] : Array.from(new Int32Array(aligned(raw, 4, where)));
    case INT8:
      return raw.length === 0 ? [...tensor.int32Data] : Array.from(new Int8Array(aligned(raw, 1, where)));
    case UINT8:
    case BOOL:
      return raw.length === 0 ? [...tensor.int32Data] : Array.from(raw);
    default:
      throw new InputFault({
        where,
        what: `has type ${TensorProto_DataType[tensor.dataType] ?? tensor.dataType}, expected integers`,
        fix: 'Export the model again: the operator that reads this takes integers.',
      });
  }
}

/** A FLOAT initializer. */
export function floatsToTensor(name: string, dims: readonly number[], data: Float32Array): TensorProto {
  const rawData = new Uint8Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
  return create(TensorProtoSchema, { name, dims: dims.map(BigInt), dataType: FLOAT, rawData });
}

/** An INT8 initializer. */
export function int8Tensor(name: string, dims: readonly number[], data: Int8Array): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: dims.map(BigInt),
    dataType: INT8,
    rawData: new Uint8Array(data),
  });
}

/** An INT64 initializer. */
export function integersToTensor(
  name: string,
  dims: readonly number[],
  data: readonly number[],
): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: dims.map(BigInt),
    dataType: INT64,
    rawData: new Uint8Array(BigInt64Array.from(data, BigInt).buffer),
  });
}

/** A FLOAT16 initializer, rounded to nearest even. */
export function halvesToTensor(name: string, dims: readonly number[], data: Float32Array): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: dims.map(BigInt),
    dataType: FLOAT16,
    rawData: new Uint8Array(Uint16Array.from(data, floatToHalf).buffer),
  });
}

/** raw_data starts anywhere in the file; typed arrays want aligned memory, so it is copied. */
function aligned(raw: Uint8Array, size: number, where: string): ArrayBuffer {
  if (raw.length % size !== 0)
    throw new InputFault({
      where,
      what: `holds ${raw.length} bytes, no multiple of ${size}: the model file is damaged`,
      fix: 'Export the model again, or copy it whole.',
    });
  // A Buffer's own slice() would share memory; the copy must start at 0.
  return Uint8Array.from(raw).buffer;
}

/** IEEE 754 binary16 to binary32. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** Largest finite binary16. */
export const HALF_MAX = 65504;

/** IEEE 754 binary32 to binary16, to nearest, ties to even; beyond 65520 it is infinite. */
export function floatToHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  // Below 2^-14 steps are 2^-24 wide; a carry into the next exponent falls out of the sum.
  const exponent = size < 2 ** -14 ? -14 : Math.floor(Math.log2(size));
  const exact = 2 ** exponent > size && size >= 2 ** -14 ? exponent - 1 : exponent;
  const steps = roundHalfEven(size * 2 ** (10 - exact));
  return sign | (size < 2 ** -14 ? steps : ((exact + 15) << 10) + steps - 1024);
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
