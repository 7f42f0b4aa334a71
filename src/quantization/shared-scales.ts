import type { TensorStatistics } from '../calibration/index.js';
import type { Graph, GraphNode } from '../onnx/index.js';
import type { ScaleRecord } from './types.js';
import { short } from '../words/index.js';

/** Operators that move or select values without changing them. */
const MOVES = new Set([
  'Transpose',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'Identity',
  'Split',
  'Slice',
  'Gather',
  'GatherElements',
  'GatherND',
  'TopK',
  'ReduceMax',
  'Tile',
  'Expand',
]);
/** A part that spans fewer INT8 steps than this is lost. */
const LOST_STEPS = 4;

/** Evidence that values of very different ranges share one INT8 scale. */
export interface SharedScale {
  /** The quantized tensor. */
  readonly tensor: string;
  /** Name of the Concat where the parts were joined. */
  readonly node: string;
  readonly scale: number;
  readonly parts: readonly {
    readonly tensor: string;
    readonly min: number;
    readonly max: number;
    readonly steps: number;
  }[];
  /** Values of this size or smaller become 0. */
  readonly roundsToZero: number;
  readonly sentence: string;
}

/** Quantized tensors that join parts so unequal that the smaller part has fewer than four INT8 steps, one for each join. */
export function findSharedScales(
  graph: Graph,
  scales: readonly ScaleRecord[],
  statistics: ReadonlyMap<string, TensorStatistics>,
): readonly SharedScale[] {
  const found = new Map<string, SharedScale>();
  const read = scales.flatMap(({ tensor, kind, scale, covers }) =>
    kind === 'activation' ? (covers ?? [tensor]).map((name) => ({ tensor: name, scale })) : [],
  );
  for (const { tensor, scale } of read) {
    const join = joinBefore(graph, tensor);
    if (join === undefined || found.has(join.name)) continue;
    const step = scale[0] as number;
    const parts = join.inputs.flatMap((name) => {
      const one = statistics.get(name);
      return one === undefined
        ? []
        : [{ tensor: name, min: one.min, max: one.max, steps: Math.max(-one.min, one.max) / step }];
    });
    const smallest = [...parts].sort((a, b) => a.steps - b.steps)[0];
    const largest = [...parts].sort((a, b) => b.steps - a.steps)[0];
    if (
      smallest === undefined ||
      largest === undefined ||
      smallest.steps <= 0 ||
      smallest.steps >= LOST_STEPS ||
      largest === smallest
    )
      continue;
    const words = { tensor, node: join.name, scale: step, parts, roundsToZero: step / 2 };
    found.set(join.name, { ...words, sentence: describe(words, smallest, largest) });
  }
  return [...found.values()];
}

/** The Concat that a tensor's values come from, through operators that only move them. */
export function joinBefore(graph: Graph, tensor: string): GraphNode | undefined {
  let node = graph.producerOf(tensor);
  for (let hops = 0; node !== undefined && hops < 32; hops++) {
    if (node.opType === 'Concat') return node;
    if (!MOVES.has(node.opType)) return undefined;
    node = graph.producerOf(node.inputs[0] ?? '');
  }
  return undefined;
}

/** Scores lie in 0…1; approximations of the sigmoid by other tools pass that a little. */
const SCORE_SLACK = 0.01;

type Part = SharedScale['parts'][number];

function describe(shared: Omit<SharedScale, 'sentence'>, small: Part, large: Part): string {
  const noun = (part: Part, otherwise: string): string =>
    part.min >= -SCORE_SLACK && part.max <= 1 + SCORE_SLACK ? 'scores' : otherwise;
  const range = (part: Part): string => `${short(part.min)}…${short(part.max)}`;
  const smallNoun = noun(small, 'values');
  const largeNoun = smallNoun === 'scores' ? 'boxes' : 'values';
  const limit = Math.max(Math.abs(small.min), small.max);
  const lost =
    shared.roundsToZero >= limit
      ? `every one of the ${smallNoun} rounds to 0`
      : `${smallNoun} below ${short(shared.roundsToZero)} round to 0 and the others to ${small.steps < 1.5 ? short(shared.scale) : 'few steps'}`;
  return `${shared.tensor} joins ${largeNoun} (${range(large)}, ${large.tensor}) and ${smallNoun} (${range(small)}, ${small.tensor}) in ${shared.node} under one INT8 scale of ${short(shared.scale)}: ${lost}.`;
}
