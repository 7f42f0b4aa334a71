import {
  TensorProto_DataType,
  attributeOf,
  intAttribute,
  tensorToFloats,
  tensorToIntegers,
  type Graph,
  type GraphNode,
  type TensorProto,
} from '../onnx/index.js';
import { movedInputs } from '../quantization/index.js';

/** A QuantizeLinear or DequantizeLinear, looked up. */
export interface Quantizer {
  readonly node: GraphNode;
  readonly kind: 'Q' | 'DQ';
  readonly input: string;
  readonly output: string;
  /** Undefined when the scale is not constant. */
  readonly scale: Float32Array | undefined;
  readonly scaleType: TensorProto_DataType | undefined;
  /** Undefined when there is none, or it is not constant. */
  readonly zeroPoint: readonly number[] | undefined;
  readonly zeroType: TensorProto_DataType | undefined;
  /** Type of the integers; what a Q without zero point gives is UINT8 by ONNX. */
  readonly codeType: TensorProto_DataType | undefined;
  readonly axis: number;
  /** The constant that it starts from; of a DQ also through Q and through operators that only move values. */
  readonly constant: TensorProto | undefined;
  /** True when operators that move values stand between a DQ and its constant, whose axes are then others. */
  readonly moved: boolean;
}

/** A graph with its quantizers. */
export interface QdqView {
  readonly graph: Graph;
  readonly quantizers: readonly Quantizer[];
  /** By tensor that is dequantized: the DQ that it comes from, also through operators that only move values. */
  readonly dequantized: ReadonlyMap<string, Quantizer>;
  /** The quantizer that gives a tensor. */
  by(output: string): Quantizer | undefined;
  /** Constant value, also through Identity (as PyTorch writes shared ones). */
  constant(name: string): TensorProto | undefined;
}

const INTEGERS = new Set([TensorProto_DataType.INT8, TensorProto_DataType.UINT8, TensorProto_DataType.INT32]);

/** Looks all quantizers up. */
export function viewQuantizers(graph: Graph): QdqView {
  const constant = (name: string): TensorProto | undefined => {
    const producer = graph.producerOf(name);
    return (
      graph.constant(name) ??
      (producer?.opType === 'Identity' ? constant(producer.inputs[0] ?? '') : undefined)
    );
  };
  const found = new Map<string, Quantizer>();
  const origin = (name: string): TensorProto | undefined => {
    const producer = graph.producerOf(name);
    const [moved, ...others] = producer === undefined ? [] : movedInputs(producer);
    return (
      constant(name) ??
      found.get(name)?.constant ??
      (moved === undefined || others.length > 0 ? undefined : origin(moved))
    );
  };
  for (const node of graph.nodes) {
    if (node.opType !== 'QuantizeLinear' && node.opType !== 'DequantizeLinear') continue;
    const [input = '', scaleName = '', zeroName = ''] = node.inputs;
    const scale = constant(scaleName);
    const zero = constant(zeroName);
    const kind = node.opType === 'QuantizeLinear' ? 'Q' : 'DQ';
    const zeroType = zeroName === '' ? undefined : (zero?.dataType ?? graph.elementType(zeroName));
    const output = node.outputs[0] ?? '';
    found.set(output, {
      node,
      kind,
      input,
      output,
      scale: scale === undefined ? undefined : scaleValues(scale),
      scaleType: scale?.dataType ?? graph.elementType(scaleName),
      zeroPoint: zero !== undefined && INTEGERS.has(zero.dataType) ? tensorToIntegers(zero) : undefined,
      zeroType,
      codeType:
        kind === 'DQ' ? (constant(input)?.dataType ?? graph.elementType(input)) : codeTypeOf(node, zeroType),
      axis: intAttribute(node, 'axis', 1),
      constant: kind === 'DQ' ? origin(input) : constant(input),
      moved: kind === 'DQ' && constant(input) === undefined && found.get(input) === undefined,
    });
  }
  return {
    graph,
    quantizers: [...found.values()],
    dequantized: dequantizedIn(graph, found),
    by: (output) => found.get(output),
    constant,
  };
}

function dequantizedIn(
  graph: Graph,
  quantizers: ReadonlyMap<string, Quantizer>,
): ReadonlyMap<string, Quantizer> {
  const found = new Map<string, Quantizer>();
  for (const node of graph.nodes) {
    const own = quantizers.get(node.outputs[0] ?? '');
    // TensorRT moves no DQ through Concat.
    const moved = node.opType === 'Concat' ? [] : movedInputs(node);
    const source = own?.kind === 'DQ' ? own : found.get(moved[0] ?? '');
    if (source !== undefined && (own?.kind === 'DQ' || moved.length > 0))
      for (const name of node.outputs) found.set(name, source);
  }
  return found;
}

/** Scales may be BFLOAT16, the upper half of a FLOAT; of types that hold no scale for INT8 there is nothing to say. */
function scaleValues(tensor: TensorProto): Float32Array {
  const { FLOAT, FLOAT16, DOUBLE, BFLOAT16 } = TensorProto_DataType;
  if ([FLOAT, FLOAT16, DOUBLE].includes(tensor.dataType)) return tensorToFloats(tensor);
  if (tensor.dataType !== BFLOAT16) return new Float32Array();
  const { rawData: raw } = tensor;
  const bits =
    raw.length === 0
      ? tensor.int32Data
      : [...raw.keys()].filter((i) => i % 2 === 0).map((i) => (raw[i] ?? 0) | ((raw[i + 1] ?? 0) << 8));
  return new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
}

function codeTypeOf(node: GraphNode, zeroType: TensorProto_DataType | undefined): TensorProto_DataType {
  const asked = Number(attributeOf(node, 'output_dtype')?.i ?? 0n);
  return zeroType ?? (asked === 0 ? TensorProto_DataType.UINT8 : asked);
}
