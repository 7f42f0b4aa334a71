import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fewestNeeded } from '../../src/pipeline/half-check.js';

const members = Array.from({ length: 13 }, (_, i) => i);

/** Asks for what is needed, and keeps all that was asked. */
function asking(needed: readonly number[]): {
  readonly asked: (readonly number[])[];
  readonly holds: (left: readonly number[]) => Promise<boolean>;
} {
  const asked: (readonly number[])[] = [];
  return {
    asked,
    holds: (left) => {
      asked.push(left);
      return Promise.resolve(needed.every((one) => left.includes(one)));
    },
  };
}

describe('the fewest layers that must be in FP32', () => {
  test('are just those that are needed, wherever they stand, where trials suffice', () =>
    fc.assert(
      fc.asyncProperty(fc.subarray(members, { minLength: 1 }), async (needed) => {
        const { asked, holds } = asking(needed);
        expect(await fewestNeeded(members, Infinity, holds)).toEqual(needed);
        expect(asked.every((left) => left.length > 0 && left.length < members.length)).toBe(true);
      }),
      { seed: 1 },
    ));

  test('hold whatever the number of trials, which is kept to', () =>
    fc.assert(
      fc.asyncProperty(fc.subarray(members, { minLength: 1 }), fc.nat(12), async (needed, trials) => {
        const { asked, holds } = asking(needed);
        const left = await fewestNeeded(members, trials, holds);
        expect(left).toEqual(expect.arrayContaining([...needed]));
        expect(asked.length).toBeLessThanOrEqual(trials);
      }),
      { seed: 2 },
    ));

  test('are one of a dozen after few trials', async () => {
    const { asked, holds } = asking([9]);
    expect(await fewestNeeded(members, 8, holds)).toEqual([9]);
    expect(asked.length).toBeLessThanOrEqual(8);
  });
});
