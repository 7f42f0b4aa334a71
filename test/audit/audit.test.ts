import { describe, expect, test } from '@jest/globals';
import {
  featuresOf,
  findCopies,
  findDominating,
  findGaps,
  findOverlap,
  formatAuditMarkdown,
  formatAuditTerminal,
  judgeAudit,
  type Audit,
  type AuditEvidence,
  type ImageFeatures,
} from '../../src/audit/index.js';

let pictures = 0;
/** A picture of blobs that differ by seed; smooth, as photographs are. */
function picture(
  seed: number,
  size: number,
  change: (value: number) => number = (value) => value,
): ImageFeatures {
  const data = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) {
      const [u, v] = [x / size, y / size];
      const value =
        128 +
        60 * Math.sin((3 + (seed % 5)) * u * 6 + seed) +
        50 * Math.cos((2 + (seed % 7)) * v * 6 - seed * u);
      for (let c = 0; c < 3; c++)
        data[(y * size + x) * 3 + c] = Math.max(0, Math.min(255, change(value + c * 5)));
    }
  return featuresOf({ data, width: size, height: size }, `${seed} at ${size}`, `digest ${pictures++}`);
}
const flat = (value: number): ImageFeatures =>
  featuresOf(
    { data: new Uint8Array(300).fill(value), width: 10, height: 10 },
    `flat ${value}`,
    `flat ${value}`,
  );

describe('features of a picture', () => {
  test.each([
    ['black', 0, 0, 0, 0],
    ['white', 255, 255, 255, 0],
    ['red', [255, 0, 0], undefined, 76.245, 255],
  ])('%s', (_, colour, __, brightness, saturation) => {
    const [r, g, b] = Array.isArray(colour) ? colour : [colour, colour, colour];
    const data = Uint8Array.from({ length: 3 * 40 }, (___, i) => [r, g, b][i % 3] as number);
    const found = featuresOf({ data, width: 8, height: 5 }, 'a', 'b');
    expect(found.brightness).toBeCloseTo(brightness, 9);
    expect([found.contrast, found.colour, found.width, found.height]).toEqual([
      expect.closeTo(0, 4),
      saturation,
      8,
      5,
    ]);
    expect([...found.hash]).toEqual(new Array(8).fill(0));
  });
});

describe('copies', () => {
  const one = picture(1, 240);
  test.each<[string, ImageFeatures, boolean | undefined]>([
    ['the same file', { ...one, name: 'copy' }, true],
    ['the same picture at another size', picture(1, 150), false],
    ['the same picture a little brighter', picture(1, 240, (value) => value + 6), false],
    ['the same picture with noise', picture(1, 240, (value) => value + ((value * 977) % 5)), false],
    ['another picture', picture(2, 120), undefined],
    ['its negative', picture(1, 240, (value) => 255 - value), undefined],
    ['a much darker one of the same place', picture(1, 240, (value) => value / 3), undefined],
  ])('%s', (_, other, exact) => {
    const expected = exact === undefined ? [] : [{ first: one.name, second: other.name, exact }];
    expect(findCopies([one, other])).toEqual({
      pairs: expected,
      spare: exact === undefined ? [] : [other.name],
    });
    expect(findOverlap([one], [flat(3), other])).toEqual(expected);
  });

  test('pictures without anything in them are no near copies of each other', () => {
    expect(findCopies([flat(10), flat(11)]).spare).toEqual([]);
  });

  test('of forty different pictures none is taken for another', () => {
    const all = Array.from({ length: 40 }, (_, i) => picture(i + 1, 80));
    expect(findCopies(all).spare).toEqual([]);
  });

  test('a group of copies leaves its first', () => {
    const group = [picture(3, 100), picture(3, 90), { ...picture(3, 100), name: 'again' }];
    expect(findCopies(group).spare).toEqual(['3 at 90', 'again']);
  });
});

describe('kinds of images that calibration lacks', () => {
  const spread = (from: number, to: number, count: number): number[] =>
    Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));
  const brightness = (calibration: readonly number[]) => [
    { name: 'brightness', unit: '', validation: spread(20, 220, 100), calibration },
  ];
  test.each<[string, readonly number[], string[]]>([
    ['nothing where both are alike', spread(20, 220, 64), []],
    ['nothing from few images, which chance explains', spread(20, 120, 8), []],
    ['the bright fifths of a night set', spread(10, 80, 64), ['middle', 'fourth', 'highest']],
    ['nothing where an image has no value', [NaN, NaN, NaN], []],
  ])('%s', (_, calibration, parts) => {
    const found = findGaps(brightness(calibration), []);
    expect(found.map(({ kind }) => /the (\w+) fifth/.exec(kind)?.[1])).toEqual(parts);
  });

  test('names some of the validation images that are meant, from all over the set', () => {
    const [gap] = findGaps(
      brightness(spread(10, 80, 64)),
      [],
      Array.from({ length: 100 }, (_, i) => `${i}.jpg`),
    );
    expect(gap).toMatchObject({ attribute: 'brightness', validation: 20 });
    expect(gap?.examples).toEqual(['40.jpg', '45.jpg', '50.jpg', '55.jpg']);
  });

  test.each<[string, [number, number], [number, number], boolean]>([
    ['a class that validation often shows', [40, 100], [0, 64], true],
    ['a class that calibration shows too', [40, 100], [20, 64], false],
    ['a rare class', [3, 100], [0, 64], false],
    ['a class that so few images lack by chance', [10, 100], [0, 40], false],
  ])('%s', (_, [shown, of], [there, all], lacks) => {
    const classes = [{ name: 'stop', validation: { shown, of }, calibration: { shown: there, of: all } }];
    expect(findGaps([], classes).length > 0).toBe(lacks);
  });
});

describe('images that ranges hang on', () => {
  test.each<[string, number[][], [string, number, number][]]>([
    [
      'one that doubles a range',
      [
        [1, 2, 1],
        [1, 1, 1],
      ],
      [['b', 0.5, 0.25]],
    ],
    [
      'none where the next reaches as far',
      [
        [2, 2, 1],
        [1, 1, 1.1],
      ],
      [],
    ],
    [
      'two, the one with more tensors first',
      [
        [9, 1, 1],
        [1, 1, 9],
        [1, 1, 9],
      ],
      [
        ['c', 2 / 3, 16 / 27],
        ['a', 1 / 3, 8 / 27],
      ],
    ],
    [
      'tensors of zeros do not count',
      [
        [0, 0, 0],
        [1, 4, 1],
      ],
      [['b', 1, 0.75]],
    ],
  ])('%s', (_, tensors, expected) => {
    const found = findDominating(['a', 'b', 'c'], tensors);
    expect(found.map(({ name, tensors: share, loss }) => [name, share, loss])).toEqual(
      expected.map(([name, share, loss]) => [name, expect.closeTo(share, 9), expect.closeTo(loss, 9)]),
    );
  });
});

const limits = {
  minImages: 2,
  maxBroken: 0,
  maxDuplicates: 0.1,
  maxOverlap: 0,
  maxDominance: 0.25,
  maxDrifted: 0.1,
  maxSaturation: 0.02,
  gaps: 'warn',
} as const;
const images = [picture(1, 40), picture(2, 40), picture(4, 40), picture(6, 40)];
const good: AuditEvidence = {
  images,
  broken: [],
  copies: { pairs: [], spare: [] },
  overlap: [],
  gaps: [],
  dominating: [],
  growth: { atHalf: 0.95, settledAt: 3 },
  drift: { tensors: 10, beyond: 0, worst: undefined, saturation: 0, saturated: undefined },
  brightness: { calibration: 100, validation: 110 },
};
const hostile = 'a|b<i>@team\n::error::x.jpg';

describe('the verdict', () => {
  test.each<[string, Partial<AuditEvidence>, [string, string][]]>([
    ['is quiet on a good set', {}, []],
    ['names drift', { drift: { ...good.drift, beyond: 2 } }, [['drift', 'fail']]],
    ['lets one tensor in ten drift', { drift: { ...good.drift, beyond: 1 } }, []],
    [
      'names saturation',
      { drift: { ...good.drift, saturation: 0.03, saturated: 'x' } },
      [['saturation', 'fail']],
    ],
    ['names overlap', { overlap: [{ first: 'a', second: 'b', exact: true }] }, [['overlap', 'fail']]],
    ['names broken images', { broken: [{ name: 'a', reason: 'is empty' }] }, [['broken', 'fail']]],
    ['names too few images', { images: images.slice(0, 1) }, [['images', 'fail']]],
    [
      'counts copies as one image',
      { copies: { pairs: [], spare: ['a', 'b', 'c'] } },
      [
        ['images', 'fail'],
        ['duplicates', 'fail'],
      ],
    ],
    [
      'warns of gaps',
      { gaps: [{ attribute: 'class', kind: 'class stop', validation: 9, calibration: 0 }] },
      [['coverage', 'warn']],
    ],
    [
      'names an image that ranges hang on',
      { dominating: [{ name: 'a', tensors: 0.3, loss: 0.2 }] },
      [['dominance', 'fail']],
    ],
    ['warns of ranges that grow', { growth: { atHalf: 0.8, settledAt: undefined } }, [['growth', 'warn']]],
    ['warns of blank images', { images: [...images, flat(9)] }, [['blank', 'warn']]],
  ])('%s', (_, change, expected) => {
    const checks = judgeAudit({ ...good, ...change }, limits).filter(({ kind }) => kind !== 'pass');
    expect(checks.map(({ metric, kind }) => [metric, kind])).toEqual(expected);
    for (const { advice } of checks) expect(advice).not.toBe('');
  });
});

test('is read as text and as Markdown, and no name does harm', () => {
  const checks = judgeAudit(
    {
      ...good,
      broken: [{ name: hostile, reason: 'is empty (0 bytes), no image' }],
      gaps: [{ attribute: 'class', kind: `class ${hostile}`, validation: 30, calibration: 0 }],
      overlap: [{ first: hostile, second: 'val.jpg', exact: false }],
      dominating: [{ name: hostile, tensors: 0.4, loss: 0.1 }],
      drift: {
        tensors: 10,
        beyond: 4,
        worst: 'images, 0.9 against 0.5',
        saturation: 0.4,
        saturated: 'images',
      },
      brightness: { calibration: 70, validation: 130 },
    },
    limits,
  );
  const audit: Audit = {
    schema: 'int8-gate/audit',
    version: 1,
    tool: { name: 'int8-gate', version: '0' },
    createdAt: '2026-01-01T00:00:00.000Z',
    model: 'model.onnx',
    calibration: { source: 'calib', images: 4, calibrator: 'percentile 99.999' },
    validation: { source: 'val.json', images: 100 },
    verdict: { kind: 'fail', why: checks[0]?.sentence ?? '' },
    checks: [...checks],
    broken: [],
    duplicates: [],
    overlap: [],
    gaps: [],
    dominating: [{ name: hostile, tensors: 0.4, loss: 0.1 }],
    growth: [
      { images: 1, range: 0.6 },
      { images: 4, range: 1 },
    ],
    settledAt: null,
    drift: [{ tensor: hostile, calibration: 0.5, validation: 0.9, ratio: 1.8, saturated: 0.4 }],
  };
  const text = formatAuditTerminal(audit, { color: false, width: 80 });
  const markdown = formatAuditMarkdown(audit);
  expect(text).toMatchSnapshot();
  expect(markdown).toMatchSnapshot();
  expect(markdown).not.toMatch(/<i>|@team|^::/m);
  expect(text).not.toMatch(/^::/m);
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  const painted = formatAuditTerminal(audit, { color: true, width: 80 });
  expect(painted).toContain('\u001b[31mfail\u001b[0m  4 of 10 tensors');
  expect(painted.replace(/\u001b\[\d+m/g, '')).toBe(text);
});
