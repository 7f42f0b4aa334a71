import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { calibratorFor, computeRanges } from '../../src/calibration/index.js';
import type { ImageStore } from '../../src/dataset/index.js';
import { createOnnxRuntimeEngine, type Engine, type HostTensor } from '../../src/engine/index.js';
import {
  buildGraph,
  encodeModel,
  floatsToTensor,
  type Model,
  type TensorProto,
} from '../../src/onnx/index.js';
import { listLayers, tensorsToCalibrate, type PrecisionPlan } from '../../src/quantization/index.js';
import { calibrate, type Calibrated } from '../../src/pipeline/calibrate.js';
import type { Bench } from '../../src/pipeline/prepare.js';
import { feedOf, outlierChannel, spec } from '../sensitivity/nets.js';
import { modelOf, weightOf } from '../quantization/graphs.js';

type Outputs = ReadonlyMap<string, HostTensor>;

let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntimeEngine({ threads: 1, batch: 1 });
});
afterAll(() => engine.close());

const plan: PrecisionPlan = { version: 1, operators: 'tensorrt', default: 'int8', layers: {} };

/** A folder of images. */
function storeOf(name: string, count: number, seed: number): ImageStore {
  const feed = feedOf(count, seed);
  const records = Array.from({ length: count }, (_, i) => ({ file: `${name}/${i}`, name: `${i}` }));
  return { count, spec, records, get: (i: number) => feed.image(i) } as unknown as ImageStore;
}

function benchOf(model: Model, quantization: object = {}, calibrator = 'minmax'): Bench {
  const graph = buildGraph(model);
  return {
    engine,
    model,
    graph,
    bytes: encodeModel(model.proto),
    layers: listLayers(graph, 'tensorrt'),
    tensors: tensorsToCalibrate(graph, 'tensorrt'),
    calibration: storeOf('fit', 12, 1),
    heldBack: storeOf('held', 4, 2),
    choice: { decoder: {} },
    settings: {
      calibration: { calibrator, percentile: 99.9, batch: 1 },
      quantization: { operators: 'tensorrt', biasCorrection: 'off', equalization: 'off', ...quantization },
    },
    context: {
      signal: new AbortController().signal,
      progress: { phase: () => undefined, update: () => undefined, end: () => undefined },
    },
  } as unknown as Bench;
}

const silu = (): Model =>
  modelOf({
    inputs: { x: [1, 3, 16, 16] },
    outputs: ['y'],
    nodes: ['c = Conv(x, wa)', 'g = Sigmoid(c)', 'm = Mul(c, g)', 'y = Conv(m, wb)'],
    constants: [weightOf('wa', 1, [8, 3, 1, 1]), weightOf('wb', 2, [5, 8, 1, 1])],
  });

test('with everything off nothing is tried and the model stays as it is', async () => {
  const bench = benchOf(silu());
  const found = await calibrate(bench, plan);
  expect(found.corrections).toEqual([]);
  expect(found.bench).toBe(bench);
});

test('equalization is kept where one channel drowns the others, and the equalized network was calibrated', async () => {
  const bench = benchOf(outlierChannel(3).model, { equalization: 'auto' });
  const { corrections, bench: now, ranges, statistics } = await calibrate(bench, plan, { extremes: true });
  const [one] = corrections;
  expect(one).toMatchObject({ kind: 'equalization', applied: true, count: 8, reason: undefined });
  expect((one?.after as number) - (one?.before as number)).toBeGreaterThan(3);
  expect(now.model).not.toBe(bench.model);
  const plain = await calibrate(benchOf(outlierChannel(3).model), plan);
  expect([...ranges.keys()]).toEqual([...plain.ranges.keys()]);
  expect([...ranges].some(([name, { amax }]) => amax < (plain.ranges.get(name)?.amax ?? 0) / 2)).toBe(true);
  for (const [name, { amax }] of ranges)
    expect(amax).toBe(Math.max(-statistics.get(name)!.min, statistics.get(name)!.max));
});

test('an equalized network calibrated anew between its pairs alone has the ranges that it has calibrated whole', async () => {
  const bench = benchOf(outlierChannel(3).model, { equalization: 'auto' });
  const asked: (readonly string[])[] = [];
  const watched = {
    ...bench,
    engine: {
      load: bench.engine.load.bind(bench.engine),
      collect: (...args: Parameters<Engine['collect']>) => {
        asked.push(args[1]);
        return bench.engine.collect(...args);
      },
    },
  } as unknown as Bench;
  const { bench: now, ranges } = await calibrate(watched, plan);
  expect(asked[0]).toEqual(bench.tensors);
  // The input of the network, which no pair changes, is not looked at again.
  expect(asked).toHaveLength(2);
  expect((asked[1] as readonly string[]).length).toBeLessThan(bench.tensors.length);
  const whole = await calibrate(benchOf(now.model), plan);
  for (const [name, { amax }] of whole.ranges) expect((ranges.get(name)?.amax ?? 0) / amax).toBeCloseTo(1, 5);
});

test('equalization of a network with SiLU is refused with the reason', async () => {
  const { corrections } = await calibrate(benchOf(silu(), { equalization: 'auto' }), plan);
  expect(corrections).toMatchObject([{ kind: 'equalization', applied: false, before: undefined }]);
  expect(corrections[0]?.reason).toMatch(/no pair of convolutions .*1 before SiLU/);
});

test('bias correction that the output does not gain from is refused, with what it would have come to', async () => {
  // Ranges that clip nothing and scales that are fine: means hardly move.
  const { corrections, bench } = await calibrate(benchOf(silu(), { biasCorrection: 'auto' }), plan);
  const [one] = corrections;
  expect(one?.kind).toBe('bias-correction');
  expect(one?.applied).toBe((one?.after ?? 0) - (one?.before ?? 0) >= 0.1);
  expect(bench.model.biasShifts === undefined).toBe(one?.applied === false);
});

test('bias correction is kept where clipping shifts means', async () => {
  const bench = benchOf(silu(), { biasCorrection: 'auto' }, 'percentile');
  (bench.settings.calibration as { percentile: number }).percentile = 80;
  const { corrections, bench: now } = await calibrate(bench, plan);
  expect(corrections).toMatchObject([{ kind: 'bias-correction', applied: true }]);
  expect((corrections[0]?.after as number) - (corrections[0]?.before as number)).toBeGreaterThanOrEqual(0.1);
  expect(now.model.biasShifts?.size).toBeGreaterThan(0);
});

/** Weights [to, from, 1, 1] whose last row is a hundred times louder than the others. */
const loudLast = (name: string, to: number, from: number, silent = -1): TensorProto =>
  floatsToTensor(
    name,
    [to, from, 1, 1],
    Float32Array.from({ length: to * from }, (_, i) =>
      i % from === silent ? 0 : (i >= (to - 1) * from ? 100 : 1) * (Math.sin(7 * i) + 0.2),
    ),
  );

/** `y` has a channel that reads the loud channel of `m`, and a faint one that reads its quiet channels. */
const loudAndQuiet = (): Model => {
  const reads = Float32Array.from({ length: 16 }, (_, i) =>
    i === 7 ? 1 : i > 7 && i < 15 ? Math.cos(3 * i) : 0,
  );
  return modelOf({
    inputs: { x: [1, 3, 16, 16] },
    outputs: ['y'],
    nodes: ['c = Conv(x, wa)', 'm = Relu(c)', 'y = Conv(m, wb)'],
    constants: [loudLast('wa', 8, 3), floatsToTensor('wb', [2, 8, 1, 1], reads)],
  });
};

/** Of `m` nobody reads the loud channel, which must be clipped; of `n` all read it, and it must not. */
const opposed = (): Model =>
  modelOf({
    inputs: { x: [1, 3, 16, 16] },
    outputs: ['y'],
    nodes: ['c = Conv(x, wa)', 'm = Relu(c)', 'd = Conv(m, wb)', 'n = Relu(d)', 'y = Conv(n, wc)'],
    constants: [
      loudLast('wa', 8, 3),
      loudLast('wb', 8, 8, 7),
      floatsToTensor(
        'wc',
        [2, 8, 1, 1],
        Float32Array.from({ length: 16 }, (_, i) => Number(i % 8 === 7)),
      ),
    ],
  });

/** Sees an object at each place where a channel of `y` is positive, as sure as it is large. */
const seeing = (channel: number, most: number): object => ({
  decode(outputs: Outputs, _geometry: unknown, found: (...box: number[]) => void) {
    const data = (outputs.get('y') as HostTensor).data as Float32Array;
    data.subarray(256 * channel, 256 * (channel + 1)).forEach((value, i) => {
      if (value > 0 && i % 4 === 0)
        found(0, 4 * (i % 16), 4 * Math.floor(i / 16), 4, 4, Math.min(1, value / most));
    });
  },
});

test.each([
  ['a mix that no calibrator for all scales comes near stands', opposed, 0, 'mix'],
  [
    'objects seen where the error of the output hardly shows are lost by it',
    loudAndQuiet,
    1,
    'percentile:87',
  ],
])(
  'of ranges chosen scale by scale, detections have the last word: %s',
  async (_what, net, channel, taken) => {
    const best = async (biasCorrection: string): Promise<Calibrated> => {
      const bench = benchOf(net(), { biasCorrection }, 'best');
      (bench.settings.calibration as { percentile: number }).percentile = 87;
      const decoder = seeing(channel, channel === 0 ? 400 : 2);
      return calibrate(
        { ...bench, choice: { decoder }, classes: Int32Array.of(0) } as unknown as Bench,
        plan,
      );
    };
    const { contest, ranges, statistics } = await best('off');
    expect(contest).toMatchObject({ taken, by: 'detections', images: { heat: 16, final: 16 } });
    const final = new Map(contest?.rivals.map((one) => [one.name, one.final]));
    const singles = [...final].flatMap(([name, one]) => (name === 'mix' || one === undefined ? [] : [one]));
    expect((final.get('mix') as number) >= Math.max(...singles)).toBe(taken === 'mix');
    const standard = computeRanges(statistics, calibratorFor('percentile', { percentile: 87 }));
    const same = [...ranges].every(([name, { amax }]) => amax === standard.get(name)?.amax);
    expect(same).toBe(taken !== 'mix');
    const corrected = await best('auto');
    expect(corrected.contest?.taken).toBe(taken);
    // The correction is the one that the contest was held with.
    expect(corrected.corrections.map(({ kind }) => kind)).toEqual(['bias-correction']);
  },
);

test('where FP32 detects nothing the mix stands, and the reason is told', async () => {
  const bench = benchOf(loudAndQuiet(), {}, 'best');
  const blind = { ...bench, choice: { decoder: { decode: () => undefined } } } as unknown as Bench;
  const { contest } = await calibrate(blind, plan);
  expect(contest).toMatchObject({ taken: 'mix', by: 'output', rivals: [] });
  expect(contest?.reason).toMatch(/FP32 detects nothing on 16 calibration images/);
});
