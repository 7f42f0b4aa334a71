import { change, decibels, rate } from './numbers.js';
import { terminalText } from './escape.js';
import type { LayerRow, Report } from './types.js';

/** How one layer differs between two reports. */
export interface LayerDifference {
  readonly kind: 'changed' | 'added' | 'removed' | 'renamed';
  readonly name: string;
  /** Name in the base report, where it is another. */
  readonly before: string | undefined;
  /** SQNR in the base and the head report, dB; undefined where the layer is missing or did not change the output. */
  readonly sqnr: readonly [number | undefined, number | undefined];
  readonly precision: readonly [string | undefined, string | undefined];
  /** Head over base, of the range of the input that moved most; undefined where none is known. */
  readonly range: number | undefined;
  readonly cause: string | undefined;
}

/** A change of SQNR below this many dB is no change. */
const DECIBELS = 1;
/** A range that moved by less than this factor stayed. */
const RANGE = 1.1;

/**
 * Compares the layers of two reports, those that changed most first. Layers are matched by structure, in the order of
 * the network, and what is left by name: an export that only numbers its nodes anew has no change but names.
 */
export function diffLayers(base: Report, head: Report): readonly LayerDifference[] {
  const [before, after] = [byDepth(base), byDepth(head)];
  const pairs = match(before, after);
  const matched = new Set(pairs.map(([a]) => a));
  const kept = new Set(pairs.map(([, b]) => b));
  const changes = [
    ...pairs.map(([a, b]) => compare(a, b)),
    ...after.filter((one) => !kept.has(one)).map((one) => compare(undefined, one)),
    ...before.filter((one) => !matched.has(one)).map((one) => compare(one, undefined)),
  ].filter((one) => one !== undefined);
  return changes.sort((a, b) => weight(b) - weight(a));
}

function byDepth({ sensitivity }: Report): readonly LayerRow[] {
  return [...(sensitivity?.layers ?? [])].sort((a, b) => a.depth - b.depth);
}

type Pair = readonly [LayerRow, LayerRow];

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

function compare(a: LayerRow | undefined, b: LayerRow | undefined): LayerDifference | undefined {
  const shown = (b ?? a) as LayerRow;
  const sqnr = [a?.sqnr ?? undefined, b?.sqnr ?? undefined] as const;
  const precision = [a?.precision, b?.precision] as const;
  const range = a === undefined || b === undefined ? undefined : movedMost(a, b);
  const renamed = a !== undefined && b !== undefined && a.name !== b.name;
  const moved =
    differs(sqnr) ||
    precision[0] !== precision[1] ||
    (range !== undefined && Math.max(range, 1 / range) >= RANGE);
  if (a !== undefined && b !== undefined && !moved && !renamed) return undefined;
  return {
    kind: a === undefined ? 'added' : b === undefined ? 'removed' : moved ? 'changed' : 'renamed',
    name: shown.name,
    before: renamed ? a.name : undefined,
    sqnr,
    precision,
    range,
    cause: b?.cause,
  };
}

function differs([a, b]: LayerDifference['sqnr']): boolean {
  return a === undefined || b === undefined ? a !== b : Math.abs(a - b) >= DECIBELS;
}

/** Inputs are compared by their order: names of tensors are the exporter's. */
function movedMost(a: LayerRow, b: LayerRow): number | undefined {
  const factors = (a.reads ?? []).flatMap(({ amax }, i) => {
    const now = b.reads?.[i]?.amax;
    return now === undefined || amax <= 0 || now <= 0 ? [] : [now / amax];
  });
  return factors.sort((x, y) => Math.abs(Math.log(y)) - Math.abs(Math.log(x)))[0];
}

function weight({ kind, sqnr: [a, b], precision, range }: LayerDifference): number {
  if (kind === 'renamed') return 0;
  if (kind !== 'changed') return 1e6;
  const plan = precision[0] === precision[1] ? 0 : 1e3;
  return plan + Math.abs((b ?? 100) - (a ?? 100)) + Math.abs(Math.log2(range ?? 1)) / 100 + 1e-6;
}

/** The comparison as text: accuracy, then at most `most` layers. */
export function formatDiff(base: Report, head: Report, most = 20): string {
  const changes = diffLayers(base, head);
  const renamed = changes.filter(({ kind }) => kind === 'renamed').length;
  const shown = changes.filter(({ kind }) => kind !== 'renamed');
  const accuracy = (['fp32', 'int8', 'mixed'] as const).flatMap((name) => {
    const [a, b] = [base.variants[name], head.variants[name]];
    return a === undefined || b === undefined
      ? []
      : [
          `${name.toUpperCase()}: mAP50-95 ${rate(a.stats.AP)} → ${rate(b.stats.AP)}${name === 'fp32' ? '' : `, against FP32 ${change(a.drop)} → ${change(b.drop)}`}`,
        ];
  });
  const lines = shown.slice(0, most).map(lineOf);
  const rest = shown.length - lines.length;
  return [
    ...accuracy,
    '',
    ...(shown.length === 0
      ? ['No layer became more or less sensitive, and no range or precision moved.']
      : lines),
    ...(rest > 0 ? [`${rest} more layers changed.`] : []),
    ...(renamed > 0 ? [`${renamed} layers have another name and are otherwise as they were.`] : []),
  ].join('\n');
}

function lineOf({ kind, name, before, sqnr: [a, b], precision, range, cause }: LayerDifference): string {
  const named = `${terminalText(name)}${before === undefined ? '' : ` (was ${terminalText(before)})`}`;
  if (kind === 'added') return `+ ${named}: new, ${decibels(b ?? null)} dB, ${precision[1] ?? ''}`;
  if (kind === 'removed') return `- ${named}: gone`;
  const parts = [
    ...(differs([a, b])
      ? [
          `${(b ?? Infinity) < (a ?? Infinity) ? 'more' : 'less'} sensitive, ${decibels(a ?? null)} → ${decibels(b ?? null)} dB`,
        ]
      : []),
    ...(precision[0] === precision[1] ? [] : [`${precision[0] ?? ''} → ${precision[1] ?? ''} in the plan`]),
    ...(range === undefined || Math.max(range, 1 / range) < RANGE
      ? []
      : [`range of its input ×${range.toFixed(2)}`]),
    ...(cause === undefined ? [] : [`cause: ${terminalText(cause)}`]),
  ];
  return `~ ${named}: ${parts.join('; ')}`;
}
