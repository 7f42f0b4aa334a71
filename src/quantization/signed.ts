import {
  TensorProto_DataType,
  buildGraph,
  changed,
  int8Tensor,
  intAttribute,
  tensorToIntegers,
  type Graph,
  type GraphNode,
  type GraphProto,
  type ModelProto,
  type TensorProto,
} from '../onnx/index.js';
import { movedInputs } from './layers.js';

const { INT8, UINT8 } = TensorProto_DataType;

/** A Q/DQ file as TensorRT reads it. */
export interface SignedFile {
  readonly proto: ModelProto;
  /** Names of the QuantizeLinear nodes whose UINT8 codes became INT8. */
  readonly quantizers: readonly string[];
}

/**
 * A Q/DQ file with UINT8 codes of activations as TensorRT reads it: codes of INT8, -128 to 127, under the scale that the
 * file gives to 0 to 255. So all beyond half of the range is cut off, and below 0 half of a range is won.
 * Source: onnx-tensorrt 10, `QuantDequantLinearHelper`, which takes a UINT8 zero point, and none at all, as INT8.
 *
 * @returns undefined where there is nothing to rewrite, or TensorRT refuses the file's UINT8: a zero point that is not 0
 * or no constant, integers that something else than DequantizeLinear reads
 */
export function asTensorrtReads(file: ModelProto): SignedFile | undefined {
  const graph = buildGraph({ proto: file });
  const quantizers = graph.nodes.filter((node) => isUnsigned(graph, node, 'QuantizeLinear'));
  if (quantizers.length === 0) return undefined;
  const codes = new Set(quantizers.map(({ outputs }) => outputs[0] ?? ''));
  const readers = new Set<GraphNode>();
  // A Set's own walk reaches what is added on the way.
  for (const tensor of codes)
    for (const reader of graph.consumersOf(tensor)) {
      if (reader.opType === 'DequantizeLinear') readers.add(reader);
      else if (movedInputs(reader).includes(tensor)) for (const moved of reader.outputs) codes.add(moved);
      else return undefined;
    }
  const pairs = [...quantizers, ...readers];
  const points = pairs.map((node) => zeroPoint(graph, node));
  if (points.some((point) => point === undefined)) return undefined;
  const rewritten = new Map(pairs.map((node, i) => [node.proto, points[i] as TensorProto]));
  return {
    proto: changed(file, { graph: written(graph.proto, rewritten, codes) }),
    quantizers: quantizers.map(({ name }) => name),
  };
}

/** ONNX means UINT8 where there is no zero point, unless `output_dtype` says otherwise. */
function isUnsigned(graph: Graph, node: GraphNode, opType: string): boolean {
  if (node.opType !== opType) return false;
  const zero = node.inputs[2] ?? '';
  if (zero !== '') return graph.elementType(zero) === UINT8;
  return [0, UINT8].includes(intAttribute(node, 'output_dtype', 0));
}

/** INT8 zeros in the place of UINT8 zeros, shaped as the scale where the file has none; undefined where they are others. */
function zeroPoint(graph: Graph, { inputs }: GraphNode): TensorProto | undefined {
  const [, scale = '', zero = ''] = inputs;
  const shape = constant(graph, zero === '' ? scale : zero);
  if (shape === undefined) return undefined;
  if (zero !== '' && (shape.dataType !== UINT8 || tensorToIntegers(shape).some((value) => value !== 0)))
    return undefined;
  const dims = shape.dims.map(Number);
  const count = dims.reduce((a, b) => a * b, 1);
  return int8Tensor(`${zero === '' ? scale : zero}_as_int8`, dims, new Int8Array(count));
}

function constant(graph: Graph, name: string): TensorProto | undefined {
  const producer = graph.producerOf(name);
  return (
    graph.constant(name) ??
    (producer?.opType === 'Identity' ? constant(graph, producer.inputs[0] ?? '') : undefined)
  );
}

function written(
  source: GraphProto,
  points: ReadonlyMap<GraphNode['proto'], TensorProto>,
  codes: ReadonlySet<string>,
): GraphProto {
  const added = new Map([...points.values()].map((point) => [point.name, point]));
  const retyped = (info: GraphProto['output'][number]): GraphProto['output'][number] => {
    const type = info.type?.value;
    if (!codes.has(info.name) || info.type === undefined || type?.case !== 'tensorType') return info;
    const value = { case: type.case, value: changed(type.value, { elemType: INT8 }) };
    return changed(info, { type: changed(info.type, { value }) });
  };
  return changed(source, {
    node: source.node.map((node) => {
      const point = points.get(node);
      if (point === undefined) return node;
      const [data = '', scale = ''] = node.input;
      return changed(node, {
        input: [data, scale, point.name],
        attribute: node.attribute.filter(({ name }) => name !== 'output_dtype'),
      });
    }),
    initializer: [...source.initializer, ...added.values()],
    output: source.output.map(retyped),
    valueInfo: source.valueInfo.map(retyped),
  });
}
