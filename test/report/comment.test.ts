import { describe, expect, test } from '@jest/globals';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import {
  COMMENT_BYTES,
  formatComment,
  formatMarkdown,
  type CommentFrame,
  type Report,
} from '../../src/report/index.js';
import { fullReport } from './full-report.js';

const sample = JSON.parse(readFileSync('test/report/golden/report.json', 'utf8')) as Report;
const frame: CommentFrame = {
  marker: '<!-- int8-gate:0123456789ab head=4f5f250bcc6082e34d645096978bc4612c6cf96b run=7.1 -->',
  run: 'https://github.com/octo/signs/actions/runs/7',
  files: 'https://github.com/octo/signs/actions/runs/7#artifacts',
  commit: '4f5f250bcc6082e34d645096978bc4612c6cf96b',
  notes: [],
  maxBytes: COMMENT_BYTES,
};

/** Compares with a committed text; `UPDATE_GOLDEN=1` writes it anew, to be read before it is committed. */
function expectGolden(name: string, text: string): void {
  const path = `test/report/golden/${name}`;
  if (process.env.UPDATE_GOLDEN !== undefined || !existsSync(path)) writeFileSync(path, text);
  expect(text).toBe(readFileSync(path, 'utf8'));
}

/** A gate of INT8 alone. */
const failing: Report = { ...sample, verdict: { ...sample.verdict, candidate: 'int8' } };

const passing: Report = {
  ...sample,
  findings: sample.findings.map((one) => ({ ...one, severity: 'info' })),
  verdict: {
    kind: 'pass',
    blocks: false,
    candidate: 'mixed',
    why: 'The mixed-precision engine holds every threshold with 9 layers in float: the head, and those that the settings name.',
    todo: [],
    checks: [
      {
        kind: 'pass',
        metric: 'mAP50-95',
        limit: 'drop ≤ 0.020',
        value: 0.905,
        drop: 0.006,
        interval: [0.003, 0.01],
        sentence: 'mAP50-95 fell by 0.006.',
      },
      { kind: 'pass', metric: 'modelSizeMiB', limit: '≤ 2', value: 0.812345, sentence: 'The size is 0.81.' },
    ],
  },
  history: Array.from({ length: 5 }, (_, i) => ({
    createdAt: `2026-10-${10 + i}T03:00:00.000Z`,
    fp32: 0.91 + i / 1000,
    int8: 0.9,
    mixed: 0.905 - i / 1000,
  })),
};

const undecided: Report = {
  ...passing,
  verdict: {
    ...passing.verdict,
    kind: 'inconclusive',
    blocks: true,
    why: 'The mixed-precision engine cannot be judged: mAP50-95 fell by 0.006 (drop between −0.001 and 0.012); a drop of at most 0.010 is allowed.',
    todo: [
      'Add validation images, or allow a larger drop: the interval is wider than the room to the limit.',
    ],
    checks: [
      {
        kind: 'inconclusive',
        metric: 'mAP50-95',
        limit: 'drop ≤ 0.010',
        value: 0.905,
        drop: 0.006,
        interval: [-0.001, 0.012],
        imagesToDecide: 800,
        against: 'base',
        sentence: 'undecided',
      },
      { kind: 'missing', metric: 'classAP', subject: 'star', limit: 'any', value: null, sentence: 'missing' },
      {
        kind: 'pass',
        metric: 'AR100',
        limit: 'drop ≤ 0.010',
        value: 0.9,
        drop: 0.02,
        waived: true,
        sentence: 'waived',
      },
    ],
  },
  waivers: [
    {
      metric: 'AR100',
      allowedDrop: 0.03,
      drop: 0.02,
      reason: 'new camera, labels follow',
      owner: 'Ada @detectors',
      expires: '2026-12-31',
    },
  ],
  settingsChanges: [
    { path: 'gate.thresholds.mAP50-95.maxDrop', base: '0.01', head: '0.5', judgedBy: 'base' },
    { path: 'calibration.count', base: null, head: '64', judgedBy: 'head' },
  ],
  base: {
    source: 'cache',
    where: 'main',
    commit: 'ffeeddccbbaa99887766554433221100ffeeddcc',
    createdAt: '2026-10-30T00:00:00.000Z',
    candidate: 'mixed',
    variants: {
      fp32: { AP: 0.912, AP50: 0.985 },
      int8: { AP: 0.908, AP50: 0.984 },
      mixed: { AP: 0.909, AP50: 0.985 },
    },
    drop: { drop: 0.004, low: -0.001, high: 0.008 },
    layers: [
      {
        kind: 'changed',
        name: '/b1/conv/Conv',
        opType: 'Conv',
        rank: [3, 1],
        sqnr: [31.5, 24.4],
        precision: { base: 'fp16', head: 'int8' },
        range: 2.5,
        cause: 'range-outlier',
      },
      {
        kind: 'added',
        name: '/new',
        opType: 'Conv',
        rank: [null, 9],
        sqnr: [null, 40],
        precision: { head: 'int8' },
      },
      {
        kind: 'renamed',
        name: '/x',
        before: '/y',
        opType: 'Conv',
        rank: [5, 5],
        sqnr: [40, 40],
        precision: {},
      },
    ],
    moved: { toFloat: ['/b3/conv/Conv', '/b|x`/conv'], toInt8: ['/b1/conv/Conv'] },
    causes: ['The calibration images differ: 12 of 128 are others.'],
    sentence: 'mAP50-95 of the mixed-precision engine is 0.004 below the base.',
  },
};

describe('the comment in the pull request', () => {
  test.each([
    ['fails', failing],
    ['passes', passing],
    ['cannot be decided', undecided],
  ])('when the model %s', (what, report) =>
    expectGolden(`comment-${what.replaceAll(' ', '-')}.md`, formatComment(report, frame)),
  );

  test('has the marker first and the verdict in the first line that is seen', () =>
    expect(formatComment(failing, frame).split('\n').slice(0, 2)).toEqual([
      frame.marker,
      '## ❌ int8-gate: FAIL · mAP50-95 FP32 0.911, INT8 0.000',
    ]));

  test('says how far the numbers can be trusted, where that is asked', () =>
    expect(formatComment(sample, { ...frame, notes: ['A fork wrote this.'] })).toContain(
      '> [!NOTE]\n> A fork wrote this.',
    ));

  test('without addresses there are no links', () =>
    expect(formatComment(sample, { ...frame, run: undefined, files: undefined })).not.toMatch(/\]\(/));
});

/** A report with as many rows as asked in every list, and names as long. */
function crowded(rows: number, length: number): Report {
  const text = (i: number): string => `${i}${'|@<`'.repeat(length / 4)}`;
  const list = <T>(make: (i: number) => T): T[] => Array.from({ length: rows }, (_, i) => make(i));
  const layer = sample.sensitivity!.layers[0]!;
  const classes = list((i) => ({ name: text(i), AP: 0.5, AP50: 0.5, AR100: 0.5, boxes: 9 }));
  const of = (one: Report['variants']['fp32']): Report['variants']['fp32'] => ({ ...one, perClass: classes });
  return {
    ...undecided,
    model: { ...sample.model, file: text(0) },
    sensitivity: {
      images: 32,
      layers: list((i) => ({ ...layer, rank: i + 1, name: text(i), cause: text(i) })),
    },
    findings: list((i) => ({
      kind: 'x',
      severity: i % 2 === 0 ? ('error' as const) : ('info' as const),
      subject: text(i),
      sentence: text(i),
      advice: text(i),
    })),
    variants: { fp32: of(sample.variants.fp32), int8: of(sample.variants.int8) },
    waivers: list((i) => ({ ...undecided.waivers![0]!, reason: text(i), owner: text(i), metric: text(i) })),
    settingsChanges: list((i) => ({ ...undecided.settingsChanges![0]!, path: text(i), base: text(i) })),
    base: {
      ...undecided.base!,
      sentence: text(1),
      causes: list(text),
      moved: { toFloat: list(text), toInt8: list(text) },
      layers: list((i) => ({ ...undecided.base!.layers[0]!, name: text(i) })),
    },
    verdict: {
      ...undecided.verdict,
      why: text(1),
      todo: list(text),
      checks: list((i) => ({
        ...undecided.verdict.checks[0]!,
        metric: text(i),
        kind: i % 2 === 0 ? 'fail' : 'pass',
      })),
    },
  };
}

describe('a report too large for a comment', () => {
  test.each([
    [50, 8, COMMENT_BYTES],
    [2000, 40, COMMENT_BYTES],
    [2000, 4000, COMMENT_BYTES],
    [20, 100_000, COMMENT_BYTES],
    [300, 400, 30_000],
    [3000, 8, 12_000],
  ])('%i rows with names of %i characters fit %i bytes, in whole rows', (rows, length, maxBytes) => {
    const text = formatComment(crowded(rows, length), { ...frame, maxBytes });
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
    expect(text.startsWith(`${frame.marker}\n## ⚠️ int8-gate: INCONCLUSIVE`)).toBe(true);
    expect(text.split('<details>').length).toBe(text.split('</details>').length);
    expect(text.endsWith('</sub>\n')).toBe(true);
    for (const block of text.split('\n\n')) {
      const lines = block.split('\n').filter((line) => line.startsWith('|'));
      expect(new Set(lines.map((line) => line.split('|').length)).size).toBeLessThanOrEqual(1);
      for (const line of lines) expect(line.endsWith('|')).toBe(true);
    }
  });

  test('tells how many rows are left out, each with its own number', () => {
    const text = formatComment(crowded(2000, 40), frame);
    expect(text).toContain('996 more in the report.'); // 4 of 1000 causes are shown
    expect(text).toContain('1988 more in the report.'); // 12 of 2000 waivers
  });
});

describe('the audit of calibration images', () => {
  const { audit } = fullReport({ name: (i) => `image ${i}.jpg` });

  test('stands open where it fails, questions that hold left out', () => {
    const text = formatComment({ ...sample, audit: audit! }, frame);
    expect(text).toContain(
      '**Calibration images**\n\n- 1 calibration image, image 24.jpg, is in the validation set too. Take it out of the calibration images.\n- 1 image is blank',
    );
    expect(text).not.toContain('64 different images');
  });

  test('is folded where it only warns, and absent where everything holds', () => {
    const checks = audit!.checks.filter(({ kind }) => kind !== 'fail');
    const of = (over: Partial<NonNullable<Report['audit']>>): string =>
      formatComment(
        { ...sample, audit: { ...audit!, verdict: { kind: 'pass', why: '' }, checks, ...over } },
        frame,
      );
    expect(of({})).toContain('<details><summary>Calibration images</summary>');
    expect(of({ checks: checks.filter(({ kind }) => kind === 'pass') })).not.toContain('Calibration images');
  });

  test('stands in the job summary too', () =>
    expect(formatMarkdown({ ...sample, audit: audit! }, { maxBytes: 60_000 })).toContain(
      '### Calibration images\n\n- ❌ 1 calibration image, image 24.jpg, is in the validation set too.',
    ));
});
