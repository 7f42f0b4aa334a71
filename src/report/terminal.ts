import { terminalText } from './escape.js';
import {
  VERDICTS,
  change,
  decibels,
  engineRows,
  mebibytes,
  precisionOf,
  rate,
  signed,
  variantsOf,
} from './numbers.js';
import type { Report } from './types.js';

const COLORS = { pass: 32, fail: 31, inconclusive: 33 } as const;
/** Layers shown. */
const TOP = 5;

/** What a person reads at the end of a run: table, layers, verdict. Fits `width` columns. */
export function formatTerminal(
  report: Report,
  { color, width }: { readonly color: boolean; readonly width: number },
): string {
  const { verdict } = report;
  const { skipped } = report.data.validation;
  const paint = (text: string, code: number): string => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const bullets = (items: readonly string[]): string =>
    items.map((one) => wrap(`- ${terminalText(one)}`, width, '  ')).join('\n');
  const causes = report.findings.filter(({ severity }) => severity !== 'info');
  return [
    columns([
      ['', 'mAP50-95', 'mAP50', 'drop', 'weights'],
      ...variantsOf(report).map(([name, one]) => [
        name,
        rate(one.stats.AP),
        rate(one.stats.AP50),
        change(one.drop, false),
        mebibytes(one.weightBytes),
      ]),
    ]),
    engines(report),
    layers(report, width),
    causes.length === 0 ? '' : `Causes\n${bullets(causes.map(({ sentence }) => sentence))}`,
    `Thresholds (${verdict.candidate})\n${bullets(verdict.checks.map(({ kind, sentence }) => `${kind}: ${sentence}`))}`,
    skipped.length === 0
      ? ''
      : `Validation data\n${bullets(skipped.map(({ what, count }) => `${count} ${what}`))}`,
    `${paint(VERDICTS[verdict.kind], COLORS[verdict.kind])}  ${wrap(terminalText(verdict.why), width - 6, '      ')}`,
    verdict.todo.length === 0 ? '' : `What to do\n${bullets(verdict.todo)}`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function engines({ engines: section }: Report): string {
  if (section === undefined) return '';
  const rows = engineRows(section).map(({ name, ap, simulated, ms, speed, reformats }) => [
    name,
    ap,
    simulated,
    ms,
    speed,
    reformats,
  ]);
  return `Engines (${terminalText(section.library)}, ${terminalText(section.gpu)})\n${columns([['', 'mAP50-95', 'simulated', 'ms', 'over FP16', 'reformats'], ...rows])}`;
}

function layers({ sensitivity }: Report, width: number): string {
  if (sensitivity === undefined) return '';
  const rows = sensitivity.layers
    .slice(0, TOP)
    .map((row) => [
      String(row.rank),
      shorten(terminalText(row.name), Math.max(20, width - 42)),
      decibels(row.sqnr),
      row.mapDrop === null ? '–' : signed(-row.mapDrop),
      precisionOf(row),
    ]);
  return `Most sensitive layers (each alone in INT8, ${sensitivity.images} images)\n${columns([['#', 'layer', 'SQNR dB', 'mAP change', 'plan'], ...rows], new Set([1]))}`;
}

/** Cuts the middle out of a long name: both ends tell most. */
function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  const head = Math.floor((width - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (width - 1 - head))}`;
}

function columns(rows: readonly (readonly string[])[], left: ReadonlySet<number> = new Set([0])): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  return rows
    .map((row) =>
      `  ${row.map((cell, i) => (left.has(i) ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number))).join('  ')}`.trimEnd(),
    )
    .join('\n');
}

function wrap(text: string, width: number, indent: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}
