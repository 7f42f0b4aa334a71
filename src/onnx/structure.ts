import { createHash } from 'node:crypto';
import type { AttributeProto, GraphProto } from './generated/onnx_pb.js';
import type { Graph, GraphNode } from './graph.js';
import { tensorToFloats } from './tensor.js';

/** SHA-256 over operators, attributes, topology and weight shapes; renumbered exports of one network agree. */
export function structureDigest(graph: GraphProto): string {
  const hash = createHash('sha256');
  const ids = new Map<string, string>();
  graph.input.forEach(({ name }, i) => ids.set(name, `input${i}`));
  for (const { name, dims, dataType } of graph.initializer)
    ids.set(name, `weight${dataType}:${dims.join('x')}`);
  graph.node.forEach((node, i) => {
    const inputs = node.input.map((name) => ids.get(name) ?? '?');
    node.output.forEach((name, j) => ids.set(name, `${i}.${j}`));
    hash.update(`${node.domain}/${node.opType}(${inputs.join(',')}){${attributes(node.attribute)}}\n`);
  });
  hash.update(graph.output.map(({ name }) => ids.get(name) ?? '?').join(','));
  return hash.digest('hex');
}

function attributes(list: readonly AttributeProto[]): string {
  return [...list]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(
      (a) =>
        `${a.name}=${a.i}|${a.f}|${a.ints.join(',')}|${a.floats.join(',')}|${Buffer.from(a.s).toString('hex')}|${a.t ? a.t.dims.join('x') : ''}|${a.g ? structureDigest(a.g) : ''}`,
    )
    .join(';');
}

/** Nodes on each side that a node is told by. */
const NEIGHBOURS = 2;

/**
 * Sixteen hexadecimal digits that tell a node by what it is, not by its name: operator, attributes, shapes of weights,
 * and the operators up to two steps around it. Equal in renumbered exports; alike blocks of one network share it.
 */
export function nodeStructure(graph: Graph, node: GraphNode): string {
  const around = (one: GraphNode, steps: number, next: (from: GraphNode) => readonly GraphNode[]): string =>
    steps === 0
      ? ''
      : next(one)
          .map((other) => `${other.opType}[${around(other, steps - 1, next)}]`)
          .sort()
          .join(',');
  const weights = node.inputs.map((name) => graph.constant(name)?.dims.join('x') ?? '');
  const before = around(node, NEIGHBOURS, ({ inputs }) =>
    inputs.flatMap((name) => {
      const maker = graph.constant(name) === undefined ? graph.producerOf(name) : undefined;
      return maker === undefined ? [] : [maker];
    }),
  );
  const after = around(node, NEIGHBOURS, ({ outputs }) => outputs.flatMap((name) => graph.consumersOf(name)));
  return createHash('sha256')
    .update(`${node.opType}{${attributes(node.proto.attribute)}}(${weights.join(',')})<${before}>${after}`)
    .digest('hex')
    .slice(0, 16);
}

/** Sixteen hexadecimal digits of the float weights that nodes read; their names do not count. */
export function weightsDigest(graph: Graph, nodes: readonly GraphNode[]): string {
  const hash = createHash('sha256');
  for (const name of nodes.flatMap(({ inputs }) => inputs)) {
    const tensor = graph.isFloat(name) ? graph.constant(name) : undefined;
    if (tensor === undefined) continue;
    const values = tensorToFloats(tensor);
    hash.update(`${tensor.dims.join('x')}\n`);
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest('hex').slice(0, 16);
}
