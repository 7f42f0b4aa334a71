import { diffReports } from './diff.js';
import { STAYED, factorMoved } from './diff-causes.js';
import { wrapped, type ConsoleStyle } from './console.js';
import { shortened, terminalText } from './escape.js';
import { change, decibels, rate } from './numbers.js';
import type { LayerChange, Report } from './types.js';

/** Layers shown. */
const MOST = 20;

/** The comparison of two reports as text: accuracy, causes, then the layers that changed most. */
export function formatDiff(base: Report, head: Report, { width }: Pick<ConsoleStyle, 'width'>): string {
  const diff = diffReports(base, head);
  const shown = diff.layers.filter(({ kind }) => kind !== 'renamed');
  const renamed = diff.layers.length - shown.length;
  const rest = shown.length - MOST;
  return [
    ...accuracy(base, head).map((line) => wrapped(line, width, '  ')),
    '',
    ...diff.causes.map((cause) => wrapped(`- ${terminalText(sentence(cause))}`, width, '  ')),
    ...(diff.causes.length > 0 ? [''] : []),
    ...(shown.length === 0
      ? ['No layer became more or less sensitive, and no range or precision moved.']
      : layerTable(shown.slice(0, MOST), width)),
    ...(rest > 0 ? [`${rest} more layers changed.`] : []),
    ...(renamed > 0 ? [`${renamed} layers have another name and are otherwise as they were.`] : []),
  ].join('\n');
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function accuracy(base: Report, head: Report): string[] {
  return (['fp32', 'int8', 'mixed'] as const).flatMap((name) => {
    const [a, b] = [base.variants[name], head.variants[name]];
    if (a === undefined || b === undefined) return [];
    const against = name === 'fp32' ? '' : `, against FP32 ${change(a.drop)} → ${change(b.drop)}`;
    return [`${name.toUpperCase()}: mAP50-95 ${rate(a.stats.AP)} → ${rate(b.stats.AP)}${against}`];
  });
}

const TITLES = ['', 'layer', 'rank', 'SQNR dB', 'range', 'plan'] as const;
/** A name keeps at least so many characters. */
const SHORTEST = 20;

/** Aligned columns; long names lose their middle, and the cause stands below its layer. */
function layerTable(changes: readonly LayerChange[], width: number): string[] {
  const widthsOf = (rows: readonly (readonly string[])[]): number[] =>
    TITLES.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  const whole = [TITLES, ...changes.map((one) => cells(one))];
  const [sign = 0, name = 0, ...others] = widthsOf(whole);
  const room = width - sign - others.reduce((sum, one) => sum + one + 2, 2);
  const most = Math.max(SHORTEST, Math.min(name, room));
  const rows = whole.map((row) => row.map((cell, column) => (column === 1 ? shortened(cell, most) : cell)));
  const widths = widthsOf(rows);
  return rows.flatMap((row, i) => {
    const line = row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd();
    const cause = changes[i - 1]?.cause;
    return cause === undefined ? [line] : [line, wrapped(`     ${terminalText(cause)}`, width, '     ')];
  });
}

const SIGN = { added: '+', removed: '-', changed: '~', renamed: '=' } as const;

function cells({ kind, name, before, rank, sqnr, range, precision }: LayerChange): string[] {
  return [
    SIGN[kind],
    `${terminalText(name)}${before === undefined ? '' : ` (was ${terminalText(before)})`}`,
    moved(rank, (place) => String(place)),
    moved(sqnr, (db) => decibels(db)),
    factorMoved(range) ? `×${range.toFixed(2)}` : '',
    planWords(precision),
  ];
}

function moved(pair: LayerChange['rank'], show: (value: number) => string): string {
  const [a, b] = pair.map((value) => (value === null ? '–' : show(value)));
  return a === b ? (a ?? '') : `${a ?? '–'} → ${b ?? '–'}`;
}

function planWords({ base, head }: LayerChange['precision']): string {
  const show = (precision: string | undefined): string => precision?.toUpperCase() ?? '–';
  return base === head ? show(head) : `${show(base)} → ${show(head)}`;
}

/** A layer's change against the base in a few words, for the table of layers; empty where it stayed. */
export function changeWords({ kind, sqnr: [a = null, b = null], range, precision }: LayerChange): string {
  if (kind === 'added') return 'new';
  if (kind === 'removed') return 'gone';
  if (kind === 'renamed') return 'renamed';
  const step = a === null || b === null ? undefined : b - a;
  return [
    ...(step !== undefined && Math.abs(step) >= STAYED.decibels
      ? [`${step > 0 ? '+' : '−'}${Math.abs(step).toFixed(1)} dB`]
      : []),
    ...(step === undefined && a !== b ? [`${decibels(a)} → ${decibels(b)} dB`] : []),
    ...(factorMoved(range) ? [`range ×${range.toFixed(2)}`] : []),
    ...(precision.base === precision.head ? [] : [planWords(precision)]),
  ].join(', ');
}
