import { describe, expect, test } from '@jest/globals';
import { exitStatusOf, judge, type BaseAtHand, type Judgement } from '../../src/gate/index.js';
import { candidate, interval } from './numbers.js';

const thresholds = { base: { 'mAP50-95': { maxDrop: 0.01 } } } as const;
const measured: Extract<BaseAtHand, { kind: 'measured' }> = {
  kind: 'measured',
  reference: candidate(0.9, { floatLayers: 4 }),
  intervals: interval(0.001, 0.008),
  floatLayers: 4,
  images: 200,
  incomparable: undefined,
};
const verdict = (more: Partial<Judgement>) =>
  judge({
    thresholds,
    reference: candidate(0.91),
    candidate: candidate(0.895, { floatLayers: 4 }),
    intervals: undefined,
    images: 200,
    inconclusive: 'fail',
    base: measured,
    ...more,
  });

describe('the head against its base', () => {
  test.each([
    ['passes when the whole interval clears the limit', interval(0.001, 0.008), 'pass', 0],
    ['fails when the whole interval is beyond it', interval(0.02, 0.04), 'fail', 1],
    ['is inconclusive when it straddles the limit', interval(0.001, 0.02), 'inconclusive', 1],
    ['without detections is judged by the numbers alone', undefined, 'pass', 0],
  ] as const)('%s', (_, intervals, kind, status) => {
    const found = verdict({ base: { ...measured, intervals } });
    expect(found.kind).toBe(kind);
    expect(exitStatusOf(found)).toBe(status);
    expect(found.checks[0]).toMatchObject({ metric: 'mAP50-95', against: 'base' });
  });

  test('says where a drop is from', () => {
    expect(verdict({}).checks[0]?.sentence).toBe(
      'mAP50-95 fell by 0.005 (drop between 0.001 and 0.008) from the base, 0.900 to 0.895; a drop of at most 0.010 is allowed.',
    );
  });

  test('is held to limits on classes, and to shares of the base', () => {
    const perClass = (AP: number) => [{ category: 0, name: 'disc', AP, AP50: 1, AR100: 1, boxes: 30 }];
    const found = verdict({
      thresholds: { base: { classAP: { maxDrop: 0.01, minBoxes: 20 }, mAP50: { maxDropRelative: 0.1 } } },
      candidate: candidate(0.895, { perClass: perClass(0.8) }),
      base: {
        ...measured,
        reference: candidate(0.9, { perClass: perClass(0.9) }),
        intervals: interval(0.05, 0.15),
      },
    });
    expect(found.checks.map(({ kind, metric, subject }) => [kind, metric, subject])).toEqual([
      ['inconclusive', 'mAP50', undefined],
      ['fail', 'classAP', 'disc'],
    ]);
  });
});

describe('what is not there', () => {
  const missing = { kind: 'missing', why: 'main has no int8-gate.yml' } as const;
  test.each([
    ['a base that nobody named', { base: undefined }, 'fail', /none was named with `--base`/],
    [
      'a base that could not be had',
      { base: missing },
      'fail',
      /main has no int8-gate\.yml; what is not compared/,
    ],
    ['one that may be missing', { base: missing, baseMissing: 'pass' }, 'pass', /the settings let that pass/],
    [
      'one that does not know int8-gate yet',
      { base: { kind: 'first', why: 'main has no int8-gate.yml' } },
      'pass',
      /There is no base to compare with: main has no int8-gate\.yml\./,
    ],
    ['one that is denied', { base: { kind: 'none' } }, 'pass', /as the run was told/],
    [
      'another validation set',
      { base: { ...measured, incomparable: 'it was measured on another validation set' } },
      'fail',
      /could not be measured: it was measured on another/,
    ],
    [
      'a number of the base',
      { base: { ...measured, reference: candidate(NaN), intervals: undefined } },
      'fail',
      /could not be measured \(base:/,
    ],
    ['a number of the head', { candidate: candidate(-1) }, 'fail', /could not be measured \(candidate:/],
  ] as const)('%s has its own words', (_, more, kind, says) => {
    const found = verdict(more);
    expect(found.kind).toBe(kind);
    expect(found.checks[0]?.sentence).toMatch(says);
  });

  test('a base that was asked for and could not be had fails also where it limits nothing', () => {
    const own = { 'mAP50-95': { min: 0.5 } };
    expect(verdict({ thresholds: own, base: missing }).kind).toBe('fail');
    expect(verdict({ thresholds: own, base: undefined }).kind).toBe('pass');
  });
});

describe('what a pull request could loosen', () => {
  test.each([
    ['as many layers in float', 4, 0, 'pass'],
    ['fewer', 2, 0, 'pass'],
    ['more', 5, 0, 'fail'],
    ['as many more as allowed', 6, 2, 'pass'],
    ['layers that nobody counted', undefined, 2, 'fail'],
  ] as const)('plan: %s', (_, floatLayers, max, kind) => {
    const found = verdict({
      thresholds: { base: { moreFloatLayers: { max } } },
      candidate: candidate(0.95, { floatLayers }),
    });
    expect(found.kind).toBe(kind);
  });

  test.each([
    ['a set that lost images', 150, 'fail'],
    ['a set that grew', 250, 'pass'],
  ] as const)('data: %s', (_, images, kind) => {
    const found = verdict({ images });
    expect(found.kind).toBe(kind);
    if (kind === 'fail')
      expect(found.checks[0]?.sentence).toMatch(/^The validation set has 150 images, 200 in the base/);
  });
});
