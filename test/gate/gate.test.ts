import { describe, expect, test } from '@jest/globals';
import { exitStatusOf, judge, wantsOnlyImages, type Judgement } from '../../src/gate/index.js';
import { candidate, interval } from './numbers.js';

const base = { reference: candidate(0.9), images: 200, inconclusive: 'fail', intervals: undefined } as const;
const verdict = (more: Partial<Judgement> & Pick<Judgement, 'thresholds' | 'candidate'>) =>
  judge({ ...base, ...more });

describe('a drop', () => {
  const thresholds = { 'mAP50-95': { maxDrop: 0.02 } };
  test.each([
    ['passes when the whole interval clears the limit', 0.895, interval(0.001, 0.009), 'pass', 0],
    ['fails when the whole interval is beyond it', 0.8, interval(0.08, 0.12), 'fail', 1],
    ['is inconclusive when the interval straddles it', 0.885, interval(0.005, 0.025), 'inconclusive', 1],
    ['without an interval is judged by its point', 0.885, undefined, 'pass', 0],
    ['passes when accuracy rose', 0.95, interval(-0.06, -0.04), 'pass', 0],
  ] as const)('%s', (_, AP, intervals, kind, status) => {
    const found = verdict({ thresholds, candidate: candidate(AP), intervals });
    expect(found.kind).toBe(kind);
    expect(exitStatusOf(found)).toBe(status);
  });

  test.each([
    ['clear of the limit, so that only images lack', interval(-0.01, 0.012), true],
    ['across the limit', interval(-0.01, 0.04), undefined],
  ])('from few images is inconclusive with an interval %s', (_, intervals, onlyFew) => {
    const found = verdict({ thresholds, candidate: candidate(0.9004), intervals, images: 19 });
    expect(found.kind).toBe('inconclusive');
    expect(found.checks[0]?.onlyFew).toBe(onlyFew);
    expect(wantsOnlyImages(found)).toBe(onlyFew === true);
  });

  test('that rounds to nothing is told as less than 0.001', () => {
    const said = (AP: number) =>
      verdict({ thresholds, candidate: candidate(AP), intervals: interval(-0.01, 0.012) }).checks[0]
        ?.sentence;
    expect(said(0.9004)).toMatch(/^mAP50-95 rose by less than 0\.001 \(/);
    expect(said(0.8996)).toMatch(/^mAP50-95 fell by less than 0\.001 \(/);
    expect(said(0.9)).toMatch(/^mAP50-95 fell by 0\.000 \(/);
  });

  test('from an FP32 that finds nothing says nothing, and does not pass', () => {
    const given = { reference: candidate(0.0004), candidate: candidate(0), intervals: interval(0, 0) };
    for (const limit of [{ maxDrop: 0.02 }, { maxDropRelative: 0.1 }]) {
      const found = verdict({ ...given, thresholds: { 'mAP50-95': limit } });
      expect(found).toMatchObject({ kind: 'fail', checks: [{ kind: 'missing', value: 0 }] });
      expect(found.checks[0]?.sentence).toMatch(/^mAP50-95 of FP32 itself is 0\.000.*annotations do not fit/);
    }
  });

  test('from an FP32 with less to lose than the limit allows does not pass either', () => {
    const of = (AP: number, maxDrop: number) =>
      verdict({
        reference: candidate(AP),
        candidate: candidate(0),
        intervals: interval(0, AP),
        thresholds: { 'mAP50-95': { maxDrop } },
      });
    expect(of(0.015, 0.02)).toMatchObject({ kind: 'fail', checks: [{ kind: 'missing' }] });
    expect(of(0.015, 0.02).checks[0]?.sentence).toMatch(
      /^mAP50-95 of FP32 itself is 0\.015, so that an engine that finds nothing would hold/,
    );
    // A limit that gives away what FP32 really has is the user's own.
    expect(of(0.4, 0.5)).toMatchObject({ kind: 'pass' });
    expect(of(0.04, 0.02).checks[0]?.kind).not.toBe('missing');
  });

  test('of a class that FP32 does not find is no drop', () => {
    const perClass = [{ category: 0, name: 'disc', AP: 0, AP50: 0, AR100: 0, boxes: 30 }];
    const found = verdict({
      thresholds: { classAP: { maxDrop: 0.02, minBoxes: 20 } },
      reference: candidate(0.9, { perClass }),
      candidate: candidate(0.9, { perClass }),
    });
    expect(found.kind).toBe('pass');
  });

  test('inconclusive may be made to pass, and says how many images would decide', () => {
    const found = verdict({
      thresholds,
      candidate: candidate(0.885),
      intervals: interval(0.005, 0.025),
      inconclusive: 'pass',
    });
    expect(exitStatusOf(found)).toBe(0);
    expect(found.checks[0]?.sentence).toBe(
      'mAP50-95 fell by 0.015 (drop between 0.005 and 0.025) from 0.900 to 0.885; a drop of at most 0.020 is allowed. The interval straddles the limit: 200 images cannot decide it, about 800 would.',
    );
  });

  test('of AR100 and of a class says what its interval rests on and how many images would decide', () => {
    const perClass = (AP: number) => [{ category: 0, name: 'disc', AP, AP50: 1, AR100: 1, boxes: 30 }];
    const found = verdict({
      thresholds: { AR100: { maxDrop: 0.02 }, classAP: { maxDrop: 0.02, minBoxes: 20 } },
      reference: candidate(0.9, { perClass: perClass(0.9) }),
      candidate: candidate(0.885, { perClass: perClass(0.885) }),
      intervals: {
        ...interval(-0.02, 0.03, 0.015),
        family: 1,
        perClass: [{ drop: 0.015, low: -0.01, high: 0.025, images: 24, together: [-0.01, 0.025] }],
      },
    });
    // The end across the limit decides: (0.015 / 0.005)² = 9 times the images, or 4 times those that hold the class.
    expect(found.checks).toMatchObject([
      { kind: 'inconclusive', metric: 'AR100', images: 200, imagesToDecide: 1800 },
      { kind: 'inconclusive', subject: 'disc', confidence: 0.95, images: 24, imagesToDecide: 100 },
    ]);
    expect(found.checks[1]?.sentence).toContain(
      '24 images that hold the class cannot decide it, about 100 would.',
    );
  });

  test.each([
    ['passes by its own interval', [-0.01, 0.015], [-0.03, 0.04], 'pass', ''],
    [
      'fails by the one that holds for all',
      [0.04, 0.09],
      [0.025, 0.1],
      'fail',
      ' With 80 classes judged at once at 95 %, the drop is at least 0.025.',
    ],
    [
      'that would fail by itself may be chance',
      [0.03, 0.09],
      [-0.01, 0.12],
      'inconclusive',
      ' By itself it would fail, but among 80 classes judged at once at 95 % such a drop can be chance: 60 images that hold the class cannot decide it, about 200 would.',
    ],
  ] as const)('of one class among 80 %s', (_, own, together, kind, words) => {
    const perClass = (AP: number) => [{ category: 0, name: 'disc', AP, AP50: 1, AR100: 1, boxes: 90 }];
    const drop = (own[0] + own[1]) / 2;
    const { checks } = verdict({
      thresholds: { classAP: { maxDrop: 0.02, minBoxes: 20 } },
      reference: candidate(0.9, { perClass: perClass(0.9) }),
      candidate: candidate(0.9, { perClass: perClass(0.9 - drop) }),
      intervals: {
        ...interval(0, 0),
        family: 80,
        perClass: [{ drop, low: own[0], high: own[1], images: 60, together }],
      },
    });
    expect(checks[0]?.kind).toBe(kind);
    expect(checks[0]?.sentence.split('is allowed.')[1]).toBe(words);
  });

  test('whose interval has no width is not told as certain', () => {
    const found = verdict({ thresholds, candidate: candidate(0.9), intervals: interval(0, 0) });
    expect(found.checks[0]?.sentence).toMatch(
      / The interval has no width: the resamples of the 200 images showed no spread/,
    );
  });

  describe.each([1, 2, 12, 19])('measured on %i images decides nothing', (images) => {
    test.each([
      ['clears the limit', 0.9, interval(-0.01, 0.01)],
      ['lies beyond it by little', 0.86, interval(0.03, 0.05)],
      ['straddles it', 0.885, interval(0.005, 0.025)],
      ['has no width', 0.9, interval(0, 0)],
    ] as const)('where its interval %s', (_, AP, intervals) => {
      const found = verdict({ thresholds, candidate: candidate(AP), intervals, images });
      expect(found.checks[0]).toMatchObject({ kind: 'inconclusive', images });
      expect(found.checks[0]?.imagesToDecide).toBeGreaterThanOrEqual(20);
      expect(found.checks[0]?.sentence).toContain(
        ` It rests on ${images} images; intervals from fewer than 20 are too narrow to decide.`,
      );
    });
  });

  describe.each(['fail', 'pass'] as const)(
    'measured on few images, where those decide as %s,',
    (inconclusive) => {
      const undecided = inconclusive === 'pass' ? 0 : 1;
      test.each([
        ['fails when three times the width is beyond the limit', 12, 0.5, interval(0.35, 0.45), 'fail', 1],
        ['fails at 5 images too', 5, 0.5, interval(0.35, 0.45), 'fail', 1],
        ['is undecided at 4', 4, 0.5, interval(0.35, 0.45), 'inconclusive', undecided],
        [
          'is undecided when three times the width is not',
          12,
          0.8,
          interval(0.05, 0.15),
          'inconclusive',
          undecided,
        ],
        ['is undecided without width', 12, 0.8, interval(0.1, 0.1), 'inconclusive', undecided],
        ['fails when more than half is gone, whatever the number', 1, 0.1, interval(0.8, 0.8), 'fail', 1],
        ['is undecided when half may be gone or nothing', 12, 0.4, interval(0, 1), 'inconclusive', undecided],
        ['never passes by itself', 12, 0.95, interval(-0.06, -0.04), 'inconclusive', undecided],
      ] as const)('%s', (_, images, AP, intervals, kind, status) => {
        const found = verdict({ thresholds, candidate: candidate(AP), intervals, images, inconclusive });
        expect(found.kind).toBe(kind);
        expect(exitStatusOf(found)).toBe(status);
        if (kind === 'fail')
          expect(found.checks[0]?.sentence).toContain(
            `It rests on only ${images} images, and is too large to be chance all the same.`,
          );
      });
    },
  );

  test('measured on 20 images is decided', () => {
    const found = verdict({
      thresholds,
      candidate: candidate(0.9),
      intervals: interval(0, 0.01),
      images: 20,
    });
    expect(found.kind).toBe('pass');
  });

  test('may be limited relative to FP32; the stricter limit counts', () => {
    expect(
      verdict({
        thresholds: { 'mAP50-95': { maxDrop: 0.5, maxDropRelative: 0.01 } },
        candidate: candidate(0.88),
      }).checks[0],
    ).toMatchObject({ kind: 'fail', limit: 'drop ≤ 0.009' });
  });
});

describe('what is not measured does not pass', () => {
  test.each([NaN, -1])('mAP of %p', (AP) => {
    const found = verdict({ thresholds: { 'mAP50-95': { min: 0 } }, candidate: candidate(AP) });
    expect(found.kind).toBe('fail');
    expect(found.checks[0]?.kind).toBe('missing');
  });
  test('a distance that is absent', () =>
    expect(verdict({ thresholds: { sqnr: { min: 10 } }, candidate: candidate(0.9) }).checks[0]).toMatchObject(
      { kind: 'missing', value: null },
    ));
  test('classes that are all too small', () => {
    const perClass = [{ category: 0, name: 'disc', AP: 1, AP50: 1, AR100: 1, boxes: 3 }];
    expect(
      verdict({
        thresholds: { classAP: { min: 0.5, minBoxes: 20 } },
        candidate: candidate(0.9, { perClass }),
      }).kind,
    ).toBe('fail');
  });
  test('nothing at all', () =>
    expect(() => verdict({ thresholds: {}, candidate: candidate(0.9) })).toThrow(/nothing is judged/));
});

describe('other limits', () => {
  const distances = { scoreDivergence: 0.2, detectionRatio: 0.5, boxShift: 0.1, scoreShift: 0, unmatched: 0 };
  test.each([
    [{ scoreDivergence: { max: 0.1 } }, 'fail'],
    [{ scoreDivergence: { max: 0.3 } }, 'pass'],
    [{ detectionRatio: { min: 0.9 } }, 'fail'],
    [{ boxShift: { max: 0.1 } }, 'pass'],
    [{ sqnr: { min: 20 } }, 'pass'],
    [{ modelSizeMiB: { max: 1 } }, 'fail'],
    [{ latencyMs: { max: 10 } }, 'pass'],
    [{ 'mAP50-95': { min: 0.85 }, mAP50: { min: 0.95 } }, 'fail'],
  ] as const)('%j: %s', (thresholds, kind) =>
    expect(verdict({ thresholds, candidate: candidate(0.9, { distances, sqnr: Infinity }) }).kind).toBe(kind),
  );

  test('the class that fell is named', () => {
    const perClass = (AP: number) => [
      { category: 0, name: 'disc', AP: 0.9, AP50: 1, AR100: 1, boxes: 30 },
      { category: 1, name: 'star', AP, AP50: 1, AR100: 1, boxes: 30 },
    ];
    const found = verdict({
      thresholds: { classAP: { maxDrop: 0.05, minBoxes: 20 } },
      reference: candidate(0.9, { perClass: perClass(0.9) }),
      candidate: candidate(0.9, { perClass: perClass(0.7) }),
    });
    expect(
      found.checks.filter(({ kind }) => kind === 'fail').map(({ subject, sentence }) => [subject, sentence]),
    ).toEqual([
      ['star', 'AP of star fell by 0.200 from 0.900 to 0.700; a drop of at most 0.050 is allowed.'],
    ]);
  });
});
