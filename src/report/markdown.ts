import { markdownTable } from 'markdown-table';
import { changeWords } from './diff-text.js';
import { depthMarkdown } from './blocks.js';
import { markdownSentence, markdownText } from './escape.js';
import {
  VERDICTS,
  auditChecks,
  change,
  decibels,
  engineRows,
  mapChange,
  mebibytes,
  percent,
  placeOf,
  precisionOf,
  rate,
  sortedChecks,
  variantsOf,
} from './numbers.js';
import { curveHeader, curveRows, planSentences } from './plan-text.js';
import type { LayerChange, LayerRow, Report } from './types.js';

const SIGNS = { pass: '✅', fail: '❌', inconclusive: '⚠️', missing: '❌' } as const;

/** The report as Markdown: verdict in the first line, at most `maxBytes` long, cut by rows of the sensitivity table. */
export function formatMarkdown(report: Report, { maxBytes }: { readonly maxBytes: number }): string {
  const head = [
    headline(report),
    variants(report),
    engines(report),
    checks(report),
    planOf(report),
    findings(report),
    auditOf(report),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
  const tail = footer(report);
  const room = maxBytes - bytes(head) - bytes(tail) - 200;
  return `${[head, sensitivity(report, room), tail].filter((part) => part !== '').join('\n\n')}\n`;
}

function bytes(text: string): number {
  return Buffer.byteLength(text);
}

function headline({ verdict }: Report): string {
  const todo = verdict.todo.map((one) => `- ${markdownSentence(one)}`).join('\n');
  return [
    `## ${SIGNS[verdict.kind]} int8-gate: ${VERDICTS[verdict.kind]}`,
    markdownSentence(verdict.why),
    todo === '' ? '' : `**What to do**\n\n${todo}`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function variants(report: Report): string {
  const rows = variantsOf(report).map(([name, one]) => [
    name,
    rate(one.stats.AP),
    rate(one.stats.AP50),
    change(one.drop),
    String(one.detections),
    mebibytes(one.weightBytes),
    one.int8Layers === undefined ? '' : `${one.int8Layers} of ${one.int8Layers + (one.floatLayers ?? 0)}`,
  ]);
  return table(
    [
      ['', 'mAP50-95', 'mAP50', 'change against FP32', 'detections ≥ 0.25', 'weights', 'INT8 layers'],
      ...rows,
    ],
    ['l', 'r', 'r', 'r', 'r', 'r', 'r'],
  );
}

function engines({ engines: section }: Report): string {
  if (section === undefined) return '';
  const rows = engineRows(section).map((one) => [
    one.name,
    one.ap,
    one.simulated,
    one.ms,
    one.p99,
    one.speed,
    one.size,
    one.precisions,
    one.reformats,
  ]);
  const header = [
    '',
    'mAP50-95',
    'simulated',
    'ms a batch',
    'p99',
    'over FP16',
    'engine',
    'INT8 / FP16 / FP32 layers',
    'reformats',
  ];
  const { library, gpu, cuda, driver } = section;
  const title = `### Engines: ${markdownText(library)} on ${markdownText(gpu)}, CUDA ${markdownText(cuda)}, driver ${markdownText(driver)}`;
  return `${title}\n\n${table([header, ...rows], ['l', 'r', 'r', 'r', 'r', 'r', 'r', 'r', 'r'])}`;
}

function checks({ verdict }: Report): string {
  return `### Thresholds (${verdict.candidate})\n\n${sortedChecks(verdict)
    .map(({ kind, sentence }) => `- ${SIGNS[kind]} ${markdownSentence(sentence)}`)
    .join('\n')}`;
}

function planOf(report: Report): string {
  const sentences = planSentences(report);
  if (sentences.length === 0) return '';
  const rows = curveRows(report);
  const curve =
    rows.length < 2
      ? ''
      : `\n\n${table([[...curveHeader(report)], ...rows.map((row) => row.map(markdownText))], ['r', 'r'])}\n\n<sub>Plans that no other one measured on the whole set beats in both cost and accuracy.</sub>`;
  return `### Plan\n\n${sentences.map((one) => `- ${markdownSentence(one)}`).join('\n')}${curve}`;
}

function findings(report: Report): string {
  const list = (title: string, of: Report['findings']): string =>
    of.length === 0
      ? ''
      : `### ${title}\n\n${of.map(({ sentence, advice }) => `- ${markdownSentence(sentence)} ${markdownSentence(advice)}`).join('\n')}`;
  return [
    list(
      'Causes',
      report.findings.filter(({ severity }) => severity !== 'info'),
    ),
    list(
      'Worth knowing',
      report.findings.filter(({ severity }) => severity === 'info'),
    ),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** What the audit of the calibration images found, where it found anything. */
function auditOf({ audit }: Report): string {
  const open = auditChecks(audit);
  if (open.length === 0) return '';
  return `### Calibration images\n\n${open.map(({ kind, sentence, advice }) => `- ${SIGNS[kind === 'warn' ? 'inconclusive' : kind]} ${markdownSentence(sentence)} ${markdownSentence(advice)}`).join('\n')}`;
}

function sensitivity({ sensitivity: found, base }: Report, room: number): string {
  if (found === undefined) return '';
  const caused = found.layers.some(({ cause }) => cause !== undefined);
  const sized = found.layers.some(({ byteShare }) => byteShare !== undefined);
  const timed = found.layers.some(({ engine }) => engine !== undefined);
  const changes = base && new Map(base.layers.map((one) => [one.name, one]));
  const header = [
    '#',
    'layer',
    'op',
    'in the plan',
    'SQNR dB',
    'mAP change',
    'MACs',
    ...(sized ? ['bytes'] : []),
    ...(timed ? ['ms in the engine', 'in FP16'] : []),
    ...(changes === undefined ? [] : ['against base']),
    ...(caused ? ['cause'] : []),
  ];
  const chart = depthMarkdown(found.layers, 100);
  const title = `### Layers, most sensitive first (each alone in INT8, ${found.images} images)\n\n${chart === undefined ? '' : `${chart}\n\n`}`;
  const build = (count: number): string => {
    const rest = found.layers.length - count;
    const rows = found.layers.slice(0, count).map((row) => cells(row, timed, caused, changes));
    return `${title}${table([header, ...rows], ['r', 'l', 'l', 'l', 'r', 'r', 'r', ...(sized ? ['r'] : []), ...(timed ? ['r', 'r'] : [])])}${rest > 0 ? `\n\n${rest} more in report.json.` : ''}`;
  };
  let [low, high] = [0, found.layers.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (bytes(build(middle)) <= room) low = middle;
    else high = middle - 1;
  }
  return low === 0 ? `${title}${found.layers.length} layers in report.json.` : build(low);
}

function cells(
  row: LayerRow,
  timed: boolean,
  caused: boolean,
  changes: ReadonlyMap<string, LayerChange> | undefined,
): string[] {
  const change = changes?.get(row.name);
  return [
    placeOf(row),
    markdownText(row.name) +
      (row.together === undefined ? '' : ` +${row.together.length}`) +
      (row.head ? ' (head)' : ''),
    markdownText(row.opType),
    precisionOf(row),
    decibels(row.sqnr),
    mapChange(row),
    percent(row.macShare),
    ...(row.byteShare === undefined ? [] : [percent(row.byteShare)]),
    ...(timed ? engineTimes(row) : []),
    ...(changes === undefined ? [] : [change === undefined ? '' : changeWords(change)]),
    ...(caused ? [markdownText(change?.cause ?? row.cause ?? '')] : []),
  ];
}

/** The layer's time in the judged engine, with its precision where that is not the plan's, and in FP16. */
function engineTimes({ engine, precision }: LayerRow): [string, string] {
  if (engine === undefined) return ['–', '–'];
  const { ms, got, fp16Ms } = engine;
  const other = precision === 'int8' && got !== 'int8' ? ` (${got.toUpperCase()})` : '';
  return [`${ms.toFixed(3)}${other}`, fp16Ms === null ? '–' : fp16Ms.toFixed(3)];
}

function footer({ tool, model, data, engine, decoder }: Report): string {
  const { validation, calibration } = data;
  const skipped = validation.skipped.map(({ what, count }) => `${count} ${markdownText(what)}`).join('; ');
  const aside = skipped === '' ? '' : `<sub>Validation data: ${skipped}.</sub>\n\n`;
  return `${aside}<sub>${markdownText(model.file)}, ${markdownText(decoder.format)}; ${validation.images} validation images, ${calibration.images} calibration images (${markdownText(calibration.calibrator)}); ${markdownText(engine.name)} ${markdownText(engine.version)}; int8-gate ${markdownText(tool.version)}</sub>`;
}

function table(rows: readonly (readonly string[])[], align: readonly string[]): string {
  return markdownTable(
    rows.map((row) => [...row]),
    { align: [...align], alignDelimiters: false },
  );
}
