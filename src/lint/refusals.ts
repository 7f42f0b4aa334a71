import { TensorProto_DataType, opsetOf, type GraphNode, type ModelProto } from '../onnx/index.js';
import { isCompute } from '../quantization/index.js';
import type { LintFinding } from './types.js';
import type { QdqView, Quantizer } from './view.js';

const { FLOAT, FLOAT16, BFLOAT16, INT8, UINT8, INT32, INT64 } = TensorProto_DataType;

/** Integer operators that TensorRT's parser does not import. Source: onnx-tensorrt, docs/operators.md. */
export const INTEGER_OPERATOR =
  /^(QLinear\w+|ConvInteger|MatMulInteger|DynamicQuantizeLinear|QGemm|QAttention|DynamicQuantize\w+|MatMulIntegerToFloat)$/;

type Found = Omit<LintFinding, 'severity' | 'node'> & { readonly severity?: LintFinding['severity'] };

/** What makes TensorRT refuse the file. */
export function* refusals(view: QdqView, proto: ModelProto): Generator<LintFinding> {
  const opset = opsetOf(proto);
  for (const node of view.graph.nodes) {
    for (const found of [integerOperator(node), integerConstant(view, node)])
      if (found !== undefined) yield { severity: 'refused', ...found, node: node.name };
  }
  for (const one of view.quantizers)
    for (const found of [...types(one), ...scales(view, one, opset), ...places(view, one)])
      yield { severity: 'refused', ...found, node: one.node.name };
}

function integerOperator({ opType, proto }: GraphNode): Found | undefined {
  if (INTEGER_OPERATOR.test(opType))
    return {
      rule: 'integer-operator',
      why: `${opType} is an integer operator that TensorRT's parser does not import`,
      fix: 'Quantize with Q/DQ pairs around float operators (QuantFormat.QDQ in onnxruntime.quantization, static instead of dynamic).',
    };
  return isQdq(opType) && !['', 'ai.onnx'].includes(proto.domain)
    ? {
        rule: 'foreign-domain',
        severity: 'note',
        why: `${opType} comes from the domain ${proto.domain}: TensorRT 10.6 takes it as ONNX's own, other readers of ONNX may not know it`,
        fix: 'Quantize without `UseQDQContribOps`.',
      }
    : undefined;
}

function isQdq(opType: string): boolean {
  return opType === 'QuantizeLinear' || opType === 'DequantizeLinear';
}

/** INT8 constants that something else than DequantizeLinear reads, if only to reshape them. */
function integerConstant({ graph }: QdqView, { opType, inputs }: GraphNode): Found | undefined {
  // Not tried with TensorRT: Identity, by which exporters share one constant.
  if (isQdq(opType) || opType === 'Identity' || INTEGER_OPERATOR.test(opType)) return undefined;
  const name = inputs.find((input) => graph.constant(input)?.dataType === INT8);
  return name === undefined
    ? undefined
    : {
        rule: 'quantized-constant',
        why: `is a ${opType} that reads the INT8 constant ${name}: TensorRT stops with "Quantized constant is only allowed before DQ or PLUGIN"`,
        fix: `Put DequantizeLinear directly behind the constant, and ${opType} behind that; or store the constant in the form that is wanted.`,
      };
}

function* types({ kind, codeType, zeroType, zeroPoint, constant, node }: Quantizer): Generator<Found> {
  if (codeType === INT32) {
    yield {
      rule: 'int32-bias',
      why: 'dequantizes INT32, a bias: TensorRT takes biases in float alone',
      fix: 'Keep biases in float (onnxruntime.quantization: `extra_options={"QuantizeBias": False}`).',
    };
    return;
  }
  if (codeType === UINT8 && (kind === 'Q' || zeroType === UINT8 || constant !== undefined)) {
    yield unsigned(node, constant === undefined && zeroPoint?.every((value) => value === 0) === true);
    return;
  }
  if (
    codeType !== undefined &&
    codeType !== INT8 &&
    // FLOAT: what an integer operator gives, whose type is not inferred.
    ![UINT8, INT64, FLOAT].includes(codeType) &&
    codeType < 17
  )
    yield {
      rule: 'code-type',
      why: `quantizes to ${TensorProto_DataType[codeType] ?? codeType}; for INT8 engines TensorRT knows INT8 alone`,
      fix: 'Quantize to QInt8.',
    };
  const shifted = zeroPoint?.find((value) => value !== 0);
  if (shifted !== undefined)
    yield {
      rule: 'asymmetric',
      why: `has zero point ${shifted}; TensorRT is symmetric: its zero point is 0`,
      fix: 'Quantize symmetrically (`ActivationSymmetric: True`, `WeightSymmetric: True`) and calibrate again.',
    };
}

/** @param taken whether TensorRT takes the codes, as INT8: onnx-tensorrt's QuantizeLinear warns, and goes on */
function unsigned({ inputs }: GraphNode, taken: boolean): Found {
  if (inputs[2] === undefined || inputs[2] === '')
    return {
      rule: 'no-zero-point',
      severity: 'note',
      why: 'has no zero point: TensorRT takes that as INT8, ONNX and other runtimes as UINT8, which cuts negative values off',
      fix: 'Give it an INT8 zero point of 0.',
    };
  const fix =
    'Quantize activations and weights to INT8, symmetric (onnxruntime.quantization: QInt8 and `ActivationSymmetric: True`).';
  return taken
    ? {
        rule: 'unsigned',
        severity: 'misread',
        why: 'quantizes to UINT8 with zero point 0: TensorRT warns and takes INT8 with the same scale, which cuts off all values beyond half of the range',
        fix,
      }
    : { rule: 'unsigned', why: 'quantizes to UINT8; TensorRT quantizes to INT8 with zero point 0', fix };
}

function* scales(view: QdqView, one: Quantizer, opset: number): Generator<Found> {
  const { scale, scaleType, constant, axis, kind, node, input } = one;
  if (scale === undefined) {
    yield {
      rule: 'scale-not-constant',
      why: `takes its scale from ${node.inputs[1] ?? 'nowhere'}, which is computed: TensorRT fixes scales at build time`,
      fix: 'Quantize statically: calibrate, then write scales as initializers.',
    };
    return;
  }
  const bad = scale.findIndex((value) => !(value > 0));
  if (bad >= 0)
    yield {
      rule: 'scale-value',
      why: `scale${scale.length > 1 ? `[${bad}]` : ''} is ${scale[bad]}: TensorRT stops with "Scale coefficients must all be positive"`,
      fix:
        scale[bad] === 0
          ? 'A channel or tensor of zeros: write scale 1.'
          : 'The calibration is damaged: calibrate again.',
    };
  if (scale.length > 1) {
    const dims = constant?.dims.map(Number) ?? view.graph.shape(input);
    const size = dims?.[axis < 0 ? axis + dims.length : axis];
    if (constant === undefined)
      yield {
        rule: 'activation-per-channel',
        severity: 'slow',
        why: `has ${scale.length} scales for an activation, which takes a kernel of its own in TensorRT 10.6; others stop with an assertion`,
        fix: 'Quantize activations per tensor.',
      };
    else if (!one.moved && size !== undefined && size !== scale.length)
      yield {
        rule: 'scale-count',
        why: `has ${scale.length} scales for ${size} channels along axis ${axis}`,
        fix: 'Write one scale per channel along the axis of output channels.',
      };
    if (opset < 13)
      yield {
        rule: 'opset',
        severity: 'note',
        why: `has one scale per channel in opset ${opset}, where Q/DQ know no axis: other readers of ONNX refuse the file`,
        fix: 'Quantize the model in opset 13 or newer.',
      };
  }
  if ((scaleType === FLOAT16 || scaleType === BFLOAT16) && opset < 19)
    yield {
      rule: 'opset',
      severity: 'note',
      why: `has a scale in ${TensorProto_DataType[scaleType]} in opset ${opset}; Q/DQ know it from opset 19 on, and other readers of ONNX refuse the file`,
      fix: 'Write scales in FP32, or raise the model to opset 19 for a strongly typed network.',
    };
  const source = view.graph.elementType(input);
  if (
    kind === 'Q' &&
    source !== undefined &&
    scaleType !== undefined &&
    [FLOAT, FLOAT16, BFLOAT16].includes(source) &&
    source !== scaleType
  )
    yield {
      rule: 'scale-type',
      severity: 'note',
      why: `quantizes ${TensorProto_DataType[source]} with a scale in ${TensorProto_DataType[scaleType]}: weakly typed TensorRT builds it; ONNX and strongly typed networks want both alike`,
      fix: 'Write the scale in the type of what is quantized.',
    };
}

/** Operators that may stand between Q and DQ: they move integers. */
const MOVES = new Set([
  'Reshape',
  'Transpose',
  'Identity',
  'Squeeze',
  'Unsqueeze',
  'Flatten',
  'Slice',
  'Split',
  'Concat',
  'MaxPool',
  'Gather',
]);

function* places(view: QdqView, one: Quantizer): Generator<Found> {
  const { graph } = view;
  const { kind, output, constant } = one;
  if (kind === 'Q') {
    const readers = graph.consumersOf(output);
    const other = readers.find(({ opType }) => opType !== 'DequantizeLinear');
    if (constant !== undefined && other !== undefined)
      yield {
        rule: 'quantized-constant',
        why: `quantizes a constant for ${other.name} (${other.opType}): a quantized constant is only allowed before DequantizeLinear`,
        fix: 'Put DequantizeLinear directly behind it, or leave the constant in float.',
      };
    else if (other !== undefined && !MOVES.has(other.opType) && !INTEGER_OPERATOR.test(other.opType))
      yield {
        rule: 'q-without-dq',
        why: `its integers go to ${other.name} (${other.opType}), which computes in float`,
        fix: 'Put DequantizeLinear between them.',
      };
    return;
  }
  if (constant === undefined || one.codeType === INT32) return;
  const other = graph
    .consumersOf(output)
    .find((node) => !(isCompute(node) && node.inputs[1] === output) && node.opType !== 'Identity');
  if (other === undefined || reachesWeight(view, output)) return;
  const fix =
    'Leave the constant in float: quantize Conv, ConvTranspose, Gemm and MatMul only (`op_types_to_quantize`).';
  const behind = graph.consumersOf(other.outputs[0] ?? '').some(({ opType }) => opType === 'QuantizeLinear');
  // Measured with 10.6: an Add of a dequantized constant is built, onnxruntime's all-operator files are not.
  yield behind
    ? {
        rule: 'quantized-constant',
        why: `dequantizes a constant for ${other.name} (${other.opType}) with INT8 on all sides: TensorRT stops with "Quantized constant is only allowed before DQ or PLUGIN"`,
        fix,
      }
    : {
        rule: 'constant-rounded',
        severity: 'slow',
        why: `dequantizes a constant for ${other.name} (${other.opType}), which is no layer with weights: it is rounded for nothing, and dequantized in every run`,
        fix,
      };
}

/** Weights may be transposed or reshaped on their way. */
function reachesWeight({ graph }: QdqView, output: string): boolean {
  return graph.consumersOf(output).every((node) => {
    if (isCompute(node)) return node.inputs[1] === output || node.opType === 'MatMul';
    const moved = node.outputs[0] ?? '';
    return ['Transpose', 'Reshape', 'Identity', 'Squeeze', 'Unsqueeze'].includes(node.opType)
      ? graph.consumersOf(moved).every((next) => isCompute(next) && next.inputs[1] === moved)
      : false;
  });
}
