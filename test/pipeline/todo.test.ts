import { expect, test } from '@jest/globals';
import type { Check, Verdict } from '../../src/gate/index.js';
import { todoOf, type TodoInput } from '../../src/pipeline/todo.js';

type Advised = TodoInput['findings'][number];
const check: Check = {
  kind: 'inconclusive',
  metric: 'mAP50-95',
  limit: 'drop ≤ 0.020',
  value: 0.5,
  drop: 0,
  sentence: '',
};
const failed: Verdict = { kind: 'fail', checks: [{ ...check, kind: 'fail' }] };
const keep: Advised = {
  kind: 'unequal-channels',
  severity: 'warning',
  advice: 'Keep /a, /b in float.',
  layers: ['/a', '/b'],
};
const few: Advised = {
  kind: 'few-calibration-images',
  severity: 'warning',
  advice: 'Use 128 images or more.',
  layers: [],
};
const note: Advised = {
  kind: 'equalization',
  severity: 'info',
  advice: 'To save the try, set it off.',
  layers: [],
};
const todo = (more: Partial<TodoInput>): readonly string[] =>
  todoOf({
    verdict: failed,
    findings: [],
    ranked: ['/a', '/b', '/c', '/d', '/e'],
    inInt8: () => true,
    searched: 'minutes',
    ...more,
  });

test('advice about layers that the judged plan has in float already is no advice', () => {
  const findings = [keep, few, { ...few, layers: ['/c'] }, note];
  expect(todo({ findings, inInt8: (name) => name !== '/a' && name !== '/b' })).toEqual([
    'Use 128 images or more.',
    expect.stringContaining('more time'),
    'Most sensitive in INT8: /c, /d, /e. Name them in quantization.keepFloat to keep them float.',
  ]);
  expect(todo({ findings, inInt8: (name) => name !== '/a' })[0]).toBe('Keep /a, /b in float.');
});

test('names no layers where all of them in float do not pass either', () => {
  expect(todo({ searched: 'none-passes' })).toEqual([]);
  expect(todo({ searched: 'not' })).toEqual([
    'Let int8-gate look for a mixed-precision plan (gate.candidate: mixed).',
    'Most sensitive in INT8: /a, /b, /c. Name them in quantization.keepFloat to keep them float.',
  ]);
});

test.each([
  ['float-layers', 'Allow more layers in float (sensitivity.maxFloatLayers).'],
  ['int8-share', 'Ask for a smaller share in INT8 (sensitivity.minInt8Share).'],
] as const)('where a limit of the settings ended the search, %s, it is the way out', (searched, advice) => {
  expect(todo({ searched })).toEqual([advice]);
});

test('tells an interval that straddles the limit from one that only rests on too few images', () => {
  const of = (...checks: Check[]): readonly string[] =>
    todo({ verdict: { kind: 'inconclusive', checks, counts: 'fail' }, ranked: [], searched: 'cheapest' });
  expect(of(check)).toEqual([expect.stringContaining('or allow a larger drop')]);
  expect(of({ ...check, onlyFew: true })).toEqual([expect.stringContaining('too few of them to count')]);
  const latency: Check = { kind: 'inconclusive', metric: 'latencyMs', limit: '≤ 5', value: 4, sentence: '' };
  expect(of(latency)).toEqual([]);
});

test('where FP32 finds nothing, no layer is blamed: only the preprocessing is', () => {
  const colours: Advised = {
    kind: 'preprocessing',
    severity: 'error',
    advice: 'Set color: bgr.',
    layers: [],
  };
  const missing: Check = { ...check, kind: 'missing', value: null };
  for (const checks of [[missing], [missing, { ...check, kind: 'fail' } as const]])
    expect(
      todo({ findings: [keep, few, colours], verdict: { kind: 'fail', checks }, searched: 'not' }),
    ).toEqual(['Set color: bgr.', expect.stringContaining('`int8-gate evaluate` measures it alone')]);
});
