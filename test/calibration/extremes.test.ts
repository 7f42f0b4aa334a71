import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  extremesOf,
  RangeCollector,
  type TensorExtremes,
  type TensorStatistics,
} from '../../src/calibration/index.js';

/** What one image gave the tensor. */
interface Given {
  readonly image: number;
  readonly values: readonly number[];
  readonly shape: readonly number[];
}

const SHAPE = [1, 2, 1, 3];
const given = (image: number, values: readonly number[], shape: readonly number[] = SHAPE): Given => ({
  image,
  values,
  shape,
});

function observe(list: readonly Given[]): RangeCollector {
  const collector = new RangeCollector({ reach: true });
  for (const { image, values, shape } of list)
    collector.observe(image, 'x', Float32Array.from(values), shape);
  return collector;
}
const statisticsOf = (collector: RangeCollector): TensorStatistics =>
  collector.statistics().get('x') as TensorStatistics;
const of = (collector: RangeCollector): TensorExtremes =>
  extremesOf(collector.statistics()).get('x') as TensorExtremes;

test('tells image, channel and place of every extreme', () => {
  const seen = of(
    observe([given(0, [1, 2, 3, 0, 0, 0]), given(1, [-7, 0, 0, 0, 0, 0]), given(3, [0, 0, 7, 0, 0, 0])]),
  );
  expect([...seen.min]).toEqual([0, -7, NaN, 0]);
  expect([...seen.max]).toEqual([3, 0, NaN, 7]);
  expect([...seen.channelMin]).toEqual([-7, 0]);
  expect([...seen.channelMax]).toEqual([7, 0]);
  expect(seen.peak).toEqual({ image: 1, index: 0, value: -7, shape: SHAPE });
});

test('keeps no channels of tensors that are not of rank 4', () => {
  expect(of(observe([given(0, [1, -2], [1, 2])]))).toMatchObject({
    channelMin: new Float32Array(),
    peak: { image: 0, index: 1, value: -2 },
  });
});

test('keeps nothing where it was not asked to', () => {
  const collector = new RangeCollector();
  collector.observe(0, 'x', Float32Array.of(1, 2), [1, 2]);
  expect(extremesOf(collector.statistics()).size).toBe(0);
});

test('parts several rows of one image (regions of a two-stage detector) into channels too', () => {
  const seen = of(observe([given(0, [1, -1, 2, -2, 3, -9], [3, 2, 1, 1])]));
  expect([...seen.channelMin, ...seen.channelMax]).toEqual([1, -9, 3, -1]);
});

test('looks past values that are not finite', () => {
  const seen = of(observe([given(0, [NaN, 2, Infinity, -Infinity, 1, -3])]));
  expect([...seen.channelMin, ...seen.channelMax]).toEqual([2, -3, 2, 1]);
  expect(seen.peak).toMatchObject({ index: 5, value: -3 });
});

describe('tensors whose shape varies between images', () => {
  const small = given(0, [1, 2], [1, 2, 1, 1]);
  const large = given(1, [0, 0, 0, 0, -8, 0, 0, 0], [1, 2, 2, 2]);
  const none = given(2, [], [0, 2, 1, 1]);

  test.each([
    ['in order', [small, large, none]],
    ['from the back', [none, large, small]],
  ])('%s: the shape is the largest, that of the peak its own image’s', (_name, list) => {
    const collector = observe(list);
    expect(statisticsOf(collector)).toMatchObject({ shape: [1, 2, 2, 2], count: 10, images: 3 });
    expect(of(collector)).toMatchObject({
      shape: [1, 2, 2, 2],
      channelMin: Float32Array.of(0, -8),
      channelMax: Float32Array.of(1, 2),
      peak: { image: 1, index: 4, value: -8, shape: [1, 2, 2, 2] },
    });
    expect([...of(collector).min]).toEqual([1, -8, NaN]);
  });

  test('an image that gives no values at all sets no range and no peak', () => {
    expect(of(observe([none])).peak).toBeUndefined();
    expect(statisticsOf(observe([none]))).toMatchObject({ count: 0, nonFinite: 0, images: 1 });
  });

  test('where the number of channels varies there are none', () => {
    const other = given(0, [1, 2, 3], [1, 3, 1, 1]);
    expect(of(observe([large, other, large])).channelMin).toHaveLength(0);
  });
});

describe('extremes have the same bits', () => {
  const value = fc.oneof(
    fc.float({ noNaN: true, min: -9, max: 9 }),
    fc.constantFrom(-0, 0, 2, -2), // ties between images and channels
  );
  const shape = fc.constantFrom<readonly number[]>(
    [1, 2, 1, 3],
    [1, 2, 3, 1],
    [1, 2, 1, 1],
    [1, 3, 2, 1],
    [0, 2, 1, 1],
  );
  const image = shape.chain((dims) => {
    const length = dims.reduce((a, b) => a * b, 1);
    return fc.record({
      shape: fc.constant(dims),
      values: fc.array(value, { minLength: length, maxLength: length }),
    });
  });

  test('for any order of images, any split among workers and any tree of merges, also when shapes vary', () => {
    fc.assert(
      fc.property(fc.array(image, { minLength: 1, maxLength: 9 }), fc.nat(9), (list, cut) => {
        const numbered = list.map((one, i) => ({ image: i, ...one }));
        const straight = statisticsOf(observe(numbered));
        expect(statisticsOf(observe([...numbered].reverse()))).toEqual(straight);
        const merged = new RangeCollector({ reach: true });
        for (const part of [numbered.slice(cut), numbered.slice(0, cut)])
          merged.merge(RangeCollector.fromMessage(structuredClone(observe(part).toMessage())));
        expect(statisticsOf(merged)).toEqual(straight);
      }),
      { numRuns: 40 },
    );
  });
});
