import { describe, expect, test } from '@jest/globals';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import {
  formatMarkdown,
  formatTerminal,
  reportSchema,
  type PlanSection,
  type Report,
  type SearchPoint,
} from '../../src/report/index.js';

const sample = JSON.parse(readFileSync('test/report/golden/report.json', 'utf8')) as Report;

const price = { cost: 0.05, int8Share: 0.95, reformats: 3, latencyMs: null };
const plan: PlanSection = {
  source: 'found',
  ...price,
  costBy: 'macs',
  layers: [
    { name: 'model.0.conv', precision: 'fp16', macShare: 0.04, why: 'found by the search' },
    { name: 'head|a*b', precision: 'fp16', macShare: 0.01, why: 'head, by rule' },
    {
      name: 'model.3.conv',
      precision: 'int8',
      calibrator: 'entropy',
      macShare: 0.1,
      why: 'found by the search: loses less under this calibrator',
    },
  ],
  search: {
    passes: true,
    ended: 'cheapest',
    fullEvaluations: 5,
    subsetEvaluations: 31,
    cachedEvaluations: 2,
    subsetImages: 32,
    seconds: 80.4,
  },
  alternatives: [
    {
      ...price,
      int8Share: 0.9,
      passes: true,
      score: 0.9,
      drop: 0.005,
      low: 0,
      high: 0.01,
      kept: ['model.0.conv', 'model.1.conv'],
      recalibrated: [],
      why: 'model.1.conv in float as well',
    },
  ],
  blame: [],
};
const point = (part: Partial<SearchPoint>): SearchPoint => ({
  ...price,
  floatLayers: 0,
  passes: true,
  score: 0.9,
  kept: [],
  recalibrated: [],
  full: true,
  images: 100,
  verdict: 'pass',
  drop: 0.01,
  low: 0,
  high: 0.015,
  sqnr: 20,
  pareto: true,
  ...part,
});
const report: Report = {
  ...sample,
  plan,
  search: [
    point({
      int8Share: 1,
      cost: 0,
      score: 0.8,
      passes: false,
      verdict: 'fail',
      drop: 0.11,
      low: 0.1,
      high: 0.12,
    }),
    point({ kept: ['model.0.conv'], floatLayers: 1 }),
    point({ kept: ['nowhere'], floatLayers: 1, full: false, pareto: false, images: 32 }),
  ],
};

/** Compares with a committed text; `UPDATE_GOLDEN=1` writes it anew, to be read before it is committed. */
function expectGolden(name: string, text: string): void {
  const path = `test/report/golden/${name}`;
  if (process.env.UPDATE_GOLDEN !== undefined || !existsSync(path)) writeFileSync(path, text);
  expect(text).toBe(readFileSync(path, 'utf8'));
}

const planOf = (text: string, from: string, to: string): string =>
  text.slice(text.indexOf(from), text.indexOf(to, text.indexOf(from)));

describe('the plan in the report', () => {
  test('is by the schema', () => {
    const validate = new Ajv2020({ strict: false }).compile(reportSchema);
    expect(validate(report) ? [] : validate.errors).toEqual([]);
  });
  test('Markdown: sentences, and the curve of points of the whole set alone', () => {
    const text = planOf(formatMarkdown(report, { maxBytes: 60_000 }), '### Plan', '### Causes');
    expect(text).not.toContain('nowhere');
    expectGolden('plan.md', text);
  });
  test('terminal, 80 columns', () => {
    const text = formatTerminal(report, { color: false, width: 80 });
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expectGolden('plan.txt', planOf(text, 'Plan\n', '\nCauses'));
  });
  test.each([
    [
      'a stale plan',
      {
        source: 'committed',
        file: 'p.json',
        stale: {
          gone: ['a'],
          fresh: [],
          renamed: [],
          sentence: 'The plan p.json is out of date: a is gone.',
        },
      },
      'The plan p.json is out of date: a is gone.',
    ],
    ['who is to blame', { blame: ['conv5', 'conv6'] }, 'Most of what is lost, still in INT8: conv5, conv6.'],
    ['milliseconds', { latencyMs: 0.6534, costBy: 'latency' }, '0.653 ms by the profile'],
    [
      'a budget that ended it',
      { search: { ...plan.search!, ended: 'minutes' } },
      'sensitivity.maxMinutes ended it',
    ],
  ] as const)('tells %s', (_what, part, words) => {
    const text = formatMarkdown(
      { ...report, plan: { ...plan, ...part } as PlanSection },
      { maxBytes: 60_000 },
    );
    expect(text).toContain(words);
  });
});
