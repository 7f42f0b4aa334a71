import { describe, expect, test } from '@jest/globals';
import { parseCoco } from '../../src/dataset/index.js';
import type { HostTensor } from '../../src/engine/index.js';
import { SqnrMeter, chooseSubset } from '../../src/sensitivity/index.js';

describe('SQNR', () => {
  const heads = ['boxes', 'scores'];
  const reference = {
    heads,
    images: [
      new Map([
        ['boxes', Float32Array.of(100, 200)],
        ['scores', Float32Array.of(0.5, 1)],
      ]),
    ],
  };
  const output = (boxes: number[], scores: number[]): ReadonlyMap<string, HostTensor> =>
    new Map(
      Object.entries({ boxes, scores }).map(([name, values]) => [
        name,
        { type: 'float32', dims: [1, 2], data: Float32Array.from(values) },
      ]),
    );
  const sqnr = (boxes: number[], scores: number[]): number => {
    const meter = new SqnrMeter(reference);
    meter.add(0, output(boxes, scores));
    return meter.sqnr();
  };

  test('is infinite when nothing changed', () => expect(sqnr([100, 200], [0.5, 1])).toBe(Infinity));
  test('weighs scores as much as boxes, though they are small', () =>
    expect(sqnr([100, 200], [0, 0])).toBeCloseTo(10 * Math.log10(2), 9));
  test('is minus infinity for NaN', () => expect(sqnr([NaN, 1], [0, 0])).toBe(-Infinity));
});

describe('the subset', () => {
  const truth = parseCoco(
    {
      images: Array.from({ length: 40 }, (_, i) => ({
        id: i + 1,
        file_name: `${i}.jpg`,
        width: 9,
        height: 9,
      })),
      categories: [
        { id: 1, name: 'common' },
        { id: 2, name: 'rare' },
      ],
      annotations: Array.from({ length: 40 }, (_, i) => ({
        id: i + 1,
        image_id: i + 1,
        category_id: i % 13 === 5 ? 2 : 1,
        bbox: [0, 0, 1, 1],
        area: 1,
        iscrowd: 0,
      })),
    },
    'gt.json',
    '',
  );

  test('is the same for the same seed, ascending, and shows rare classes', () => {
    const subset = chooseSubset(truth, 6, 1);
    expect(subset).toEqual(chooseSubset(truth, 6, 1));
    expect([...subset].sort((a, b) => a - b)).toEqual(subset);
    expect(subset.filter((i) => i % 13 === 5)).toHaveLength(3);
  });

  test('is everything when it may be', () => expect(chooseSubset(truth, 99, 1)).toHaveLength(40));
});
