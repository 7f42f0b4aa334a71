import { describe, expect, test } from '@jest/globals';
import type { Confirmation } from '../../src/pipeline/confirm.js';
import { formatProfile, parseProfile, profileFor, profileOf } from '../../src/pipeline/profile.js';

type Layer = NonNullable<Confirmation['engines'][number]['details']['layers']>[number];
const kernel = (part: Partial<Layer>): Layer => ({
  name: 'k',
  type: 'CaskConvolution',
  nodes: [],
  precision: 'int8',
  reformat: false,
  ...part,
});
const engines = (fp16: readonly Layer[], int8: readonly Layer[]): Pick<Confirmation, 'engines'> =>
  ({
    engines: [
      { variant: 'fp16', details: { layers: fp16, batch: 2 } },
      { variant: 'int8', details: { layers: int8, batch: 1 } },
    ],
  }) as unknown as Pick<Confirmation, 'engines'>;

const planned = (...names: string[]) => names.map((name) => ({ name, nodes: [name], macs: 1 }));

/** Of two images. */
const float = [
  kernel({ nodes: ['a', 'act'], precision: 'fp16', ms: 0.8 }),
  kernel({ nodes: ['b', 'c'], precision: 'fp16', ms: 1.2 }),
  kernel({ nodes: ['head'], precision: 'fp16', ms: 0.1 }),
];
const int8 = [
  kernel({ nodes: ['a'], ms: 0.1 }),
  kernel({ nodes: ['a'], ms: 0.05 }),
  kernel({ nodes: ['b'], ms: 0.2 }),
  kernel({ nodes: ['c'], ms: 0.3 }),
  kernel({ nodes: ['head'], precision: 'fp16', ms: 0.1 }),
  kernel({ reformat: true, ms: 0.02 }),
  kernel({ reformat: true, ms: 0.04 }),
];

describe('a profile of latencies', () => {
  test('is read off the run’s own engines: shared kernels by their work, split layers summed, by image, float layers left out', () => {
    const profile = profileOf(engines(float, int8), planned('a', 'b', 'c', 'head'));
    expect([...(profile?.layers ?? [])]).toEqual([
      ['a', { int8Ms: expect.closeTo(0.15, 9), floatMs: 0.4 }],
      ['b', { int8Ms: 0.2, floatMs: 0.3 }],
      ['c', { int8Ms: 0.3, floatMs: 0.3 }],
    ]);
    expect(profile?.reformatMs).toBeCloseTo(0.03, 9);
  });

  test.each([
    ['an engine that tells no layers', engines(float, []), ['a']],
    ['layers that are not the plan’s', engines(float, int8), ['x']],
  ])('is none from %s', (_what, from, names) => expect(profileOf(from, planned(...names))).toBeUndefined());

  test('comes back as it was written', () => {
    const profile = profileOf(engines(float, int8), planned('a', 'b'))!;
    expect(parseProfile(JSON.parse(formatProfile(profile, 'H100')), 'p.json')).toEqual(profile);
  });

  test.each([
    [{}, 'p.json version'],
    [[], 'p.json version'],
    [{ version: 1 }, 'p.json reformatMs'],
    [{ version: 1, reformatMs: -1, layers: {} }, 'p.json reformatMs'],
    [{ version: 1, reformatMs: 0, layers: {} }, 'p.json layers'],
    [{ version: 1, reformatMs: 0, layers: { a: { int8Ms: 1 } } }, 'p.json layers["a"]'],
    [{ version: 1, reformatMs: 0, layers: { a: { int8Ms: 1, floatMs: '2' } } }, 'p.json layers["a"]'],
  ])('%j is refused by name', (value, where) => expect(() => parseProfile(value, 'p.json')).toThrow(where));

  test('is taken for a network that has most of its layers, renamed ones aside', () => {
    const profile = profileOf(engines(float, int8), planned('a', 'b', 'c'))!;
    expect(profileFor(planned('a', 'b', 'other'), profile, 'p.json')).toBe(profile);
  });

  test('of another network is refused: its price would be none', () => {
    const profile = profileOf(engines(float, int8), planned('a', 'b', 'c'))!;
    expect(() => profileFor(planned('a', 'x', 'y'), profile, 'p.json')).toThrow(
      'p.json layers: 2 of 3 names are no layers of the model, "b" for one: it is another network\'s profile',
    );
  });
});
