import { buildGraph, opsetOf, type Model } from '../onnx/index.js';
import { isCompute } from '../quantization/index.js';
import { inaccuracies } from './accuracy.js';
import { quantizedBy } from './maker.js';
import { INTEGER_OPERATOR, refusals } from './refusals.js';
import { runsInInt8, slowness } from './slow.js';
import type { LintFinding, LintResult, LintSeverity } from './types.js';
import { viewQuantizers, type QdqView } from './view.js';

const GRAVEST: readonly LintSeverity[] = ['refused', 'misread', 'accuracy', 'slow', 'note'];

/** Looks a model over for what TensorRT refuses or runs slowly. Never throws for what a model contains. */
export function lintModel(model: Model): LintResult {
  const graph = buildGraph(model);
  const view = viewQuantizers(graph);
  const layers = graph.nodes.filter(isCompute);
  const activations = view.quantizers.filter(({ kind, constant }) => kind === 'Q' && constant === undefined);
  const weights = new Set(
    layers
      .map(({ inputs }) => view.dequantized.get(inputs[1] ?? ''))
      .filter((one) => one?.constant !== undefined),
  );
  const tool = quantizedBy(model.proto, graph);
  const findings = [
    ...refusals(view, model.proto),
    ...(view.quantizers.length > 0 ? [...inaccuracies(view), ...slowness(view)] : []),
    ...(model.early ?? []).map(outOfOrder),
  ];
  return {
    file: model.name,
    opset: opsetOf(model.proto),
    producer: [model.proto.producerName, model.proto.producerVersion].filter(Boolean).join(' ') || 'unknown',
    ...(tool !== undefined && { tool }),
    style: styleOf(view),
    quantizers: { activations: activations.length, weights: weights.size },
    layers: { int8: layers.filter((node) => runsInInt8(view, node)).length, all: layers.length },
    integerOperators: graph.nodes.filter(({ opType }) => INTEGER_OPERATOR.test(opType)).length,
    findings: findings.sort((a, b) => GRAVEST.indexOf(a.severity) - GRAVEST.indexOf(b.severity)),
  };
}

function styleOf({ graph, quantizers }: QdqView): LintResult['style'] {
  const has = (pattern: RegExp): boolean => graph.nodes.some(({ opType }) => pattern.test(opType));
  if (has(/^Dynamic(Quantize|MatMul)/)) return 'dynamic';
  if (has(/^(QLinear|ConvInteger|MatMulInteger)/)) return 'operators';
  return quantizers.length > 0 ? 'Q/DQ' : 'none';
}

/** onnxruntime and TensorRT's parser (onnx-tensorrt, toposort.hpp; a probe so ordered was built) put nodes in order themselves. */
function outOfOrder(node: string): LintFinding {
  return {
    rule: 'node-order',
    severity: 'note',
    node,
    why: 'stands in the file in front of a node whose output it reads: ONNX wants the order of the data; onnxruntime and TensorRT sort nodes themselves, other readers may refuse the file',
    fix: 'Let the tool that wrote the file sort it (onnx.checker tells when it is right).',
  };
}
