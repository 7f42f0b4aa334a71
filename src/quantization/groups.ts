import type { Graph } from '../onnx/index.js';

/** Operators whose output has the values of their input: Q/DQ moves through them, so both sides share a scale. */
const PASS_THROUGH = new Set([
  'MaxPool',
  'Reshape',
  'Transpose',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'Identity',
]);

/**
 * Sets of tensors that must share one scale under TensorRT: the inputs and the output of a Concat (else every input
 * costs a requantization), and both sides of operators that only move values. Answers each tensor's representative.
 */
export function scaleGroups(graph: Graph): (tensor: string) => string {
  const parent = new Map<string, string>();
  const find = (name: string): string => {
    let root = name;
    for (let up = parent.get(root); up !== undefined; up = parent.get(root)) root = up;
    return root;
  };
  const union = (a: string, b: string): void => {
    const [x, y] = [find(a), find(b)];
    if (x !== y) parent.set(x, y);
  };
  // Tensors without Q/DQ of their own tie those on both sides of them: Concat → MaxPool → Conv.
  for (const node of graph.nodes) {
    const output = node.outputs[0] ?? '';
    if (!graph.isFloat(output)) continue;
    const sources =
      node.opType === 'Concat' ? node.inputs : PASS_THROUGH.has(node.opType) ? node.inputs.slice(0, 1) : [];
    for (const input of sources)
      if (graph.isFloat(input) && graph.constant(input) === undefined) union(input, output);
  }
  return find;
}
