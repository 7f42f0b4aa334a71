import { describe, expect, test } from '@jest/globals';
import { buildGraph } from '../../src/onnx/index.js';
import { listLayers, type PrecisionPlan } from '../../src/quantization/index.js';
import { pricer, type LatencyProfile } from '../../src/sensitivity/index.js';
import { modelOf, weightOf } from '../quantization/graphs.js';

/** x → a → relu → b → relu → c → relu → d → y, and b's output also to e → z. */
const model = modelOf({
  inputs: { x: [1, 4, 8, 8] },
  outputs: ['y', 'z'],
  nodes: [
    'a = Conv(x, w0)',
    'ra = Relu(a)',
    'b = Conv(ra, w1)',
    'rb = Relu(b)',
    'c = Conv(rb, w2)',
    'rc = Relu(c)',
    'y = Conv(rc, w3)',
    'z = Conv(rb, w4)',
  ],
  constants: ['w0', 'w1', 'w2', 'w3', 'w4'].map((name, i) => weightOf(name, i, [4, 4, 1, 1])),
});
const graph = buildGraph(model);
const layers = listLayers(graph, 'tensorrt').map((layer, i) => ({
  ...layer,
  macs: [100, 200, 300, 400, 0][i],
}));
const names = layers.map(({ name }) => name);
const planOf = (...float: number[]): PrecisionPlan => ({
  version: 1,
  operators: 'tensorrt',
  default: 'int8',
  layers: Object.fromEntries(float.map((i) => [names[i] as string, 'fp16'])),
});
const of = (profile?: LatencyProfile) =>
  pricer({ graph, scope: 'tensorrt', layers, elements: () => undefined, ...(profile && { profile }) });

describe('the price of a plan', () => {
  test.each([
    ['everything in INT8: the input alone is converted', [], 1, 1],
    ['the first in float: what it makes is converted, not the input', [0], 0.9, 1],
    ['the second: what it makes is converted, its input leaves the first in float', [1], 0.8, 2],
    ['one in the middle of a chain', [2], 0.7, 3],
    ['the last: nothing is converted for it', [3], 0.6, 1],
    ['everything in float', [0, 1, 2, 3, 4], 0, 0],
  ])('%s', (_what, float, share, reformats) => {
    const price = of()(planOf(...float));
    expect(price.int8Share).toBeCloseTo(share, 12);
    expect(price.reformats).toBe(reformats);
    expect(price.cost).toBeCloseTo(1 - share, 12);
    expect(price.latencyMs).toBeUndefined();
  });

  test('conversions cost by their elements, so that of two like layers the one with fewer borders is cheaper', () => {
    const even = layers.map((layer) => ({ ...layer, macs: 1e6 }));
    const price = pricer({ graph, scope: 'tensorrt', layers: even, elements: () => 256 });
    expect(price(planOf(2)).cost).toBeGreaterThan(price(planOf(3)).cost);
    expect(price(planOf(2)).cost - price(planOf(3)).cost).toBeCloseTo((2 * 256 * 100) / 5e6, 12);
  });

  test('by a profile: milliseconds, over those of everything in float', () => {
    const profile: LatencyProfile = {
      reformatMs: 0.5,
      layers: new Map(names.map((name, i) => [name, { int8Ms: 1, floatMs: i === 1 ? 1.1 : 3 }])),
    };
    const price = of(profile);
    expect(price(planOf()).latencyMs).toBeCloseTo(5 + 0.5, 12);
    // The second saves next to nothing in INT8: in float it costs its borders.
    expect(price(planOf(1)).latencyMs).toBeCloseTo(5.1 + 1, 12);
    expect(price(planOf(0, 1, 2, 3, 4)).cost).toBeCloseTo(1, 12);
    expect(price(planOf(1)).cost).toBeCloseTo(6.1 / 13.1, 12);
  });

  test('without known work every layer counts alike', () => {
    const blind = layers.map((layer) => ({ ...layer, macs: undefined }));
    const price = pricer({ graph, scope: 'tensorrt', layers: blind, elements: () => undefined });
    expect(price(planOf(2)).int8Share).toBeCloseTo(0.8, 12);
  });
});
