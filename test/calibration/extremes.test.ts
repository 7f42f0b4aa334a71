import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ExtremesObserver, type TensorExtremes } from '../../src/calibration/index.js';

const SHAPE = [1, 2, 1, 3];
const value = fc.oneof(
  fc.float({ noNaN: true, min: -9, max: 9 }),
  fc.constantFrom(-0, 0, 2, -2), // ties between images and channels
);
const images = fc.array(fc.array(value, { minLength: 6, maxLength: 6 }), { minLength: 1, maxLength: 9 });

function observe(list: readonly (readonly [image: number, values: readonly number[]])[]): ExtremesObserver {
  const observer = new ExtremesObserver();
  for (const [image, values] of list) observer.observe(image, 'x', Float32Array.from(values), SHAPE);
  return observer;
}
const of = (observer: ExtremesObserver): TensorExtremes => observer.extremes().get('x') as TensorExtremes;

test('tells image, channel and place of every extreme', () => {
  const seen = of(
    observe([
      [0, [1, 2, 3, 0, 0, 0]],
      [1, [-7, 0, 0, 0, 0, 0]],
      [3, [0, 0, 7, 0, 0, 0]],
    ]),
  );
  expect([...seen.min]).toEqual([0, -7, NaN, 0]);
  expect([...seen.max]).toEqual([3, 0, NaN, 7]);
  expect([...seen.channelMin]).toEqual([-7, 0]);
  expect([...seen.channelMax]).toEqual([7, 0]);
  expect(seen.peak).toEqual({ image: 1, index: 0, value: -7 });
});

test('keeps no channels of tensors that are not of rank 4', () => {
  const observer = new ExtremesObserver();
  observer.observe(0, 'x', Float32Array.of(1, -2), [1, 2]);
  expect(of(observer)).toMatchObject({
    channelMin: new Float32Array(),
    peak: { image: 0, index: 1, value: -2 },
  });
});

describe('extremes have the same bits', () => {
  test('for any order of images, any split among workers and any tree of merges', () => {
    fc.assert(
      fc.property(images, fc.nat(9), (list, cut) => {
        const numbered = list.map((values, i) => [i, values] as const);
        const straight = of(observe(numbered));
        expect(of(observe([...numbered].reverse()))).toEqual(straight);
        const merged = new ExtremesObserver();
        for (const part of [numbered.slice(cut), numbered.slice(0, cut)])
          merged.merge(ExtremesObserver.fromMessage(structuredClone(observe(part).toMessage())));
        expect(of(merged)).toEqual(straight);
      }),
    );
  });
});
