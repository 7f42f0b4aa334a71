import { create } from '@bufbuild/protobuf';
import type { Ranges } from '../calibration/index.js';
import {
  NodeProtoSchema,
  ValueInfoProtoSchema,
  buildGraph,
  changed,
  type Graph,
  type GraphNode,
  type GraphProto,
  type Model,
  type ModelProto,
  type NodeProto,
} from '../onnx/index.js';
import { weightOf } from './layers.js';
import { quantize } from './quantize.js';
import type { OperatorScope } from './types.js';

/** A network that measures what rounding does to the mean of each layer's output. */
export interface BiasProbe {
  readonly proto: ModelProto;
  /** Outputs by layer: mean over space of what the layer gives in INT8 minus what it gives in float, [1, channels, 1, 1]. */
  readonly outputs: ReadonlyMap<string, string>;
}

/** Layers whose output can be shifted: convolutions whose bias, if they have one, is constant. */
export function canShift(graph: Graph, node: GraphNode): boolean {
  if (node.opType !== 'Conv' && node.opType !== 'ConvTranspose') return false;
  const bias = node.inputs[2] ?? '';
  return weightOf(graph, node) !== undefined && (bias === '' || graph.constant(bias) !== undefined);
}

/**
 * The network in float and, beside each layer, that layer in INT8 on the same float input: its error is its own, whatever
 * other layers of a plan do, so that one pass serves every plan.
 */
export function biasProbe(model: Model, scope: OperatorScope, ranges: Ranges): BiasProbe {
  const everything = { version: 1, operators: scope, default: 'int8', layers: {} } as const;
  const { proto, int8Layers } = quantize(model, everything, ranges);
  const source = proto.graph as GraphProto;
  const float = new Map<string, string>();
  const codes = new Map<string, string>();
  for (const { opType, input, output } of source.node)
    if (opType === 'QuantizeLinear') codes.set(output[0] ?? '', input[0] ?? '');
    else if (opType === 'DequantizeLinear' && codes.has(input[0] ?? ''))
      float.set(output[0] ?? '', codes.get(input[0] ?? '') as string);
  const graph = buildGraph({ proto: { ...proto, graph: withFloat(source, float) } });
  const layers = new Map(
    int8Layers.map(({ name, nodes }) => [graph.nodes[nodes[0] as number]?.outputs[0] ?? '', name]),
  );
  const outputs = new Map<string, string>();
  const beside: NodeProto[][] = [];
  const plain = source.node.map((one): NodeProto => {
    if (one.opType === 'QuantizeLinear' || one.opType === 'DequantizeLinear') return one;
    const inFloat = changed(one, { input: one.input.map((name) => float.get(name) ?? name) });
    const name = one.output[0] ?? '';
    const [layer, known] = [layers.get(name), graph.producerOf(name)];
    if (layer === undefined || known === undefined || !canShift(graph, known)) return inFloat;
    const [rounded, error, mean] = [`${name}_rounded`, `${name}_error`, `${name}_shift`];
    outputs.set(layer, mean);
    const make = (opType: string, input: string[], output: string): NodeProto =>
      create(NodeProtoSchema, { name: output, opType, input, output: [output] });
    beside.push([
      changed(one, { name: rounded, output: [rounded] }),
      make('Sub', [rounded, name], error),
      make('GlobalAveragePool', [error], mean),
    ]);
    return inFloat;
  });
  // onnxruntime walks up from the ends of the graph, the last in the file first. So the first layer's end stands last: what it
  // reads is computed and freed before the next layer's, where else all activations in float are alive at once.
  const node = [...plain, ...beside.reverse().flat()];
  const output = [...outputs.values()].map((name) => create(ValueInfoProtoSchema, { name }));
  return { proto: changed(proto, { graph: changed(source, { node, output }) }), outputs };
}

function withFloat(source: GraphProto, float: ReadonlyMap<string, string>): GraphProto {
  return changed(source, {
    node: source.node.flatMap((one) =>
      /^(De)?[Qq]uantizeLinear$/.test(one.opType)
        ? []
        : [changed(one, { input: one.input.map((name) => float.get(name) ?? name) })],
    ),
  });
}
