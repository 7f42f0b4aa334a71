import { expect, test } from '@jest/globals';
import type { Agreement } from '../../src/evaluation/index.js';
import { MIX, holdContest, type Contest } from '../../src/pipeline/contest.js';

/** Twelve images that agree to `rate`, each a little more or less, by `unlike` and a phase. */
const images = (rate: number, unlike = 0.001, phase = 0): readonly Agreement[] =>
  Array.from({ length: 12 }, (_, i) => ({ shared: 10 * (rate + unlike * Math.sin(phase + 5 * i)), all: 10 }));

const SINGLES = ['minmax', 'percentile:99', 'entropy', 'mse'];

/** A contest of made-up measurements; heats are a third of the finals. */
async function contest(
  finals: Readonly<Record<string, readonly Agreement[]>>,
  heats: Readonly<Record<string, number>> = { minmax: 0.1, entropy: 0.3, mse: 0.2 },
): Promise<Contest & { readonly measured: readonly string[] }> {
  const measured: string[] = [];
  const ended = await holdContest({
    standard: 'percentile:99',
    singles: SINGLES,
    images: { heat: 4, final: 12 },
    heat: (name) => {
      measured.push(`heat ${name}`);
      return Promise.resolve(images(heats[name] as number));
    },
    final: (name) => {
      measured.push(`final ${name}`);
      return Promise.resolve(finals[name] as readonly Agreement[]);
    },
  });
  return { ...ended, measured };
}

test('the mix is taken where no calibrator alone agrees better', async () => {
  const ended = await contest({ 'percentile:99': images(0.8), entropy: images(0.82), mix: images(0.82) });
  expect(ended).toMatchObject({ taken: MIX, by: 'detections' });
  expect(ended.reason).toMatch(/at least as well as those of entropy$/);
});

test('the standard calibrator is taken where it agrees better than the mix', async () => {
  const ended = await contest({ 'percentile:99': images(0.9), entropy: images(0.82), mix: images(0.89) });
  expect(ended.taken).toBe('percentile:99');
  expect(ended.rivals.find(({ name }) => name === MIX)?.final).toBeCloseTo(0.89, 2);
});

test('another calibrator that beats the mix takes the place of the standard one if it is surely better', async () => {
  const surely = { 'percentile:99': images(0.8), entropy: images(0.85), mix: images(0.7) };
  const ended = await contest(surely);
  expect(ended.taken).toBe('entropy');
  expect(ended.reason).toMatch(/surely better than those of percentile:99/);
  // The same lead, on images that say now this and now that.
  const perhaps = { ...surely, entropy: images(0.85, 0.15) };
  const doubted = await contest(perhaps);
  expect(doubted.taken).toBe('percentile:99');
  expect(doubted.reason).toMatch(/entropy is not surely better than percentile:99/);
});

test('a lead that is not sure does not keep the mix from the place of the standard calibrator', async () => {
  const finals = { 'percentile:99': images(0.8), entropy: images(0.85, 0.15), mix: images(0.82) };
  expect((await contest(finals)).taken).toBe(MIX);
});

test('only the most promising calibrator beside the standard one goes on, and the standard one needs no heat', async () => {
  const { measured, rivals } = await contest(
    { 'percentile:99': images(0.8), mse: images(0.7), mix: images(0.6) },
    { minmax: 0.2, entropy: 0.3, mse: 0.4 },
  );
  expect(measured).toEqual([
    'heat minmax',
    'heat entropy',
    'heat mse',
    'final percentile:99',
    'final mse',
    'final mix',
  ]);
  expect(rivals.map(({ name, heat, final }) => [name, heat !== undefined, final !== undefined])).toEqual([
    ['minmax', true, false],
    ['percentile:99', false, true],
    ['entropy', true, false],
    ['mse', true, true],
    [MIX, false, true],
  ]);
});

test('networks that detect nothing agree with nothing, and nothing is not a number', async () => {
  const blind = images(0).map(() => ({ shared: 0, all: 0 }));
  const ended = await contest({ 'percentile:99': blind, entropy: images(0.1), mix: blind });
  expect(ended.taken).toBe('entropy');
  expect(ended.rivals.every(({ final }) => final === undefined || Number.isFinite(final))).toBe(true);
});
