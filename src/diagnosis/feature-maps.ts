import { attributeOf, intAttribute, tensorToIntegers, type Graph, type GraphNode } from '../onnx/index.js';

/** Operators that leave a value where it was in the image: of each element by itself, or over a window around it. */
const STAYS = new Set(
  'Conv ConvTranspose MaxPool AveragePool LpPool Resize Upsample DepthToSpace SpaceToDepth Pad BatchNormalization InstanceNormalization LRN Relu LeakyRelu PRelu Elu Selu Celu Gelu Mish Sigmoid HardSigmoid HardSwish Softplus Softsign Tanh Erf Exp Log Sqrt Abs Neg Reciprocal Pow Clip Add Sub Mul Div Min Max Sum Mean Where Cast Identity Dropout QuantizeLinear DequantizeLinear'.split(
    ' ',
  ),
);
/** Operators that do so along the axis of the channels. */
const ALONG_CHANNELS = new Set(['Concat', 'Split']);
/** Order of dimensions that makes [N, C, H, W] of an image with its channels last. */
const CHANNELS_FIRST = '0,3,1,2';

const known = new WeakMap<Graph, ReadonlySet<string>>();

/**
 * Tensors whose last two dimensions lie over the image: what the network makes of it by operators that leave values in
 * their place. What attention reshapes has four dimensions too, of which none is a place.
 */
export function featureMaps(graph: Graph): ReadonlySet<string> {
  const before = known.get(graph);
  if (before !== undefined) return before;
  const maps = new Set(graph.inputs.filter((name) => channelsFirst(graph, name)));
  for (const node of graph.nodes)
    if (leaves(graph, node, maps)) for (const name of node.outputs) maps.add(name);
  known.set(graph, maps);
  return maps;
}

/** An image with its channels last has few of them there. */
function channelsFirst(graph: Graph, input: string): boolean {
  const shape = graph.shape(input);
  const last = shape?.at(-1);
  return shape?.length === 4 && (last === undefined || last < 0 || last > 4);
}

function leaves(graph: Graph, node: GraphNode, maps: ReadonlySet<string>): boolean {
  const { opType, inputs } = node;
  const reads = inputs.some((name) => maps.has(name));
  if (STAYS.has(opType)) return reads;
  if (ALONG_CHANNELS.has(opType)) return reads && intAttribute(node, 'axis', 0) === 1;
  // Every other pixel, as Focus takes them: the grid covers the same image.
  if (opType === 'Slice') return reads && coversAll(graph, node);
  return (
    opType === 'Transpose' &&
    graph.inputs.includes(inputs[0] ?? '') &&
    attributeOf(node, 'perm')?.ints.join() === CHANNELS_FIRST
  );
}

/** A Slice that begins at the first pixels and takes steps, or cuts channels. */
function coversAll(graph: Graph, { inputs }: GraphNode): boolean {
  const numbers = (i: number): readonly number[] | undefined => {
    const tensor = graph.constant(inputs[i] ?? '');
    return tensor === undefined ? undefined : tensorToIntegers(tensor);
  };
  const [starts, ends, axes, steps] = [1, 2, 3, 4].map(numbers);
  if (starts === undefined || ends === undefined || axes === undefined) return false;
  return axes.every((axis, i) => {
    const step = steps?.[i] ?? 1;
    return axis === 1 || ((starts[i] ?? 0) >= 0 && (starts[i] ?? 0) < step && (ends[i] ?? 0) >= 1 << 30);
  });
}
