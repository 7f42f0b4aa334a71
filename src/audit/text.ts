import { markdownTable } from 'markdown-table';
import {
  markdownSentence,
  markdownText,
  painted,
  terminalText,
  wrapped,
  type ConsoleStyle,
} from '../report/index.js';
import type { Audit, AuditCheck } from './types.js';

const SIGNS = { pass: '✅', warn: '⚠️', fail: '❌' } as const;
const ORDER = { fail: 0, warn: 1, pass: 2 } as const;
/** Images named below a question. */
const NAMED = 8;
/** Rows of a table. */
const ROWS = 10;

function sorted({ checks }: Audit): readonly AuditCheck[] {
  return [...checks].sort((a, b) => ORDER[a.kind] - ORDER[b.kind]);
}

/** The audit as Markdown: verdict in the first line. */
export function formatAuditMarkdown(audit: Audit): string {
  const { verdict, calibration, validation, drift, dominating, growth } = audit;
  const rest = (images: readonly string[]): string =>
    images.length > NAMED ? `, and ${images.length - NAMED} more in audit.json` : '';
  const lines = sorted(audit).map(({ kind, sentence, advice, images }) =>
    [
      `- ${SIGNS[kind]} ${markdownSentence(sentence)}${advice === '' ? '' : ` **${markdownSentence(advice)}**`}`,
      ...(kind === 'pass' || images.length === 0
        ? []
        : [`  <br>${images.slice(0, NAMED).map(markdownText).join(', ')}${rest(images)}`]),
    ].join('\n'),
  );
  const part = (title: string, rows: readonly (readonly string[])[]): string =>
    rows.length < 2
      ? ''
      : `### ${title}\n\n${markdownTable(
          rows.map((row) => [...row]),
          { align: ['l', ...rows[0]!.slice(1).map(() => 'r')], alignDelimiters: false },
        )}`;
  return [
    `## ${SIGNS[verdict.kind]} Calibration audit: ${verdict.kind.toUpperCase()}`,
    markdownSentence(verdict.why),
    lines.join('\n'),
    part('Tensors that reach further on validation', [
      ['tensor', 'calibration', 'validation', 'ratio', 'saturated'],
      ...drift
        .filter(({ ratio }) => ratio > 1)
        .slice(0, ROWS)
        .map((one) => [
          markdownText(one.tensor),
          one.calibration.toPrecision(3),
          one.validation.toPrecision(3),
          `${one.ratio.toFixed(2)}×`,
          `${(100 * one.saturated).toFixed(2)} %`,
        ]),
    ]),
    part('Images that ranges hang on', [
      ['image', 'tensors that would lose a fifth', 'mean loss of range'],
      ...dominating
        .slice(0, ROWS)
        .map(({ name, tensors, loss }) => [
          markdownText(name),
          `${(100 * tensors).toFixed(0)} %`,
          `${(100 * loss).toFixed(1)} %`,
        ]),
    ]),
    part('Range by number of images', [
      ['images', ...growth.map(({ images }) => String(images))],
      ['share of the range', ...growth.map(({ range }) => `${(100 * range).toFixed(0)} %`)],
    ]),
    `<sub>${markdownText(audit.model)}; ${calibration.images} calibration images (${markdownText(calibration.calibrator)}), ${validation.images} validation images; int8-gate ${markdownText(audit.tool.version)}</sub>`,
  ]
    .filter((one) => one !== '')
    .join('\n\n')
    .concat('\n');
}

/** The audit for a terminal, one question a paragraph. */
export function formatAuditTerminal(audit: Audit, style: ConsoleStyle): string {
  const { width } = style;
  const below = ' '.repeat(6);
  const entry = (word: 'pass' | 'warn' | 'fail', text: string, label = word.padEnd(4)): string =>
    wrapped(`${label}  ${terminalText(text)}`, width, below).replace(label, painted(label, word, style));
  const lines = sorted(audit).flatMap(({ kind, sentence, advice, images }) => [
    entry(kind, sentence),
    ...(kind === 'pass' ? [] : images.slice(0, NAMED).map((name) => `${below}  ${terminalText(name)}`)),
    ...(kind === 'pass' || images.length <= NAMED
      ? []
      : [`${below}  and ${images.length - NAMED} more in audit.json`]),
    ...(advice === '' ? [] : [wrapped(`${below}→ ${terminalText(advice)}`, width, `${below}  `)]),
  ]);
  const { kind, why } = audit.verdict;
  return [...lines, '', entry(kind, why, kind.toUpperCase())].join('\n');
}
