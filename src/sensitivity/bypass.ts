import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema, type GraphProto, type ModelProto, type NodeProto } from '../onnx/index.js';

/** A quantized model without the Q/DQ of its weights, or without that of its activations. */
export function bypass(proto: ModelProto, side: 'weight' | 'activation'): ModelProto {
  return bypassWhere(proto, (_tensor, isWeight) => isWeight === (side === 'weight'));
}

/** A quantized model without the Q/DQ of some tensors: of those where `without` says so of the name in front of Q. */
export function bypassWhere(
  proto: ModelProto,
  without: (tensor: string, isWeight: boolean) => boolean,
): ModelProto {
  const graph = proto.graph as GraphProto;
  const makers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const weights = new Set(graph.initializer.map(({ name }) => name));
  const leaves = new Set(graph.output.map(({ name }) => name));
  const instead = new Map<string, string>();
  const node = graph.node.flatMap((one): NodeProto[] => {
    const from = one.opType === 'DequantizeLinear' ? quantizedFrom(one, makers) : undefined;
    if (from === undefined || !without(from, isWeight(from, weights, makers))) return [one];
    const to = one.output[0] ?? '';
    if (leaves.has(to))
      return [create(NodeProtoSchema, { name: one.name, opType: 'Identity', input: [from], output: [to] })];
    instead.set(to, from);
    return [];
  });
  return {
    ...proto,
    graph: {
      ...graph,
      node: node.map((one) => ({ ...one, input: one.input.map((name) => resolved(name, instead)) })),
    },
  };
}

/** Where a dequantized tensor's values come from. */
function quantizedFrom(node: NodeProto, makers: ReadonlyMap<string, NodeProto>): string | undefined {
  const maker = makers.get(node.input[0] ?? '');
  return maker?.opType === 'QuantizeLinear' ? maker.input[0] : undefined;
}

function isWeight(
  name: string,
  weights: ReadonlySet<string>,
  makers: ReadonlyMap<string, NodeProto>,
): boolean {
  const maker = makers.get(name);
  if (maker === undefined) return weights.has(name);
  return maker.opType === 'Constant' || (maker.opType === 'Identity' && weights.has(maker.input[0] ?? ''));
}

function resolved(name: string, instead: ReadonlyMap<string, string>): string {
  let at = name;
  for (let next = instead.get(at); next !== undefined; next = instead.get(at)) at = next;
  return at;
}
