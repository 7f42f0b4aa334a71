import type { Graph, ModelProto } from '../onnx/index.js';

/** How the nodes are called that a tool alone writes. */
const NAMES: readonly (readonly [pattern: RegExp, tool: string])[] = [
  [/\/_(input|weight|residual)_?\w*quantizer\/QuantizeLinear/, 'pytorch-quantization'],
  [/\/(input|weight|output)_quantizer\/QuantizeLinear/, 'ModelOpt (PyTorch)'],
  [/^(Quantize|Dequantize)Linear_.+_\d+$/, 'NNCF'],
];
/** Tools that sign their files. */
const SIGNED: Readonly<Record<string, string>> = {
  'onnx.quantize': 'onnxruntime.quantization or a tool built on it (ModelOpt, Neural Compressor)',
  'quark.onnx': 'AMD Quark',
};

/**
 * The tool that put the Q/DQ in, by its signature or the names of its nodes: most tools leave the exporter's name where
 * a file says who wrote it. Undefined when neither tells.
 */
export function quantizedBy({ producerName, metadataProps }: ModelProto, graph: Graph): string | undefined {
  const aimet = metadataProps.find(({ key, value }) => key === 'producer' && value.startsWith('aimet'));
  if (aimet !== undefined) return aimet.value;
  const signed = SIGNED[producerName];
  if (signed !== undefined) return signed;
  const quantizers = graph.nodes.filter(({ opType }) => opType === 'QuantizeLinear');
  return NAMES.find(([pattern]) => quantizers.some(({ name }) => pattern.test(name)))?.[1];
}
