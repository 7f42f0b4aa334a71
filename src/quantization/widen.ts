import { create } from '@bufbuild/protobuf';
import {
  NodeProtoSchema,
  TensorProto_DataType,
  buildGraph,
  changed,
  floatsToTensor,
  tensorToFloats,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from '../onnx/index.js';
import { castNode } from './strong.js';

const { FLOAT, FLOAT16 } = TensorProto_DataType;
/** Attributes that name an element type. */
const TYPES = new Set(['to', 'dtype', 'output_dtype']);

const known = new WeakMap<ModelProto, ModelProto>();

/**
 * The same network in FP32: a file that holds FP16 (as tools write it that mix precisions, and as strongly typed files
 * are) with constants, values and types widened. Inputs and outputs of the model keep their types, with a Cast; Casts
 * inside that have nothing to do any more become Identity. Names stay, but for FP16 inputs and outputs of the model,
 * whose FP32 forms end in `_widened`. The file itself where it has no FP16.
 */
export function widened(proto: ModelProto): ModelProto {
  const before = known.get(proto);
  if (before !== undefined) return before;
  const source = proto.graph as GraphProto;
  const result = holdsHalf(source)
    ? withoutIdleCasts(changed(proto, { graph: withFullIo(source, widenedGraph(source)) }))
    : proto;
  known.set(proto, result);
  return result;
}

type Info = GraphProto['input'][number];

function isHalf({ type }: Info): boolean {
  return type?.value.case === 'tensorType' && type.value.value.elemType === FLOAT16;
}

function holdsHalf(graph: GraphProto): boolean {
  return (
    graph.initializer.some(({ dataType }) => dataType === FLOAT16) ||
    [...graph.input, ...graph.output].some(isHalf) ||
    graph.node.some(({ attribute }) =>
      attribute.some(
        ({ name, i, t, g, graphs }) =>
          t?.dataType === FLOAT16 ||
          (TYPES.has(name) && Number(i) === FLOAT16) ||
          [...(g ? [g] : []), ...graphs].some(holdsHalf),
      ),
    )
  );
}

function widenedTensor(tensor: TensorProto): TensorProto {
  return tensor.dataType === FLOAT16
    ? floatsToTensor(tensor.name, tensor.dims.map(Number), tensorToFloats(tensor))
    : tensor;
}

function widenedInfo(info: Info): Info {
  const type = info.type;
  return isHalf(info) && type?.value.case === 'tensorType'
    ? changed(info, {
        type: changed(type, {
          value: { case: 'tensorType', value: changed(type.value.value, { elemType: FLOAT }) },
        }),
      })
    : info;
}

function widenedGraph(graph: GraphProto): GraphProto {
  return changed(graph, {
    node: graph.node.map((node) =>
      changed(node, {
        attribute: node.attribute.map((one) =>
          changed(one, {
            ...(TYPES.has(one.name) && Number(one.i) === FLOAT16 && { i: BigInt(FLOAT) }),
            ...(one.t !== undefined && { t: widenedTensor(one.t) }),
            ...(one.g !== undefined && { g: widenedGraph(one.g) }),
            ...(one.graphs.length > 0 && { graphs: one.graphs.map(widenedGraph) }),
          }),
        ),
      }),
    ),
    initializer: graph.initializer.map(widenedTensor),
    input: graph.input.map(widenedInfo),
    output: graph.output.map(widenedInfo),
    valueInfo: graph.valueInfo.map(widenedInfo),
  });
}

/** Gives the model its own types back where it is fed and read. */
function withFullIo(source: GraphProto, graph: GraphProto): GraphProto {
  const inputs = source.input.filter(isHalf).map(({ name }) => name);
  const outputs = source.output.filter(isHalf).map(({ name }) => name);
  const inner = new Map([...inputs, ...outputs].map((name) => [name, `${name}_widened`]));
  const renamed = (name: string): string => inner.get(name) ?? name;
  const nodes = graph.node.map((node) =>
    changed(node, { input: node.input.map(renamed), output: node.output.map(renamed) }),
  );
  return changed(graph, {
    input: source.input,
    output: source.output,
    node: [
      ...inputs.map((name) => castNode(name, renamed(name), FLOAT)),
      ...nodes,
      ...outputs.map((name) => castNode(renamed(name), name, FLOAT16)),
    ],
  });
}

function withoutIdleCasts(proto: ModelProto): ModelProto {
  const graph = buildGraph({ proto });
  const node = graph.nodes.map(
    ({ opType, inputs: [from = ''], outputs: [to = ''], proto: given, name }): NodeProto => {
      const idle = opType === 'Cast' && graph.elementType(from) === FLOAT && graph.elementType(to) === FLOAT;
      return idle
        ? create(NodeProtoSchema, { name, opType: 'Identity', input: [from], output: [to] })
        : given;
    },
  );
  return changed(proto, { graph: changed(graph.proto, { node }) });
}
