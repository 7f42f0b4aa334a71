import { describe, expect, test } from '@jest/globals';
import { buildGraph, readModel, type GraphNode } from '../../src/onnx/index.js';
import { listLayers } from '../../src/quantization/index.js';
import { groupLayers, rankIntervals, settled, sqnrOf } from '../../src/sensitivity/index.js';
import { cutRegions } from '../../src/sensitivity/regions.js';
import { modelOf } from '../quantization/graphs.js';

describe('groups of layers that move together', () => {
  const cases: readonly [what: string, nodes: readonly string[], groups: readonly (readonly string[])[]][] = [
    ['a chain: each by itself', ['a = Conv(x, wa)', 'r = Relu(a)', 'b = Conv(r, wb)'], [['a'], ['b']]],
    [
      'two readers of one Concat',
      ['a = Conv(x, wa)', 'c = Concat(x, a){axis=1}', 'p = Slice(c)', 'b = Conv(c, wb)', 'd = Conv(c, wd)'],
      [['a'], ['b', 'd']],
    ],
    [
      'two readers of one convolution: each by itself',
      ['a = Conv(x, wa)', 'b = Conv(a, wb)', 'd = Conv(a, wd)'],
      [['a'], ['b'], ['d']],
    ],
    [
      'convolutions that meet in an Add, one behind SiLU',
      ['a = Conv(x, wa)', 's = Sigmoid(a)', 'm = Mul(a, s)', 'b = Conv(x, wb)', 'y = Add(m, b)'],
      [['a', 'b']],
    ],
    [
      'the two products of attention, with Softmax, scale and mask between them',
      [
        'a = Conv(x, wa)',
        'q = MatMul(a, x)',
        's = Mul(q, x)',
        'm = Add(s, x)',
        'p = Softmax(m)',
        't = Transpose(p)',
        'v = MatMul(t, a)',
        'b = Conv(v, wb)',
      ],
      [['a'], ['q', 'v'], ['b']],
    ],
    [
      'a product behind Softmax alone, and one in front alone, are no attention',
      ['p = Softmax(x)', 'q = MatMul(p, x)', 'r = MatMul(q, x)', 's = Softmax(r)', 'y = Conv(s, wb)'],
      [['q'], ['r'], ['y']],
    ],
    ['a skip past a convolution is no pair', ['a = Conv(x, wa)', 'y = Add(x, a)'], [['a']]],
  ];
  test.each(cases)('%s', (_what, nodes, groups) => {
    const last = /^\w+/.exec(nodes.at(-1) as string)?.[0] as string;
    const graph = buildGraph(modelOf({ nodes, outputs: [last] }));
    const found = groupLayers(graph, listLayers(graph, 'tensorrt'));
    expect(found.map(({ layers }) => layers.map(({ name }) => name))).toEqual(groups);
  });
});

describe('regions of the signs detector', () => {
  test('hold every node that depends on the image once, and come in an order that can be run', async () => {
    const graph = buildGraph(await readModel('fixtures/signs/models/signs-v10.onnx'));
    const regions = cutRegions(graph, listLayers(graph, 'tensorrt'), new Map(), new Set());
    const nodes = regions.flatMap((region) => region.nodes);
    expect(new Set(nodes).size).toBe(nodes.length);
    const made = new Set(graph.inputs);
    for (const { inputs, outputs } of regions) {
      for (const name of inputs) expect(made).toContain(name);
      for (const name of outputs) made.add(name);
    }
    for (const name of graph.outputs) expect(made).toContain(name);
    const left = graph.nodes.filter(({ index }) => !nodes.includes(index));
    const depends = ({ inputs }: GraphNode): boolean => inputs.some((name) => made.has(name));
    expect(left.filter(depends)).toEqual([]);
    expect(regions.length).toBeGreaterThan(15);
  });
});

describe('how sure a place is', () => {
  /** One head; noise as given, signal 1, by image. */
  const group = (...noise: number[]) => noise.map((n) => [{ signal: 1, noise: n }]);

  test('groups that lie far apart keep their places; those that differ from image to image change them', () => {
    const clear = group(...Array.from({ length: 16 }, () => 1));
    const calm = group(...Array.from({ length: 16 }, () => 0.01));
    const wild = group(...Array.from({ length: 16 }, (_, i) => (i % 4 === 0 ? 0.04 : 0.001)));
    const [first, second, third] = rankIntervals([clear, calm, wild], 1);
    expect(first).toEqual({ low: 1, high: 1 });
    expect(second).toEqual({ low: 2, high: 3 });
    expect(third).toEqual({ low: 2, high: 3 });
  });

  describe('a group is left alone', () => {
    const many = (count: number, noise: (i: number) => number) =>
      group(...Array.from({ length: count }, (_, i) => noise(i)));
    const bad = many(8, (i) => 1 + i / 100);
    const good = many(8, (i) => 0.001 + i / 1e5);
    const near = many(8, (i) => (i % 2 === 0 ? 2 : 0.2));
    const broken = many(8, () => NaN);
    test.each([
      ['when it is surely better than the worst', [bad, good, near], 1, [1]],
      ['not when it only seems to be', [bad, near], 1, []],
      ['not when it is one of those to keep', [bad, good, near], 3, []],
      ['when its output is not finite', [bad, broken, near], 3, [1]],
      ['not by fewer than four images', [bad.slice(0, 3), good, near], 1, []],
      ['by the images that both saw', [bad, good.slice(0, 4)], 1, [1]],
      ['when it was before, though what it saw does not settle it now', [bad, near.slice(0, 4)], 1, [1]],
      // 0.01 to 3 times as much from image to image, but always twice as good as the other.
      [
        'when images differ, but it is better on each',
        [many(8, (i) => 2 ** i), many(8, (i) => 0.5 * 2 ** i)],
        1,
        [1],
      ],
      ['when nothing differs, and another does', [bad, many(8, () => 0)], 1, [1]],
    ])('%s', (_what, powers, keep, expected) => {
      expect([...settled(powers, keep)]).toEqual(expected);
    });
  });

  test('SQNR joins images by power', () => {
    expect(sqnrOf([[{ signal: 3, noise: 0.01 }], [{ signal: 1, noise: 0.03 }]])).toBeCloseTo(20, 9);
    expect(sqnrOf([[{ signal: 3, noise: NaN }]])).toBe(-Infinity);
    expect(sqnrOf([[{ signal: 3, noise: 0 }]])).toBe(Infinity);
  });
});
