import { describe, expect, test } from '@jest/globals';
import { commonWaivers, exitStatusOf, judge, type Judgement } from '../../src/gate/index.js';
import type { Waiver } from '../../src/settings/index.js';
import { candidate, interval } from './numbers.js';

const waiver = (more: Partial<Waiver> = {}): Waiver => ({
  metric: 'mAP50-95',
  allowedDrop: 0.05,
  reason: 'new head, retrained next week',
  owner: '@vision',
  expires: '2026-11-30',
  ...more,
});
const perClass = (AP: number) => [{ category: 0, name: 'disc', AP, AP50: 1, AR100: 1, boxes: 30 }];
const verdict = (list: readonly Waiver[], more: Partial<Judgement> = {}, today = '2026-11-24') =>
  judge({
    thresholds: { 'mAP50-95': { maxDrop: 0.01 } },
    reference: candidate(0.9, { perClass: perClass(0.9) }),
    candidate: candidate(0.87, { perClass: perClass(0.87) }),
    intervals: interval(0.02, 0.04),
    images: 200,
    inconclusive: 'fail',
    waivers: { list, today },
    ...more,
  });

describe('a drop beyond its limit', () => {
  const classes = { thresholds: { classAP: { maxDrop: 0.01, minBoxes: 20 } } } as const;
  test.each([
    ['passes with a waiver', [waiver()], {}, 'pass'],
    [
      'does not pass when the interval reaches beyond what is allowed',
      [waiver({ allowedDrop: 0.035 })],
      {},
      'fail',
    ],
    ['does not pass with a waiver of another metric', [waiver({ metric: 'mAP50' })], {}, 'fail'],
    ['does not pass with a waiver of a drop below the base', [waiver({ against: 'base' })], {}, 'fail'],
    [
      'of a class passes with one of that class',
      [waiver({ metric: 'classAP', subject: 'disc' })],
      classes,
      'pass',
    ],
    ['of a class passes with one of every class', [waiver({ metric: 'classAP' })], classes, 'pass'],
    [
      'of a class does not pass with one of another',
      [waiver({ metric: 'classAP', subject: 'cone' })],
      classes,
      'fail',
    ],
    ['is held against the most generous of two', [waiver({ allowedDrop: 0.02 }), waiver()], {}, 'pass'],
    ['that cannot be decided passes too', [waiver()], { intervals: interval(0.005, 0.04, 0.03) }, 'pass'],
    ['below a smallest value is no drop', [waiver()], { thresholds: { 'mAP50-95': { min: 0.88 } } }, 'fail'],
  ] as const)('%s', (_, list, more, kind) => {
    const found = verdict(list, more);
    expect(found.kind).toBe(kind);
    expect(exitStatusOf(found)).toBe(kind === 'pass' ? 0 : 1);
    expect(found.checks[0]?.waived).toBe(kind === 'pass' ? true : undefined);
  });

  test('that is waived says by whom, until when and why', () => {
    const [check] = verdict([waiver()]).checks;
    expect(check?.waiver).toMatchObject({ owner: '@vision', drop: expect.closeTo(0.03, 9) });
    expect(check?.sentence).toBe(
      'mAP50-95 fell by 0.030 (drop between 0.020 and 0.040) from 0.900 to 0.870; a drop of at most 0.010 is allowed. Waived up to 0.050 by @vision until 2026-11-30: new head, retrained next week.',
    );
  });

  test('within its limit needs no waiver, and uses none', () => {
    const [check] = verdict([waiver()], {
      intervals: interval(0.001, 0.009),
      candidate: candidate(0.895),
    }).checks;
    expect(check).toMatchObject({ kind: 'pass' });
    expect(check?.waiver).toBeUndefined();
  });

  test('is waived for what lost images or layers against the base', () => {
    const list = [
      waiver({ metric: 'validationImages', allowedDrop: 60 }),
      waiver({ metric: 'moreFloatLayers', allowedDrop: 3 }),
    ];
    const more = {
      thresholds: { base: { moreFloatLayers: { max: 0 } } },
      candidate: candidate(0.9, { floatLayers: 7 }),
      images: 150,
      base: {
        kind: 'measured',
        reference: candidate(0.9),
        intervals: undefined,
        floatLayers: 4,
        images: 200,
        incomparable: undefined,
      },
    } as const;
    expect(verdict(list, more).kind).toBe('pass');
    expect(verdict([waiver({ metric: 'validationImages', allowedDrop: 10 })], more).kind).toBe('fail');
  });
});

describe('a waiver', () => {
  test.each([
    ['holds on its last day', '2026-11-30', 'pass'],
    ['has expired on the next', '2026-12-01', 'fail'],
  ] as const)('%s', (_, today, kind) => expect(verdict([waiver()], {}, today).kind).toBe(kind));

  test('that has expired fails what needs it, and says so', () => {
    const [check] = verdict([waiver()], {}, '2027-01-01').checks;
    expect(check).toMatchObject({ kind: 'fail', metric: 'mAP50-95' });
    expect(check?.sentence).toBe(
      'mAP50-95 fell by 0.030 (drop between 0.020 and 0.040) from 0.900 to 0.870; a drop of at most 0.010 is allowed. A waiver by @vision (new head, retrained next week) allowed 0.05 until 2026-11-30 and has expired: mend what it excused, or renew it on the base branch.',
    );
  });

  test.each([
    ['nothing needs it', { candidate: candidate(0.9), intervals: interval(0, 0.001) }, 'pass', 0],
    ['it would not have been enough', { intervals: interval(0.06, 0.08) }, 'fail', 1],
    [
      'what it excused cannot be decided: that fails though the settings let it pass',
      { intervals: interval(0.005, 0.04), inconclusive: 'pass' },
      'fail',
      1,
    ],
  ] as const)('that has expired, where %s', (_, more, kind, status) => {
    const found = verdict([waiver()], more, '2027-01-01');
    expect(found.kind).toBe(kind);
    expect(exitStatusOf(found)).toBe(status);
    expect(found.checks).toHaveLength(1);
  });

  test('that has expired leaves one beside it in force', () =>
    expect(verdict([waiver(), waiver({ expires: '2030-01-01' })], {}, '2027-01-01').kind).toBe('pass'));

  test('of a count that has expired is told by the count', () => {
    const base = {
      kind: 'measured',
      reference: candidate(0.9),
      intervals: undefined,
      floatLayers: 4,
      images: 200,
      incomparable: undefined,
    } as const;
    const list = [waiver({ metric: 'validationImages', allowedDrop: 60 })];
    const found = verdict(list, { intervals: interval(0, 0.001), images: 150, base }, '2027-01-01');
    expect(found.checks.find(({ metric }) => metric === 'validationImages')).toMatchObject({
      kind: 'fail',
      sentence: expect.stringMatching(/A waiver by @vision .* allowed 60 until 2026-11-30 and has expired/),
    });
  });

  test.each([
    ['that only the head has counts nothing', [], [waiver()], []],
    ['that the head takes out is out', [waiver()], [], []],
    [
      'that the head widens stays as it was',
      [waiver()],
      [waiver({ allowedDrop: 1, expires: '2099-01-01' })],
      [waiver()],
    ],
    [
      'that the head narrows is narrow',
      [waiver()],
      [waiver({ allowedDrop: 0.02, expires: '2026-11-25' })],
      [waiver({ allowedDrop: 0.02, expires: '2026-11-25' })],
    ],
    ['of another class is another', [waiver({ subject: 'disc' })], [waiver({ subject: 'cone' })], []],
  ])('%s', (_, base, head, common) => expect(commonWaivers(base, head)).toEqual(common));
});
