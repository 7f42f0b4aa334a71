import { depthLines } from './blocks.js';
import { painted, wrapped, type ConsoleStyle } from './console.js';
import { shortened, terminalText } from './escape.js';
import {
  VERDICTS,
  auditChecks,
  change,
  decibels,
  engineRows,
  mebibytes,
  precisionOf,
  rate,
  signed,
  sortedChecks,
  variantsOf,
} from './numbers.js';
import { planSentences } from './plan-text.js';
import type { LayerRow, Report } from './types.js';

/** Layers shown. */
const TOP = 5;

/** What a person reads at the end of a run: table, layers, verdict. Fits `width` columns. */
export function formatTerminal(report: Report, style: ConsoleStyle): string {
  const { width } = style;
  const { verdict } = report;
  const { skipped } = report.data.validation;
  const bullets = (items: readonly string[]): string =>
    items.map((one) => wrapped(`- ${terminalText(one)}`, width, '  ')).join('\n');
  const heading = (words: string): string => painted(words, 'heading', style);
  const section = (title: string, body: string): string => (body === '' ? '' : `${heading(title)}\n${body}`);
  const checks = sortedChecks(verdict).map(({ kind, sentence }) => {
    const text = wrapped(`- ${kind}: ${terminalText(sentence)}`, width, '  ');
    return text.replace(kind, painted(kind, kind, style));
  });
  const causes = report.findings.filter(({ severity }) => severity !== 'info');
  const label = `${VERDICTS[verdict.kind]}  `;
  return [
    variants(report),
    section(...engines(report)),
    section(...layers(report, width)),
    section('Plan', bullets(planSentences(report))),
    section('Causes', bullets(causes.map(({ sentence }) => sentence))),
    section('Calibration images', bullets(auditChecks(report.audit).map(({ sentence }) => sentence))),
    section(`Thresholds (${verdict.candidate})`, checks.join('\n')),
    section('Validation data', bullets(skipped.map(({ what, count }) => `${count} ${what}`))),
    wrapped(label + terminalText(verdict.why), width, ' '.repeat(label.length)).replace(
      label,
      `${painted(label.trim(), verdict.kind, style)}  `,
    ),
    section('What to do', bullets(verdict.todo)),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** A heading and what stands below it; nothing where that is empty. */
type Part = readonly [title: string, body: string];

function variants(report: Report): string {
  return columns([
    ['', 'mAP50-95', 'mAP50', 'against FP32', 'weights'],
    ...variantsOf(report).map(([name, one]) => [
      name,
      rate(one.stats.AP),
      rate(one.stats.AP50),
      change(one.drop),
      mebibytes(one.weightBytes),
    ]),
  ]);
}

function engines({ engines: section }: Report): Part {
  if (section === undefined) return ['', ''];
  const rows = engineRows(section).map(({ name, ap, simulated, ms, speed, reformats }) => [
    name,
    ap,
    simulated,
    ms,
    speed,
    reformats,
  ]);
  return [
    `Engines (${terminalText(section.library)}, ${terminalText(section.gpu)})`,
    columns([['', 'mAP50-95', 'simulated', 'ms', 'over FP16', 'reformats'], ...rows]),
  ];
}

function layers({ sensitivity }: Report, width: number): Part {
  if (sensitivity === undefined) return ['', ''];
  const rows = sensitivity.layers
    .slice(0, TOP)
    .map((row) => [
      String(row.rank),
      shortened(terminalText(row.name), Math.max(20, width - 42)),
      decibels(row.sqnr),
      row.mapDrop === null ? '–' : signed(-row.mapDrop),
      precisionOf(row),
    ]);
  return [
    `Most sensitive layers (each alone in INT8, ${sensitivity.images} images)`,
    [
      columns([['#', 'layer', 'SQNR dB', 'mAP change', 'plan'], ...rows], new Set([1])),
      ...along(sensitivity.layers, width),
    ].join('\n'),
  ];
}

/** All layers in one line. */
function along(rows: readonly LayerRow[], width: number): readonly string[] {
  const drawn = depthLines(rows, width - 2);
  if (drawn === undefined) return [];
  const { chart, float, from, to } = drawn;
  return [
    `\n  Input to output, ${from.toFixed(0)} dB at the top, ${to.toFixed(0)} at the bottom${float === '' ? '' : '; o = float in the plan'}`,
    `  ${chart}`,
    ...(float === '' ? [] : [`  ${float}`]),
  ];
}

function columns(rows: readonly (readonly string[])[], left: ReadonlySet<number> = new Set([0])): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  return rows
    .map((row) =>
      `  ${row.map((cell, i) => (left.has(i) ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number))).join('  ')}`.trimEnd(),
    )
    .join('\n');
}
