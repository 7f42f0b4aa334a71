import type { Graph, GraphNode } from '../onnx/index.js';

/** What exporters put between a product of attention and its Softmax: scales, masks, and other shapes of the same values. */
const BETWEEN = new Set([
  'Add',
  'Cast',
  'Div',
  'Flatten',
  'Identity',
  'Mul',
  'Reshape',
  'Squeeze',
  'Sub',
  'Transpose',
  'Unsqueeze',
  'Where',
]);

/**
 * Finds attention: a product of two activations, Softmax, and a product that reads what Softmax gives. Answers for each
 * the indexes of its nodes from product to product, what lies between them included.
 */
export function attentionBlocks(graph: Graph): readonly (readonly number[])[] {
  return graph.nodes
    .filter(({ opType }) => opType === 'Softmax')
    .flatMap((softmax) => {
      const front = between(softmax, (node) => node.inputs.flatMap((name) => graph.producerOf(name) ?? []));
      const back = between(softmax, (node) => node.outputs.flatMap((name) => graph.consumersOf(name)));
      const isProduct = (node: GraphNode): boolean =>
        node.opType === 'MatMul' && node.inputs.every((name) => graph.constant(name) === undefined);
      if (!front.some(isProduct) || !back.some(isProduct)) return [];
      const inside = [...front, softmax, ...back].filter(
        (node) => node.opType !== 'MatMul' || isProduct(node),
      );
      return [[...new Set(inside.map(({ index }) => index))].sort((a, b) => a - b)];
    });
}

/** Nodes from one on in one direction, up to and with the first MatMul of each way. */
function between(start: GraphNode, next: (node: GraphNode) => readonly GraphNode[]): readonly GraphNode[] {
  const found = new Set<GraphNode>();
  const open = [...next(start)];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (found.has(node) || (node.opType !== 'MatMul' && !BETWEEN.has(node.opType))) continue;
    found.add(node);
    if (node.opType !== 'MatMul') open.push(...next(node));
  }
  return [...found];
}
