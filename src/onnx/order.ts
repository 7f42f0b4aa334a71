/** The order of nodes: ONNX wants each behind those whose outputs it reads, and some tools write others. */
import { InputFault } from '../faults/index.js';
import type { GraphProto, NodeProto } from './generated/onnx_pb.js';
import { readsOf } from './graph.js';

/** Nodes in the order of their data. */
export interface Ordered {
  readonly nodes: NodeProto[];
  /** Indexes in the given list of nodes that stood in front of what they read, ascending; empty where the order was right. */
  readonly early: readonly number[];
}

/**
 * Each node behind those whose outputs it reads, those of its subgraphs included; otherwise the order stays, and a list
 * in order stays as it is.
 * @param file - for the message
 * @throws InputFault naming the nodes of a cycle, or two that give one tensor
 */
export function inOrder({ node: nodes }: Pick<GraphProto, 'node'>, file: string): Ordered {
  const makers = makersOf(nodes, file);
  const sources = nodes.map((node) =>
    readsOf(node).flatMap((name) => {
      const maker = makers.get(name);
      return maker === undefined ? [] : [maker];
    }),
  );
  const early = sources.flatMap((from, i) => (from.some((source) => source >= i) ? [i] : []));
  if (early.length === 0) return { nodes, early };
  return { nodes: visited(nodes, sources, file).map((i) => nodes[i] as NodeProto), early };
}

/** By tensor the index of the node that gives it. */
function makersOf(nodes: readonly NodeProto[], file: string): ReadonlyMap<string, number> {
  const makers = new Map<string, number>();
  nodes.forEach(({ output }, i) => {
    for (const name of output) {
      const other = makers.get(name);
      if (other !== undefined)
        throw new InputFault({
          where: `${file}, tensor ${name}`,
          what: `two nodes give it, ${nameOf(nodes, other)} and ${nameOf(nodes, i)}: which one its readers mean is not known`,
          fix: 'In ONNX each tensor has one origin: export the model again, or look at what the tool that wrote it last did to these nodes.',
        });
      if (name !== '') makers.set(name, i);
    }
  });
  return makers;
}

function nameOf(nodes: readonly NodeProto[], i: number): string {
  return nodes[i]?.name || `${nodes[i]?.opType ?? ''}_${i}`;
}

/** Depth first, without recursion: exports have thousands of nodes in a row. */
function visited(
  nodes: readonly NodeProto[],
  sources: readonly (readonly number[])[],
  file: string,
): number[] {
  const order: number[] = [];
  const state = new Uint8Array(nodes.length);
  const [OPEN, DONE] = [1, 2];
  for (let root = 0; root < nodes.length; root++) {
    if (state[root] === DONE) continue;
    const path = [{ at: root, next: 0 }];
    state[root] = OPEN;
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const source = sources[top.at]?.[top.next++];
      if (source === undefined) {
        state[top.at] = DONE;
        order.push(top.at);
        path.pop();
      } else if (state[source] === OPEN) {
        const from = path.findIndex(({ at }) => at === source);
        throw cycle(nodes, [...path.slice(from).map(({ at }) => at), source], file);
      } else if (state[source] !== DONE) {
        state[source] = OPEN;
        path.push({ at: source, next: 0 });
      }
    }
  }
  return order;
}

/** Names in a message of nodes of a cycle. */
const SHOWN = 6;

function cycle(nodes: readonly NodeProto[], around: readonly number[], file: string): InputFault {
  // The path was walked from readers to makers; data goes the other way.
  const names = [...around].reverse().map((i) => nameOf(nodes, i));
  const shown =
    names.length > SHOWN + 1
      ? [...names.slice(0, SHOWN), `${names.length - SHOWN - 1} more`, names.at(-1)]
      : names;
  return new InputFault({
    where: `${file}, node ${names[0] ?? ''}`,
    what: `the nodes read each other in a circle: ${shown.join(' → ')}`,
    fix: 'An ONNX graph has no cycles: export the model again, or look at what the tool that wrote it last did to these nodes.',
  });
}
