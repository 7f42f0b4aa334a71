import { STAYED, causeOfLayer, causesOf, factorMoved, type Known, type Pair } from './diff-causes.js';
import type { LayerChange, LayerRow, Report } from './types.js';

/** How a head's layers differ from a base's, and what is known of why. */
export interface ReportDiff {
  /** Most changed first; renamed layers, which are otherwise as they were, last. */
  readonly layers: readonly LayerChange[];
  /** Changes of model, data and tool that explain them. */
  readonly causes: readonly string[];
}

/**
 * Compares the layers of two reports. Layers are matched by structure, in the order of the network, and what is left
 * by name: an export that only numbers its nodes anew has no change but names.
 */
export function diffReports(base: Report, head: Report): ReportDiff {
  const [before, after] = [byDepth(base), byDepth(head)];
  const pairs = match(before, after);
  const known = causesOf(base, head, pairs);
  const [matched, kept] = [new Set(pairs.map(([a]) => a)), new Set(pairs.map(([, b]) => b))];
  const layers = [
    ...pairs.map(([a, b]) => compare(a, b, known)),
    ...after.filter((one) => !kept.has(one)).map((one) => alone('added', one)),
    ...before.filter((one) => !matched.has(one)).map((one) => alone('removed', one)),
  ].filter((one) => one !== undefined);
  return { layers: layers.sort((a, b) => weight(b) - weight(a)), causes: known.sentences };
}

function byDepth({ sensitivity }: Report): readonly LayerRow[] {
  return [...(sensitivity?.layers ?? [])].sort((a, b) => a.depth - b.depth);
}

function match(before: readonly LayerRow[], after: readonly LayerRow[]): readonly Pair[] {
  const pairs = alongStructure(before, after);
  const used = new Set(pairs.flat());
  const names = new Map(after.filter((one) => !used.has(one)).map((one) => [one.name, one]));
  const rest = before.flatMap((one): Pair[] => {
    const same = used.has(one) ? undefined : names.get(one.name);
    return same === undefined ? [] : [[one, same]];
  });
  return [...pairs, ...rest];
}

/** Longest common subsequence of structures; of equally long ones, that with most names in common. */
function alongStructure(before: readonly LayerRow[], after: readonly LayerRow[]): readonly Pair[] {
  const width = after.length + 1;
  const best = new Float64Array((before.length + 1) * width);
  const gain = (a: LayerRow, b: LayerRow): number =>
    a.structure === undefined || a.structure !== b.structure ? 0 : a.name === b.name ? 1.001 : 1;
  const at = (i: number, j: number): number => best[i * width + j] as number;
  for (let i = before.length - 1; i >= 0; i--)
    for (let j = after.length - 1; j >= 0; j--) {
      const one = gain(before[i] as LayerRow, after[j] as LayerRow);
      best[i * width + j] = Math.max(at(i + 1, j), at(i, j + 1), one === 0 ? 0 : one + at(i + 1, j + 1));
    }
  const pairs: Pair[] = [];
  for (let [i, j] = [0, 0]; i < before.length && j < after.length;) {
    const [a, b] = [before[i] as LayerRow, after[j] as LayerRow];
    const one = gain(a, b);
    if (one > 0 && at(i, j) === one + at(i + 1, j + 1)) {
      pairs.push([a, b]);
      i++;
      j++;
    } else if (at(i, j) === at(i + 1, j)) i++;
    else j++;
  }
  return pairs;
}

function alone(kind: 'added' | 'removed', one: LayerRow): LayerChange {
  const both = <T>(value: T): [T | null, T | null] => (kind === 'added' ? [null, value] : [value, null]);
  return {
    kind,
    name: one.name,
    opType: one.opType,
    rank: both(one.rank),
    sqnr: both(one.sqnr),
    precision: kind === 'added' ? { head: one.precision } : { base: one.precision },
    ...(kind === 'added' && one.cause !== undefined && { cause: one.cause }),
  };
}

function compare(a: LayerRow, b: LayerRow, known: Known): LayerChange | undefined {
  const [range, scale] = [movedMost(a, b, 'amax'), movedMost(a, b, 'scale')];
  const renamed = a.name !== b.name;
  const moved = sqnrMoved(a, b) || a.precision !== b.precision || factorMoved(range) || factorMoved(scale);
  if (!moved && !renamed) return undefined;
  const cause = moved ? causeOfLayer(a, b, range, known) : undefined;
  return {
    kind: moved ? 'changed' : 'renamed',
    name: b.name,
    ...(renamed && { before: a.name }),
    opType: b.opType,
    rank: [a.rank, b.rank],
    sqnr: [a.sqnr, b.sqnr],
    precision: { base: a.precision, head: b.precision },
    ...(range !== undefined && { range }),
    ...(scale !== undefined && { scale }),
    ...(cause !== undefined && { cause }),
  };
}

function sqnrMoved({ sqnr: a }: LayerRow, { sqnr: b }: LayerRow): boolean {
  return a === null || b === null ? a !== b : Math.abs(a - b) >= STAYED.decibels;
}

/** Inputs are compared by their order: names of tensors are the exporter's. */
function movedMost(a: LayerRow, b: LayerRow, what: 'amax' | 'scale'): number | undefined {
  const factors = (a.reads ?? []).flatMap(({ [what]: before }, i) => {
    const now = b.reads?.[i]?.[what];
    return now === undefined || before <= 0 || now <= 0 ? [] : [now / before];
  });
  return factors.sort((x, y) => Math.abs(Math.log(y)) - Math.abs(Math.log(x)))[0];
}

/** A layer that is new or gone, then one whose precision changed, then by dB. */
function weight({ kind, sqnr: [a, b], precision, range }: LayerChange): number {
  if (kind === 'renamed') return 0;
  if (kind !== 'changed') return 1e6;
  const plan = precision.base === precision.head ? 0 : 1e3;
  return plan + Math.abs((b ?? 100) - (a ?? 100)) + Math.abs(Math.log2(range ?? 1)) / 100 + 1e-6;
}
