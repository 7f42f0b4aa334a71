import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import {
  formatComment,
  formatMarkdown,
  formatProblemComment,
  formatTerminal,
  markdownSentence,
  markdownText,
  shortened,
  terminalText,
  type Report,
} from '../../src/report/index.js';
import { CONTROL, NASTY, brokenRows, dangersIn } from './hostile.js';
import { commandsIn } from './runner.js';

const sample = JSON.parse(readFileSync('test/report/golden/report.json', 'utf8')) as Report;
const frame = {
  marker: '',
  run: undefined,
  files: undefined,
  commit: undefined,
  notes: [],
  maxBytes: 60_000,
};

const name = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...NASTY) },
      fc.string({ unit: 'binary', maxLength: 6 }),
    ),
    {
      minLength: 1,
      maxLength: 7,
    },
  )
  .map((parts) => parts.join(''));

/** 12,000 names, the same in every run. */
const NAMES: readonly string[] = [
  ...NASTY,
  ...NASTY.flatMap((one) => NASTY.map((other) => one + other)),
  ...fc.sample(name, {
    numRuns: 12_000 - NASTY.length * (NASTY.length + 1),
    seed: 8,
  }),
];

/** A report in which every text is one of `names`. */
function reportOf(names: readonly string[]): Report {
  const at = (i: number): string => names[i % names.length] as string;
  const layer = sample.sensitivity!.layers[0]!;
  const variant = (one: Report['variants']['fp32']): Report['variants']['fp32'] => ({
    ...one,
    perClass: names.map((label) => ({
      name: label,
      AP: 0.5,
      AP50: 0.5,
      AR100: 0.5,
      boxes: 3,
    })),
  });
  return {
    ...sample,
    model: { ...sample.model, file: at(0) },
    decoder: { format: at(1), why: [at(2)] },
    engine: { ...sample.engine, name: at(3), version: at(4) },
    tool: { name: at(5), version: at(6) },
    data: {
      validation: {
        ...sample.data.validation,
        source: at(7),
        categories: [...names],
        skipped: [{ what: at(8), count: 1 }],
      },
      calibration: {
        ...sample.data.calibration,
        source: at(9),
        calibrator: at(10),
      },
    },
    variants: {
      fp32: variant(sample.variants.fp32),
      int8: variant(sample.variants.int8),
    },
    sensitivity: {
      images: 8,
      layers: names.map((label, i) => ({
        ...layer,
        rank: i + 1,
        name: label,
        opType: at(i + 1),
        cause: at(i + 2),
      })),
    },
    findings: names.map((label, i) => ({
      kind: at(i + 3),
      severity: i % 2 === 0 ? ('error' as const) : ('info' as const),
      subject: label,
      sentence: `${label} joins ${at(i + 4)}.`,
      advice: at(i + 5),
    })),
    audit: {
      calibration: { source: at(40), images: 9, calibrator: at(41) },
      validation: { source: at(42), images: 9 },
      verdict: { kind: 'fail', why: at(43) },
      checks: names.map((label, i) => ({
        kind: i % 2 === 0 ? ('fail' as const) : ('warn' as const),
        metric: 'dominance',
        value: 1,
        limit: at(i + 1),
        sentence: `Without ${label}, ranges fall.`,
        advice: at(i + 2),
        images: [label],
      })),
      ...{ broken: [], duplicates: [], overlap: [], gaps: [], dominating: [], growth: [], drift: [] },
      settledAt: null,
    },
    waivers: [
      {
        metric: at(11),
        subject: at(12),
        allowedDrop: 1,
        drop: 1,
        reason: at(13),
        owner: at(14),
        expires: at(15),
      },
    ],
    settingsChanges: [{ path: at(16), base: at(17), head: at(18), judgedBy: 'base' }],
    base: {
      source: 'cache',
      where: at(19),
      commit: at(20),
      createdAt: at(21),
      candidate: 'int8',
      variants: { fp32: { AP: 1, AP50: 1 }, int8: { AP: 1, AP50: 1 } },
      layers: [
        {
          kind: 'changed',
          name: at(22),
          opType: at(23),
          rank: [1, 2],
          sqnr: [1, 2],
          precision: {},
          cause: at(24),
        },
      ],
      causes: [at(25)],
      sentence: at(26),
    },
    history: [
      { createdAt: at(27), fp32: 1, int8: 1, mixed: null },
      { createdAt: at(28), fp32: 1, int8: 1, mixed: null },
    ],
    verdict: {
      ...sample.verdict,
      candidate: 'int8',
      why: at(29),
      todo: [at(30)],
      checks: [
        {
          kind: 'fail',
          metric: at(31),
          subject: at(32),
          limit: at(33),
          value: 1,
          sentence: at(34),
        },
        {
          kind: 'pass',
          metric: at(35),
          limit: at(36),
          value: 1,
          sentence: at(37),
        },
      ],
    },
  };
}

const BATCH = 40;
const BATCHES = Array.from({ length: Math.ceil(NAMES.length / BATCH) }, (_, i) =>
  NAMES.slice(i * BATCH, (i + 1) * BATCH),
);

describe(`${NAMES.length} hostile names`, () => {
  test('there are more than 10,000', () => expect(NAMES.length).toBeGreaterThanOrEqual(12_000));

  test('each by itself', () => {
    const wrong = NAMES.filter((one) => {
      const markdown = [markdownText(one), markdownSentence(one), markdownText(shortened(one, 9))];
      const line = terminalText(one);
      return (
        markdown.some((text) => /[|`\n]/.test(text) || dangersIn(text).length > 0) ||
        CONTROL.test(line) ||
        line.includes('\n') ||
        commandsIn(line).length > 0
      );
    });
    expect(wrong).toEqual([]);
  });

  test('in the comment', () => {
    for (const names of BATCHES) {
      const text = formatComment(reportOf(names), frame);
      expect(dangersIn(text)).toEqual([]);
      expect(brokenRows(text)).toEqual([]);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(frame.maxBytes);
    }
  });

  test('in the summary', () => {
    for (const names of BATCHES) {
      const text = formatMarkdown(reportOf(names), { maxBytes: 900_000 });
      expect(dangersIn(text)).toEqual([]);
      expect(brokenRows(text)).toEqual([]);
    }
  });

  test('as problems', () => {
    for (const names of BATCHES) {
      const problems = names.map((one) => ({
        where: one,
        what: one,
        fix: one,
      }));
      expect(dangersIn(formatProblemComment(problems, frame))).toEqual([]);
    }
  });

  test('in the log, at any width', () => {
    for (const names of BATCHES)
      for (const width of [60, 100]) {
        const text = formatTerminal(reportOf(names), { color: false, width });
        expect(commandsIn(text)).toEqual([]);
        expect(text).not.toMatch(CONTROL);
      }
  });
});
