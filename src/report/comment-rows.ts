/** The rows of the comment's tables, each escaped and short enough for a cell. */
import { listed, short } from '../words/index.js';
import { blockBar } from './blocks.js';
import { markdownSentence, markdownText, shortened } from './escape.js';
import { decibels, mapChange, placeOf, precisionOf, rate, signed } from './numbers.js';
import type { BaseSection, HistoryPoint, LayerRow, Report, SettingsChange, UsedWaiver } from './types.js';

/** Most characters of a name in a cell. */
const CELL = 100;

interface Rows {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly string[];
  readonly after?: string;
}

type Check = Report['verdict']['checks'][number];

function name(text: string): string {
  return markdownText(shortened(text, CELL));
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

const SIGNS = { pass: '✅', fail: '❌', inconclusive: '⚠️', missing: '❌' } as const;

/** Thresholds held against numbers. A missing number is named as such, never a blank. */
export function checkRows(checks: readonly Check[]): string[] {
  return checks.map((check) =>
    row([
      SIGNS[check.kind],
      name(check.metric) + (check.subject === undefined ? '' : ` of ${name(check.subject)}`),
      check.kind === 'missing' || check.value === null ? 'not measured' : valueOf(check),
      dropOf(check),
      limitOf(check),
    ]),
  );
}

function valueOf({ metric, value }: Check): string {
  if (value === null) return 'not measured';
  return /AP|AR/.test(metric) ? rate(value) : short(value, 4);
}

function dropOf({ drop, interval, against }: Check): string {
  if (drop === undefined) return '';
  const [low, high] = interval ?? [];
  const spread = low === undefined || high === undefined ? '' : ` (${signed(-high)}…${signed(-low)})`;
  return `${signed(-drop)}${spread}${against === 'base' ? ' against base' : ''}`;
}

function limitOf({ limit, imagesToDecide, waived }: Check): string {
  const decide = imagesToDecide === undefined ? '' : `; about ${imagesToDecide} images would decide`;
  return `${markdownSentence(shortened(limit, CELL))}${decide}${waived === true ? ', waived' : ''}`;
}

export function layerHeader(layers: readonly LayerRow[]): string[] {
  const caused = layers.some(({ cause }) => cause !== undefined);
  const cause = caused ? ' cause |' : '';
  return [
    `| # | layer | in the plan | SQNR dB | damage | mAP change |${cause}`,
    `| -: | :- | :- | -: | :- | -: |${caused ? ' :- |' : ''}`,
  ];
}

/** A layer, with a bar of how it stands between the best and the worst of all layers in dB. */
export function layerRow(layer: LayerRow, all: readonly LayerRow[]): string {
  const caused = all.some(({ cause }) => cause !== undefined);
  const others = layer.together === undefined ? '' : ` +${layer.together.length}`;
  return row([
    placeOf(layer),
    `${name(layer.name)}${others}${layer.head ? ' (head)' : ''}`,
    precisionOf(layer),
    decibels(layer.sqnr),
    bar(layer.sqnr, all),
    mapChange(layer),
    ...(caused ? [name(layer.cause ?? '')] : []),
  ]);
}

function bar(sqnr: number | null, all: readonly LayerRow[]): string {
  if (sqnr === null) return '';
  const known = all.map((one) => one.sqnr).filter((one) => one !== null);
  const [worst, best] = known.reduce(
    ([a, b], one) => [Math.min(a, one), Math.max(b, one)],
    [Infinity, -Infinity],
  );
  const share = best > worst ? (best - sqnr) / (best - worst) : 1;
  return blockBar(share, 8);
}

/** Waivers that let something pass, so that nobody has to look for them. */
export function allowedRows(waivers: readonly UsedWaiver[]): string[] {
  return waivers.map(
    ({ metric, subject, allowedDrop, drop, reason, owner, expires }) =>
      `${name(metric)}${subject === undefined ? '' : ` of ${name(subject)}`}: a drop of ${drop.toFixed(3)} is allowed up to ${allowedDrop.toFixed(3)} until ${name(expires)} by ${name(owner)}: ${markdownSentence(shortened(reason, 300))}`,
  );
}

/** What the pull request changes in the settings, and whose word counted. */
export function changedSettings(changes: readonly SettingsChange[]): Rows {
  const value = (one: string | null): string => (one === null ? '(none)' : name(one));
  return {
    title: 'Settings that this pull request changes',
    head: ['| setting | base | here | whose value counts |', '| :- | :- | :- | :- |'],
    rows: changes.map(({ path, base, head, judgedBy }) =>
      row([name(path), value(base), value(head), judgedBy === 'base' ? "the base's" : 'the one here']),
    ),
  };
}

/** Layers that a direction of the plan names before it only counts them. */
const NAMED = 8;

/** What the plan keeps in another precision than the base's does, by direction. */
export function movedRows({ moved }: BaseSection): string[] {
  const line = (what: string, layers: readonly string[]): string[] =>
    layers.length === 0 ? [] : [`${what} (${layers.length}): ${listed(layers.map(name), NAMED)}`];
  return moved === undefined
    ? []
    : [...line('INT8 → float', moved.toFloat), ...line('float → INT8', moved.toInt8)];
}

/** Layers that differ from the base; those with other names only are left out. */
export function baseRows({ layers }: BaseSection): Rows {
  const shown = layers.filter(({ kind }) => kind !== 'renamed');
  const pair = ([a, b]: readonly (number | null)[], text: (value: number) => string): string =>
    `${a === null || a === undefined ? '–' : text(a)} → ${b === null || b === undefined ? '–' : text(b)}`;
  return {
    title: 'Layers that differ from the base',
    head: [
      '| layer | | rank | SQNR dB | precision | range | cause |',
      '| :- | :- | -: | -: | :- | -: | :- |',
    ],
    rows: shown.map((one) =>
      row([
        name(one.name),
        one.kind,
        pair(one.rank, (value) => String(Math.round(value))),
        pair(one.sqnr, (value) => value.toFixed(1)),
        one.precision.base === one.precision.head
          ? (one.precision.head ?? '–').toUpperCase()
          : `${(one.precision.base ?? '–').toUpperCase()} → ${(one.precision.head ?? '–').toUpperCase()}`,
        one.range === undefined ? '' : `×${one.range.toFixed(2)}`,
        name(one.cause ?? ''),
      ]),
    ),
  };
}

/** Classes by how far they fell in what was judged, the worst first. */
export function classRows({ variants: { fp32, int8, mixed }, verdict }: Report): Rows {
  const of = (one: typeof int8 | undefined): ReadonlyMap<string, number> =>
    new Map(one?.perClass.map(({ name: label, AP }) => [label, AP]));
  const [a, b] = [of(int8), of(mixed)];
  const judged = mixed === undefined || verdict.candidate === 'int8' ? a : b;
  const rows = fp32.perClass
    .filter(({ AP }) => AP >= 0)
    .map((one) => ({ ...one, drop: one.AP - (judged.get(one.name) ?? 0) }))
    .sort((x, y) => y.drop - x.drop);
  const cell = (value: number | undefined): string => (value === undefined ? '–' : rate(value));
  return {
    title: `Classes, those that fell most in ${judged === a ? 'INT8' : 'mixed'} first`,
    head: [
      `| class | boxes | AP FP32 | INT8 |${mixed === undefined ? '' : ' mixed |'} change |`,
      `| :- | -: | -: | -: |${mixed === undefined ? '' : ' -: |'} -: |`,
    ],
    rows: rows.map((one) =>
      row([
        name(one.name),
        String(one.boxes),
        rate(one.AP),
        cell(a.get(one.name)),
        ...(mixed === undefined ? [] : [cell(b.get(one.name))]),
        signed(-one.drop),
      ]),
    ),
  };
}

/** Points of the chart. */
const POINTS = 30;

/** mAP50-95 of the default branch as a Mermaid chart; fewer than two points are no line. */
export function historyChart(history: readonly HistoryPoint[]): Rows {
  const points = history.slice(-POINTS);
  const title = 'mAP50-95 on the default branch, this run last';
  if (points.length < 2) return { title, head: [], rows: [] };
  const line = (pick: (one: HistoryPoint) => number): string =>
    `  line [${points.map((one) => pick(one).toFixed(4)).join(', ')}]`;
  const judged = points.every(({ mixed }) => mixed !== null);
  const day = (one: HistoryPoint | undefined): string =>
    /^\d{4}-\d\d-\d\d/.exec(one?.createdAt ?? '')?.[0] ?? '?';
  return {
    title,
    head: [],
    rows: [
      [
        '```mermaid',
        'xychart-beta',
        `  x-axis "runs from ${day(points[0])} to ${day(points.at(-1))}" 1 --> ${points.length}`,
        '  y-axis "mAP50-95"',
        line(({ fp32 }) => fp32),
        line((one) => (judged ? (one.mixed as number) : one.int8)),
        '```',
      ].join('\n'),
    ],
    after: `The first line is FP32, the second ${judged ? 'mixed' : 'INT8'}.`,
  };
}
