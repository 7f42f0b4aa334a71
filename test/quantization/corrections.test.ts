import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Ranges } from '../../src/calibration/index.js';
import { createOnnxRuntimeEngine, type Engine } from '../../src/engine/index.js';
import { buildGraph, encodeModel, floatsToTensor, tensorToFloats, type Model } from '../../src/onnx/index.js';
import {
  biasProbe,
  equalizationPairs,
  equalize,
  quantize,
  type PrecisionPlan,
} from '../../src/quantization/index.js';
import { feedOf } from '../sensitivity/nets.js';
import { modelOf, noise, weightOf } from './graphs.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntimeEngine({ threads: 1, batch: 1 });
});
afterAll(() => engine.close());

const SIDE = 16;
const inputs = { x: [1, 3, SIDE, SIDE] };
const int8: PrecisionPlan = { version: 1, operators: 'tensorrt', default: 'int8', layers: {} };
const rangesOf = (amax: Readonly<Record<string, number>>): Ranges =>
  new Map(
    Object.entries(amax).map(([name, one]) => [name, { amax: one, min: -one, max: one, calibrator: 'test' }]),
  );

/** Outputs of a model on images, by image. */
async function outputsOf(proto: Model['proto'], name: string, images = 4): Promise<readonly Float32Array[]> {
  const session = await engine.load({ name: 'test', bytes: encodeModel(proto) });
  const found: Float32Array[] = [];
  await session.run(feedOf(images, 1), (i, outputs) => (found[i] = outputs.get(name)?.data as Float32Array));
  await session.release();
  return found;
}

/** Mean by channel of NCHW data at batch 1. */
function channelMeans(images: readonly Float32Array[], channels: number): number[] {
  const each = (images[0] as Float32Array).length / channels;
  return Array.from({ length: channels }, (_, c) => {
    const values = images.flatMap((one) => [...one.subarray(c * each, (c + 1) * each)]);
    return values.reduce((a, b) => a + b, 0) / values.length;
  });
}

describe('bias correction', () => {
  const wide = (bias: string): Model =>
    modelOf({
      inputs,
      outputs: ['y'],
      nodes: [`c0 = Conv(x, wa${bias === '' ? '' : `, ${bias}`})`, 'r0 = Relu(c0)', 'y = Conv(r0, wb)'],
      constants: [
        weightOf('wa', 1, [8, 3, 1, 1]),
        weightOf('wb', 2, [5, 8, 1, 1]),
        ...(bias === '' ? [] : [floatsToTensor(bias, [8], noise(8, 9))]),
      ],
    });
  // Coarse scales, so that rounding shifts means.
  const ranges = rangesOf({ x: 1.2, r0: 0.6 });

  test.each([
    ['with biases', 'b'],
    ['without biases', ''],
  ])('a layer %s keeps the mean that it has in float, channel by channel', async (_what, bias) => {
    const model = wide(bias);
    const probe = biasProbe(model, 'tensorrt', ranges);
    expect([...probe.outputs.keys()]).toEqual(['c0', 'y']);
    const errors = await outputsOf(probe.proto, probe.outputs.get('y') as string);
    const shift = Float32Array.from(channelMeans(errors, 5), (one) => -one);
    // The last layer alone in INT8: its input is exact.
    const plan: PrecisionPlan = { ...int8, default: 'fp32', layers: { y: 'int8' } };
    const means = async (one: Model, proto = quantize(one, plan, ranges).proto) =>
      channelMeans(await outputsOf(proto, 'y'), 5);
    const float = await means(model, model.proto);
    const off = (found: readonly number[]): number =>
      Math.max(...found.map((one, c) => Math.abs(one - (float[c] as number))));
    const [before, after] = [
      off(await means(model)),
      off(await means({ ...model, biasShifts: new Map([['y', shift]]) })),
    ];
    expect(before).toBeGreaterThan(0.05);
    expect(after).toBeLessThan(1e-5);
  });

  test('what the probe says of a layer does not depend on layers in front of it', async () => {
    const model = wide('b');
    const probe = biasProbe(model, 'tensorrt', ranges);
    const name = probe.outputs.get('y') as string;
    const coarser = biasProbe(model, 'tensorrt', rangesOf({ x: 0.1, r0: 0.6 }));
    expect(await outputsOf(coarser.proto, name)).toEqual(await outputsOf(probe.proto, name));
  });

  test('layers in float keep their bias, and without shifts the model is the same bit for bit', () => {
    const model = wide('b');
    const shifted = { ...model, biasShifts: new Map([['c0', new Float32Array(8).fill(1)]]) };
    const float = { ...int8, layers: { c0: 'fp16' } } as const;
    const bytes = (one: Model, plan: PrecisionPlan) => encodeModel(quantize(one, plan, ranges).proto);
    expect(bytes(shifted, float)).toEqual(bytes(model, float));
    expect(bytes({ ...model, biasShifts: new Map() }, int8)).toEqual(bytes(model, int8));
    expect(bytes(shifted, int8)).not.toEqual(bytes(model, int8));
  });

  test('a bias that two layers share is corrected for each alone', () => {
    const model = modelOf({
      inputs,
      outputs: ['y', 'z'],
      nodes: ['y = Conv(x, wa, b)', 'z = Conv(x, wb, b)'],
      constants: [
        weightOf('wa', 1, [4, 3, 1, 1]),
        weightOf('wb', 2, [4, 3, 1, 1]),
        floatsToTensor('b', [4], Float32Array.of(1, 2, 3, 4)),
      ],
    });
    const shifted = { ...model, biasShifts: new Map([['y', Float32Array.of(10, 20, 30, 40)]]) };
    const graph = buildGraph(quantize(shifted, int8, rangesOf({ x: 1 })));
    const bias = (node: string) => [
      ...tensorToFloats(graph.constant(graph.producerOf(node)?.inputs[2] ?? '')!),
    ];
    expect(bias('y')).toEqual([11, 22, 33, 44]);
    expect(bias('z')).toEqual([1, 2, 3, 4]);
  });
});

describe('cross-layer equalization', () => {
  const uneven = (name: string, dims: readonly number[], channelOf: (i: number) => number) => {
    const values = noise(
      dims.reduce((a, b) => a * b, 1),
      4,
    );
    return floatsToTensor(
      name,
      dims,
      values.map((one, i) => one * 10 ** ((channelOf(i) % 4) - 1)),
    );
  };
  const net = (
    between: readonly string[],
    second = 'y = Conv(m, wb)',
    wb = weightOf('wb', 2, [5, 8, 1, 1]),
  ) =>
    modelOf({
      inputs,
      outputs: ['y'],
      nodes: ['c = Conv(x, wa, b)', ...between, second],
      constants: [
        uneven('wa', [8, 3, 1, 1], (i) => Math.floor(i / 3)),
        floatsToTensor('b', [8], noise(8, 3)),
        wb,
      ],
    });

  test.each([
    ['Relu', ['m = Relu(c)']],
    ['LeakyRelu and MaxPool', ['r = LeakyRelu(c){alpha=0.1}', 'm = MaxPool(r){kernel_shape=[2,2]}']],
    ['nothing', ['m = Identity(c)']],
  ])(
    '%s between two convolutions makes a pair, and the network computes the same',
    async (_what, between) => {
      const model = net(between);
      const graph = buildGraph(model);
      const { pairs } = equalizationPairs(graph);
      expect(pairs.map(({ first, second }) => [first.name, second.name])).toEqual([['c', 'y']]);
      const now = equalize(model, graph, pairs);
      const [before, after] = [await outputsOf(model.proto, 'y'), await outputsOf(now.proto, 'y')];
      const largest = Math.max(...before.flatMap((one) => [...one].map(Math.abs)));
      before.forEach((one, i) =>
        one.forEach((value, k) =>
          expect(Math.abs(value - (after[i]?.[k] as number))).toBeLessThan(1e-5 * largest),
        ),
      );
    },
  );

  test('ranges of channels become alike on both sides: each the geometric mean of what they were', () => {
    const model = net(['m = Relu(c)']);
    const graph = buildGraph(model);
    const spread = (one: Model): number => {
      const weights = tensorToFloats(buildGraph(one).initializer('wa')!);
      const amax = Array.from({ length: 8 }, (_, c) =>
        Math.max(...weights.subarray(3 * c, 3 * c + 3).map(Math.abs)),
      );
      return Math.max(...amax) / Math.min(...amax);
    };
    const now = equalize(model, graph, equalizationPairs(graph).pairs);
    expect(spread(model)).toBeGreaterThan(500);
    expect(spread(now)).toBeLessThan(60);
    // The model that came is untouched.
    expect(tensorToFloats(graph.initializer('wa')!)).toEqual(
      tensorToFloats(buildGraph(model).initializer('wa')!),
    );
  });

  test('a depthwise convolution is the second of a pair and the first of the next', async () => {
    const model = modelOf({
      inputs,
      outputs: ['y'],
      nodes: ['c = Conv(x, wa)', 'r = Relu(c)', 'd = Conv(r, wd){group=8}', 's = Relu(d)', 'y = Conv(s, wb)'],
      constants: [
        uneven('wa', [8, 3, 1, 1], (i) => Math.floor(i / 3)),
        uneven('wd', [8, 1, 1, 1], (i) => i + 2),
        weightOf('wb', 2, [5, 8, 1, 1]),
      ],
    });
    const graph = buildGraph(model);
    const { pairs } = equalizationPairs(graph);
    expect(pairs.map(({ first, second }) => `${first.name} ${second.name}`)).toEqual(['c d', 'd y']);
    const now = equalize(model, graph, pairs);
    const [before, after] = [await outputsOf(model.proto, 'y'), await outputsOf(now.proto, 'y')];
    before[0]?.forEach((value, k) => expect(after[0]?.[k]).toBeCloseTo(value, 3));
  });

  test.each([
    ['SiLU', ['g = Sigmoid(c)', 'm = Mul(c, g)'], /^SiLU/],
    ['two readers', ['m = Relu(c)', 'n = Relu(c)'], /^several readers/],
    ['Tanh', ['m = Tanh(c)'], /^Tanh/],
  ])('%s between them refuses the pair', (_what, between, reason) => {
    const { pairs, refused } = equalizationPairs(buildGraph(net(between)));
    expect(pairs).toEqual([]);
    expect(refused[0]?.reason).toMatch(reason);
  });

  test('weights that two layers share are left alone', () => {
    const model = net(['m = Relu(c)', 'n = Relu(m)'], 'y = Conv(n, wb)');
    const shared = modelOf({
      inputs,
      outputs: ['y', 'z'],
      nodes: ['c = Conv(x, wa)', 'm = Relu(c)', 'y = Conv(m, wb)', 'z = Conv(x, wa)'],
      constants: [weightOf('wa', 1, [8, 3, 1, 1]), weightOf('wb', 2, [5, 8, 1, 1])],
    });
    expect(equalizationPairs(buildGraph(model)).pairs).toHaveLength(1);
    expect(equalizationPairs(buildGraph(shared)).pairs).toHaveLength(0);
  });
});
