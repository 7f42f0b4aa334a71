import { expect, test } from '@jest/globals';
import { DetectionBuilder, type DetectionTable } from '../../src/dataset/index.js';
import { agreementByImage, agreementOf, agreementShares, mulberry32 } from '../../src/evaluation/index.js';

type Row = readonly [
  image: number,
  category: number,
  x: number,
  y: number,
  width: number,
  height: number,
  score: number,
];

function tableOf(rows: readonly Row[]): DetectionTable {
  const table = new DetectionBuilder();
  for (const row of rows) table.push(...row);
  return table.finish();
}

const agreement = (a: readonly Row[], b: readonly Row[], images = 1): number =>
  agreementOf(agreementByImage(tableOf(a), tableOf(b), images));

/** Detections of several images, the same for the same seed. */
function scene(seed: number, images = 6): readonly Row[] {
  const random = mulberry32(seed);
  return Array.from({ length: 40 }, () => [
    Math.floor(random() * images),
    Math.floor(random() * 3),
    random() * 50,
    random() * 50,
    10 + random() * 30,
    10 + random() * 30,
    random(),
  ]);
}

test('the same detections agree wholly, in any order, and nothing agrees with nothing', () => {
  const rows = scene(1);
  expect(agreement(rows, rows, 6)).toBeCloseTo(1, 12);
  expect(agreement(rows, [...rows].reverse(), 6)).toBeCloseTo(1, 12);
  expect(agreement(rows, [], 6)).toBe(0);
  expect(agreement([], rows, 6)).toBe(0);
  expect(agreement([], [])).toBeNaN();
});

test('a pair counts twice its lesser score times its IoU, over all scores', () => {
  const shifted: Row = [0, 0, 5, 0, 10, 10, 0.4];
  // Overlap 5 × 10 of 150.
  expect(agreement([[0, 0, 0, 0, 10, 10, 0.8]], [shifted])).toBeCloseTo((2 * 0.4) / 3 / 1.2, 12);
});

test('class and image part detections, and each has one partner', () => {
  const box = (image: number, category: number, score: number): Row => [image, category, 0, 0, 10, 10, score];
  expect(agreement([box(0, 0, 1)], [box(0, 1, 1)])).toBe(0);
  expect(agreement([box(0, 0, 1)], [box(1, 0, 1)], 2)).toBe(0);
  expect(agreement([box(0, 0, 1)], [box(0, 0, 1), box(0, 0, 1)])).toBeCloseTo(2 / 3, 12);
  // The surest of the reference chooses first, and takes the partner that is worth most.
  expect(agreement([box(0, 0, 0.5), box(0, 0, 1)], [box(0, 0, 0.5), box(0, 0, 1)])).toBeCloseTo(1, 12);
});

test('false alarms and misses cost by their scores', () => {
  const seen: Row = [0, 0, 0, 0, 10, 10, 0.9];
  const faint: Row = [0, 0, 30, 30, 10, 10, 0.1];
  const loud: Row = [0, 0, 30, 30, 10, 10, 0.8];
  expect(agreement([seen], [seen, faint])).toBeGreaterThan(agreement([seen], [seen, loud]));
  expect(agreement([seen, loud], [seen])).toBeCloseTo(agreement([seen], [seen, loud]), 12);
});

test('shares of images have the coefficient as their mean, and the spread of resampled images', () => {
  const [a, b] = [scene(2, 30), scene(2, 30).map((row, i) => [...row.slice(0, 6), row[6] * ((i % 7) / 6)])];
  const parts = agreementByImage(tableOf(a), tableOf(b as unknown as Row[]), 30);
  const shares = agreementShares(parts);
  const whole = agreementOf(parts);
  const mean = shares.reduce((sum, one) => sum + one, 0) / shares.length;
  expect(mean).toBeCloseTo(whole, 12);
  const expected = Math.sqrt(shares.reduce((sum, one) => sum + (one - mean) ** 2, 0) / 29 / 30);
  const random = mulberry32(5);
  const drawn = Array.from({ length: 4000 }, () =>
    agreementOf(parts.map(() => parts[Math.floor(random() * 30)] as (typeof parts)[number])),
  );
  const spread = Math.sqrt(drawn.reduce((sum, one) => sum + (one - whole) ** 2, 0) / drawn.length);
  expect(spread / expected).toBeGreaterThan(0.85);
  expect(spread / expected).toBeLessThan(1.15);
});
