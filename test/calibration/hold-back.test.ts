import { describe, expect, test } from '@jest/globals';
import { holdBack } from '../../src/calibration/index.js';

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('images held back', () => {
  test.each([
    [0, 0],
    [1, 0],
    [2, 1],
    [7, 1],
    [16, 2],
    [64, 8],
    [128, 16],
    [5000, 16],
  ])('of %i images %i', (count, expected) => {
    const { fit, held } = holdBack(range(count));
    expect(held).toHaveLength(expected);
    expect([...fit, ...held].sort((a, b) => a - b)).toEqual(range(count));
  });

  test('lie evenly over the whole, so that no part of a sorted folder is missing on either side', () => {
    expect(holdBack(range(32)).held).toEqual([4, 12, 20, 28]);
  });

  test('are the same for the same list', () => {
    expect(holdBack(range(100))).toEqual(holdBack(range(100)));
  });
});
