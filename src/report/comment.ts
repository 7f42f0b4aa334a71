import type { Problem } from '../faults/index.js';
import { depthMarkdown } from './blocks.js';
import { markdownSentence, markdownText, shortened } from './escape.js';
import {
  allowedRows,
  baseRows,
  changedSettings,
  classRows,
  checkRows,
  historyChart,
  layerRow,
  movedRows,
  layerHeader,
} from './comment-rows.js';
import { VERDICTS, auditChecks, change, engineRows, rate, signed, variantsOf } from './numbers.js';
import type { LayerRow, Report } from './types.js';

/** What a comment says beside the report. */
export interface CommentFrame {
  /** An HTML comment by which the comment is found again; the first line. */
  readonly marker: string;
  /** Address of the run, and of the report's files; made by us, never by the report. */
  readonly run: string | undefined;
  readonly files: string | undefined;
  /** Commit that was judged, 40 hexadecimal digits. */
  readonly commit: string | undefined;
  /** Sentences of ours on how far the numbers can be trusted. */
  readonly notes: readonly string[];
  /** Takes the place of the verdict in the first line, where the report's own word does not count. */
  readonly doubt?: string | undefined;
  /** Most bytes of UTF-8. GitHub takes 65,536 characters. */
  readonly maxBytes: number;
}

/** GitHub takes 65,536; below this nobody has to ask whether bytes or characters are meant. */
export const COMMENT_BYTES = 60_000;

const SIGNS = { pass: '✅', fail: '❌', inconclusive: '⚠️' } as const;
/** Layers, causes and rows that are shown without unfolding. */
const TOP_LAYERS = 5;
const TOP_CAUSES = 4;
const TOP_ROWS = 12;
/** Characters that a block of code shows in a comment without scrolling. */
const DEPTH_WIDTH = 80;
/** Most characters of a sentence that holds names. */
const SENTENCE = 700;

/** A part of the comment that can be cut by rows: everything else is short. */
interface Part {
  readonly title: string;
  /** Folded under its title, where it is not worth the room. */
  readonly folded: boolean;
  /** Lines before the rows: the head of a table. */
  readonly head: readonly string[];
  readonly rows: readonly string[];
  /** Rows to show when there is room for all. */
  readonly most: number;
  /** Rows that the report holds beyond `rows`. */
  readonly beyond?: number;
  readonly after?: string;
}

/** The report as a comment in a pull request: marker, verdict, numbers, what fails, causes, worst layers, and the rest folded. */
export function formatComment(report: Report, frame: CommentFrame): string {
  const head = [
    `${frame.marker}\n## ${headline(report, frame.doubt)}`,
    sentence(report.verdict.why),
    notesOf(frame.notes),
    numbers(report),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
  const tail = footer(report, frame);
  const room = frame.maxBytes - Buffer.byteLength(head) - Buffer.byteLength(tail) - 8;
  return `${[head, ...fit(partsOf(report), room), tail].join('\n\n')}\n`;
}

function headline(report: Report, doubt: string | undefined): string {
  if (doubt !== undefined) return `⚠️ int8-gate: ${sentence(doubt)}`;
  const { kind } = report.verdict;
  return `${SIGNS[kind]} int8-gate: ${VERDICTS[kind]} · ${numbersLine(report)}`;
}

/** Most problems that a comment lists. */
const PROBLEMS = 20;

/** A comment for a run that could not judge: bad input, or surroundings that failed. */
export function formatProblemComment(problems: readonly Problem[], frame: CommentFrame): string {
  const part: Part = {
    title: 'What is wrong',
    folded: false,
    head: [],
    rows: problems.map(
      ({ where, what, fix }) =>
        `- ${sentence(where)}: ${sentence(what)}${fix === undefined ? '' : `<br>**Fix:** ${sentence(fix)}`}`,
    ),
    most: PROBLEMS,
  };
  const head = [
    `${frame.marker}\n## ❌ int8-gate: NOT JUDGED`,
    'Nothing is known about INT8 here, and what is not judged does not pass.',
    notesOf(frame.notes),
  ].filter((one) => one !== '');
  const tail = linksOf(frame);
  const room = frame.maxBytes - Buffer.byteLength(`${head.join('')}${tail}`) - 20;
  return `${[...head, ...fit([part], room), ...(tail === '' ? [] : [tail])].join('\n\n')}\n`;
}

function linksOf({ run, files }: CommentFrame): string {
  return [
    ...(run === undefined ? [] : [`[run](${run})`]),
    ...(files === undefined ? [] : [`[report](${files})`]),
  ].join(' · ');
}

function sentence(text: string): string {
  return markdownSentence(shortened(text, SENTENCE));
}

function notesOf(notes: readonly string[]): string {
  return notes.length === 0 ? '' : `> [!NOTE]\n${notes.map((one) => `> ${sentence(one)}`).join('\n')}`;
}

/** FP32 against what was judged, for the first line. */
function numbersLine({ variants, verdict }: Report): string {
  const judged = verdict.candidate === 'mixed' ? (variants.mixed ?? variants.int8) : variants.int8;
  const name = judged === variants.int8 ? 'INT8' : 'mixed';
  return `mAP50-95 FP32 ${rate(variants.fp32.stats.AP)}, ${name} ${rate(judged.stats.AP)}`;
}

function numbers(report: Report): string {
  const { base } = report;
  const judged = report.verdict.candidate === 'mixed' && report.variants.mixed ? 'mixed' : 'INT8';
  const header = [
    '',
    'mAP50-95',
    'mAP50',
    'against FP32',
    ...(base === undefined ? [] : ['against base']),
    'INT8 layers',
  ];
  const rows = variantsOf(report).map(([name, one]) => [
    name === judged ? `**${name}**` : name,
    rate(one.stats.AP),
    rate(one.stats.AP50),
    change(one.drop),
    ...(base === undefined ? [] : [againstBase(name, one.stats.AP, base)]),
    one.int8Layers === undefined ? '' : `${one.int8Layers} of ${one.int8Layers + (one.floatLayers ?? 0)}`,
  ]);
  return [...table(header, ':-'), ...rows.map(row)].join('\n');
}

function againstBase(name: string, now: number, { variants }: NonNullable<Report['base']>): string {
  const before = { FP32: variants.fp32, INT8: variants.int8, mixed: variants.mixed }[name];
  return before === undefined || before.AP < 0 || now < 0 ? '–' : signed(now - before.AP);
}

/** Head and delimiter of a table; the first column is aligned as asked, the others to the right. */
function table(header: readonly string[], first: string): string[] {
  return [row(header), row(header.map((_, i) => (i === 0 ? first : '-:')))];
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** The parts in the order in which they are read; the last is cut first. */
function partsOf(report: Report): readonly Part[] {
  const { verdict, findings, sensitivity, base, audit } = report;
  const causes = findings.filter(({ severity }) => severity !== 'info');
  const asides = findings.filter(({ severity }) => severity === 'info');
  const bad = verdict.checks.filter(({ kind }) => kind !== 'pass');
  const good = verdict.checks.filter(({ kind }) => kind === 'pass');
  const layers = sensitivity?.layers ?? [];
  const table4 = (title: string, rows: readonly string[], folded: boolean): Part => ({
    title,
    folded,
    head: ['| | metric | value | change | limit |', '| :- | :- | -: | -: | :- |'],
    rows,
    most: folded ? 100 : TOP_ROWS,
  });
  const bullets = (title: string, rows: readonly string[], folded: boolean, most: number): Part => ({
    title,
    folded,
    head: [],
    rows: rows.map((one) => `- ${one}`),
    most,
  });
  const caused = causes.map(
    ({ sentence: what, advice }) =>
      `${sentence(what)}${advice === '' ? '' : `<br>**Fix:** ${sentence(advice)}`}`,
  );
  const fixes = new Set(causes.map(({ advice }) => advice));
  const todo = verdict.todo.filter((one) => !fixes.has(one)).map(sentence);
  const layersOpen: Part = {
    title: 'Layers that suffer most, each alone in INT8',
    folded: false,
    head: layerHeader(layers),
    rows: layers.slice(0, TOP_LAYERS).map((one) => layerRow(one, layers)),
    most: TOP_LAYERS,
    beyond: layers.length > TOP_LAYERS + 20 ? layers.length - TOP_LAYERS - 20 : 0,
  };
  const parts: readonly Part[] = [
    table4('What does not hold', checkRows(bad), false),
    bullets('Causes', caused, false, TOP_CAUSES),
    bullets('What to do', todo, false, TOP_ROWS),
    bullets('Waivers that were used', allowedRows(report.waivers ?? []), false, TOP_ROWS),
    { ...changedSettings(report.settingsChanges ?? []), folded: false, most: TOP_ROWS },
    bullets(
      'Layers that this pull request moves between INT8 and float',
      base === undefined ? [] : movedRows(base),
      false,
      2,
    ),
    layersOpen,
    depthPart(layers),
    {
      ...layersOpen,
      title: 'More layers',
      folded: true,
      rows: layers.slice(TOP_LAYERS, TOP_LAYERS + 20).map((one) => layerRow(one, layers)),
      most: 20,
    },
    ...(base === undefined
      ? []
      : [
          { ...baseRows(base), folded: true, most: 20 },
          bullets('Why it differs from the base', base.causes.map(sentence), true, 10),
        ]),
    bullets(
      'Calibration images',
      auditChecks(audit).map(({ sentence: what, advice }) => `${sentence(what)} ${sentence(advice)}`),
      audit?.verdict.kind !== 'fail',
      10,
    ),
    table4('Thresholds that hold', checkRows(good), true),
    { ...classRows(report), folded: true, most: 20 },
    enginesPart(report),
    { ...historyChart(report.history ?? []), folded: true, most: 1 },
    bullets(
      'Worth knowing',
      asides.map(({ sentence: what, advice }) => `${sentence(what)} ${sentence(advice)}`.trim()),
      true,
      10,
    ),
  ];
  return parts.filter(({ rows }) => rows.length > 0);
}

/** All layers in one line: where along the network the signal is lost. */
function depthPart(layers: readonly LayerRow[]): Part {
  const chart = depthMarkdown(layers, DEPTH_WIDTH);
  return {
    title: 'Along the network',
    folded: false,
    head: [],
    rows: chart === undefined ? [] : [chart],
    most: 1,
  };
}

function enginesPart({ engines }: Report): Part {
  const rows = engines === undefined ? [] : engineRows(engines);
  return {
    title:
      engines === undefined
        ? ''
        : `Engines: ${markdownText(shortened(engines.library, 60))} on ${markdownText(shortened(engines.gpu, 60))}`,
    folded: true,
    head: table(['', 'mAP50-95', 'simulated', 'ms a batch', 'over FP16', 'engine', 'reformats'], ':-'),
    rows: rows.map((one) =>
      row([one.name, one.ap, one.simulated, one.ms, one.speed, one.size, one.reformats]),
    ),
    most: 8,
  };
}

/** The parts as text, in `room` bytes: rows are taken from the last part first, whole rows only. */
function fit(parts: readonly Part[], room: number): readonly string[] {
  const counts = parts.map(({ rows, most }) => Math.min(rows.length, most));
  const texts = parts.map((part, i) => textOf(part, counts[i] as number));
  const size = (): number => texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 2, 0);
  for (let i = parts.length - 1; i >= 0 && size() > room; i--) {
    const part = parts[i] as Part;
    const others = size() - Buffer.byteLength(texts[i] as string);
    let [low, high] = [0, counts[i] as number];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (others + Buffer.byteLength(textOf(part, middle)) <= room) low = middle;
      else high = middle - 1;
    }
    texts[i] = textOf(part, low);
  }
  return texts;
}

function textOf(part: Part, count: number): string {
  const { title, folded, head, rows, after, beyond = 0 } = part;
  const rest = rows.length - count + (folded || rows.length > count ? beyond : 0);
  const more = rest > 0 ? `${rest} more in the report.` : '';
  if (count === 0) return `**${title}**: ${rows.length + beyond} in the report.`;
  const body = [[...head, ...rows.slice(0, count)].join('\n'), after ?? '', more]
    .filter((one) => one !== '')
    .join('\n\n');
  return folded ? `<details><summary>${title}</summary>\n\n${body}\n\n</details>` : `**${title}**\n\n${body}`;
}

function footer(report: Report, frame: CommentFrame): string {
  const { model, data, engine, tool, base } = report;
  const { commit } = frame;
  const links = linksOf(frame);
  const name = (text: string): string => markdownText(shortened(text, 80));
  const words = [
    `${name(model.file)} on ${data.validation.images} validation images, calibrated on ${data.calibration.images} (${name(data.calibration.calibrator)})`,
    `${name(engine.name)} ${name(engine.version)}`,
    `int8-gate ${name(tool.version)}`,
    ...(commit === undefined ? [] : [`commit ${commit.slice(0, 9)}`]),
    ...(base === undefined
      ? []
      : [
          `base ${name(base.commit?.slice(0, 9) ?? base.where)} (${base.source}): ${sentence(base.sentence)}`,
        ]),
    ...(base?.noInterval === undefined ? [] : [sentence(base.noInterval)]),
    ...data.validation.skipped.slice(0, 5).map(({ what, count }) => `${count} ${name(what)}`),
  ];
  return `${links === '' ? '' : `${links}\n\n`}<sub>${words.join('; ')}</sub>`;
}
