import { createHash } from 'node:crypto';
import type { AttributeProto, GraphProto } from './generated/onnx_pb.js';

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
