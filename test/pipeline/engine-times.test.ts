import { describe, expect, test } from '@jest/globals';
import type { EngineLayer } from '../../src/engine/index.js';
import { layerTimes } from '../../src/pipeline/engine-times.js';

const planned = [
  { name: 'a', nodes: ['a'], macs: 300 },
  { name: 'b', nodes: ['b'], macs: 100 },
  { name: 'free', nodes: ['free'], macs: 0 },
];
const kernel = (
  nodes: readonly string[],
  ms: number | undefined,
  over: Partial<EngineLayer> = {},
): EngineLayer => ({
  name: nodes.join('+'),
  type: 'CaskConvolution',
  nodes,
  precision: 'int8',
  reformat: false,
  ...(ms !== undefined && { ms }),
  ...over,
});

describe('times of an engine given back to the layers of the plan', () => {
  test.each<[string, readonly EngineLayer[], Record<string, [number, string]>]>([
    ['a kernel of one layer', [kernel(['a'], 2)], { a: [2, 'int8'] }],
    [
      'a kernel of several, by their MACs',
      [kernel(['a', 'b', 'relu'], 4)],
      { a: [3, 'int8'], b: [1, 'int8'] },
    ],
    [
      'several kernels of one, the longest tells',
      [kernel(['a'], 1), kernel(['a'], 3, { precision: 'fp16' })],
      { a: [4, 'fp16'] },
    ],
    ['layers without work share alike', [kernel(['free', 'free'], 2)], { free: [2, 'int8'] }],
    ['no reformats', [kernel(['a'], 1), kernel(['a'], 9, { reformat: true })], { a: [1, 'int8'] }],
    ['no kernels without time, none of other nodes', [kernel(['a'], undefined), kernel(['add'], 5)], {}],
  ])('%s', (_, engine, expected) => {
    const times = [...layerTimes(engine, planned)].map(([name, { ms, got }]) => [name, [ms, got]]);
    expect(Object.fromEntries(times)).toEqual(expected);
  });
});
