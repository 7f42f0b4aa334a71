import { isCompute, type Layer } from '../quantization/index.js';
import { bytesPerElement, type Graph, type GraphNode } from '../onnx/index.js';

/** Part of a graph that runs at once. Regions partition the nodes that depend on the network's inputs. */
export interface Region {
  /** Tensors that other regions make (or the network's inputs). */
  readonly inputs: readonly string[];
  /** Tensors that other regions read, outputs of the network, and those asked for. */
  readonly outputs: readonly string[];
  /** Indexes of its nodes, ascending; nodes that compute constants belong to none and go with whoever reads them. */
  readonly nodes: readonly number[];
}

/** Parts that a network is cut into along its depth; more cost more hand-overs, fewer repeat more work. */
const SLICES = 24;
/** Layers in one part: each candidate of a part brings the part's weights along. */
const MOST_LAYERS = 6;

/**
 * Cuts a graph in front of layers, into parts of about equal work, and each part into pieces that share no tensor:
 * branches of a neck or head are pieces of their own, and run only when something in front of them changed.
 *
 * @param work multiply-accumulates by layer name; a layer without is taken as average.
 * @param kept tensors that must be outputs of a region.
 */
export function cutRegions(
  graph: Graph,
  layers: readonly Layer[],
  work: ReadonlyMap<string, number>,
  kept: ReadonlySet<string>,
): readonly Region[] {
  const live = dependent(graph);
  const cuts = cutPositions(graph, layers, work, live);
  const regions: number[][] = [];
  for (let i = 0; i + 1 < cuts.length; i++) {
    const slice = live.filter(({ index }) => index >= (cuts[i] as number) && index < (cuts[i + 1] as number));
    regions.push(...pieces(graph, slice));
  }
  const home = new Map(regions.flatMap((nodes, r) => nodes.map((index) => [index, r] as const)));
  const isLive = new Set(live.flatMap(({ outputs }) => outputs));
  return regions.map((nodes, r) => {
    const inside = nodes.map((index) => graph.nodes[index] as GraphNode);
    const made = new Set(inside.flatMap(({ outputs }) => outputs));
    const inputs = inside
      .flatMap((node) => node.inputs)
      .filter((name) => (isLive.has(name) || graph.inputs.includes(name)) && !made.has(name));
    const outputs = [...made].filter(
      (name) =>
        name !== '' &&
        (kept.has(name) ||
          graph.outputs.includes(name) ||
          graph.consumersOf(name).some(({ index }) => home.get(index) !== r)),
    );
    return { nodes, inputs: [...new Set(inputs)], outputs };
  });
}

/** True when a graph can be cut: no subgraphs, which read tensors unseen. */
export function canCut(graph: Graph): boolean {
  return graph.nodes.every(({ proto }) =>
    proto.attribute.every(({ g, graphs }) => g === undefined && graphs.length === 0),
  );
}

/** Nodes whose outputs depend on the network's inputs. */
function dependent(graph: Graph): GraphNode[] {
  const reached = new Set(graph.inputs);
  return graph.nodes.filter((node) => {
    if (!node.inputs.some((name) => reached.has(name))) return false;
    for (const name of node.outputs) reached.add(name);
    return true;
  });
}

function cutPositions(
  graph: Graph,
  layers: readonly Layer[],
  work: ReadonlyMap<string, number>,
  live: readonly GraphNode[],
): readonly number[] {
  const known = [...work.values()];
  const average = known.length === 0 ? 1 : known.reduce((sum, macs) => sum + macs, 0) / known.length;
  const of = ({ name }: Layer): number => work.get(name) ?? average;
  const target = layers.reduce((sum, layer) => sum + of(layer), 0) / SLICES;
  const cuts = [0];
  let [sum, count] = [0, 0];
  for (const layer of layers) {
    const at = layer.nodes[0] as number;
    const full = sum >= target || count >= MOST_LAYERS;
    if (full && (cheap(graph, live, at) || sum >= 3 * target)) {
      if (crossable(graph, live, at)) {
        cuts.push(at);
        [sum, count] = [0, 0];
      }
    }
    sum += of(layer);
    count++;
  }
  // Post-processing by itself: no layer's own part repeats it.
  const last = (live.findLast(isCompute)?.index ?? -1) + 1;
  if (last > (cuts.at(-1) as number) && crossable(graph, live, last)) cuts.push(last);
  return [...cuts, graph.nodes.length];
}

/** Tensors made in front of a position and read behind it. */
function crossing(graph: Graph, live: readonly GraphNode[], at: number): readonly string[] {
  return live
    .filter(({ index }) => index < at)
    .flatMap(({ outputs }) => outputs)
    .filter((name) => graph.consumersOf(name).some(({ index }) => index >= at));
}

function cheap(graph: Graph, live: readonly GraphNode[], at: number): boolean {
  return crossing(graph, live, at).length <= 6;
}

/** A tensor of a type that the engine's border does not know cannot be stored. */
function crossable(graph: Graph, live: readonly GraphNode[], at: number): boolean {
  return crossing(graph, live, at).every((name) => {
    const type = graph.elementType(name);
    return type !== undefined && bytesPerElement(type) !== undefined;
  });
}

/** Nodes of a slice that hang together through tensors made inside it. */
function pieces(graph: Graph, slice: readonly GraphNode[]): number[][] {
  const inside = new Map(slice.map(({ index }) => [index, index]));
  const find = (i: number): number => {
    let at = i;
    while (inside.get(at) !== at) at = inside.get(at) as number;
    return at;
  };
  for (const node of slice)
    for (const name of node.inputs) {
      const maker = graph.producerOf(name);
      if (maker !== undefined && inside.has(maker.index)) inside.set(find(node.index), find(maker.index));
    }
  const sets = new Map<number, number[]>();
  for (const { index } of slice) sets.set(find(index), [...(sets.get(find(index)) ?? []), index]);
  return [...sets.values()];
}
