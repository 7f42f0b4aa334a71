import { describe, expect, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { formatFindings, type Finding } from '../../src/commands/doctor.js';
import { formatLint, lintModel } from '../../src/lint/index.js';
import { readModel } from '../../src/onnx/index.js';
import { formatDiff, formatTerminal, painted, wrapped, wrappedLines } from '../../src/report/index.js';
import { fullReport } from './full-report.js';

test.each<[string, string, number, string, string]>([
  ['breaks at blanks', 'one two three', 8, '', 'one two\nthree'],
  ['indents what follows', 'one two three', 8, '  ', 'one two\n  three'],
  ['leaves a word whole that is wider', 'a /very/long/path b', 6, ' ', 'a\n /very/long/path\n b'],
  ['leaves short text alone', 'one', 80, '  ', 'one'],
  ['keeps a column of blanks', 'ok    Node', 80, '', 'ok    Node'],
])('%s', (_, text, width, indent, expected) => expect(wrapped(text, width, indent)).toBe(expected));

test('every line of a text goes on below itself', () =>
  expect(wrappedLines('head\n  one two three\n', 10)).toBe('head\n  one two\n    three\n'));

test.each([
  [true, '\u001b[31mfail\u001b[0m'],
  [false, 'fail'],
])('with colour %p a failure is %j', (color, text) => expect(painted('fail', 'fail', { color })).toBe(text));

describe('at 80 columns', () => {
  const style = { color: false, width: 80 } as const;
  const long = fullReport({
    layers: 40,
    name: (i) => `/model.23/one2one_cv3.${i}/one2one_cv3.${i}.2/activation/convolution/Conv_${i}`,
  });
  const findings: Finding[] = [
    { what: 'Node', state: 'ok', detail: 'v20.20.0' },
    {
      what: 'TensorRT',
      state: 'absent',
      detail: `no module of that name ${'(it is needed by none) '.repeat(9)}`,
    },
    { what: 'sharp', state: 'missing', detail: 'cannot be loaded' },
  ];
  const changed = {
    ...long,
    sensitivity: {
      ...long.sensitivity!,
      layers: long.sensitivity!.layers.map((row, i) => ({ ...row, sqnr: 90 - i, structure: String(i) })),
    },
  };

  /** Words wider than the terminal are allowed: they are names, to be copied whole. */
  const tooWide = (text: string): string[] =>
    text.split('\n').filter((line) => line.length > 80 && line.trim().split(/\s+/).length > 2);

  test.each<[string, () => string | Promise<string>]>([
    ['run', () => formatTerminal(long, style)],
    ['diff', () => formatDiff(long, changed, style)],
    ['doctor', () => formatFindings(findings, style)],
    [
      'lint',
      async () => wrappedLines(formatLint(lintModel(await readModel('test/lint/golden/all-ops.onnx'))), 80),
    ],
  ])('%s is no wider', async (_, make) => {
    expect(existsSync('test/lint/golden/all-ops.onnx')).toBe(true);
    const text = await make();
    expect(text.split('\n').length).toBeGreaterThan(3);
    expect(tooWide(text)).toEqual([]);
  });

  test('what is looked at by doctor stays in its columns', () =>
    expect(formatFindings(findings, style).split('\n').slice(0, 3)).toEqual([
      'ok       Node      v20.20.0',
      'absent   TensorRT  no module of that name (it is needed by none) (it is needed',
      '                   by none) (it is needed by none) (it is needed by none) (it is',
    ]));
});
