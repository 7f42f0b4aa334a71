import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  quantizationError,
  rangeCandidates,
  type RangeCandidate,
  type TensorStatistics,
} from '../../src/calibration/index.js';
import { createOnnxRuntimeEngine, type Engine } from '../../src/engine/index.js';
import { Interrupted } from '../../src/faults/index.js';
import { buildGraph, encodeModel, type ModelProto } from '../../src/onnx/index.js';
import { listLayers, quantize, tensorsToCalibrate } from '../../src/quantization/index.js';
import {
  chooseCalibrators,
  chosenRanges,
  headTensors,
  referenceOutputs,
  SqnrMeter,
  type ChoiceInput,
} from '../../src/sensitivity/index.js';
import { bypassWhere } from '../../src/sensitivity/bypass.js';
import { feedOf, outlierChannel, sharedScale, type Planted } from './nets.js';

const HELD = 5;
let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntimeEngine({ threads: 1, batch: 1 });
});
afterAll(() => engine.close());

async function inputOf({ model }: Planted, seed: number): Promise<ChoiceInput> {
  const graph = buildGraph(model);
  const layers = listLayers(graph, 'tensorrt');
  const statistics = await engine.collect(
    { name: 'planted', bytes: encodeModel(model.proto) },
    tensorsToCalibrate(graph, 'tensorrt'),
    feedOf(16, seed),
  );
  return {
    engine,
    model,
    graph,
    layers,
    scope: 'tensorrt',
    work: new Map(),
    statistics,
    candidates: rangeCandidates(statistics, { percentile: 99, batch: 1 }),
    feed: feedOf(HELD, seed + 1000),
    signal: new AbortController().signal,
    onProgress: () => undefined,
  };
}

/** dB of the heads over the first images with Q/DQ on these tensors alone, the whole network in one session. */
async function whole(
  { model, graph, feed }: ChoiceInput,
  { ranges }: RangeCandidate,
  tensors: readonly string[],
  count: number,
): Promise<number> {
  const heads = headTensors(graph);
  const all = { version: 1, operators: 'tensorrt', default: 'int8', layers: {} } as const;
  const some = { ...feed, count };
  const run = async (
    proto: ModelProto,
    onOutput: Parameters<Awaited<ReturnType<Engine['load']>>['run']>[1],
  ) => {
    const session = await engine.load({ name: 'whole', bytes: encodeModel(proto) }, { extraOutputs: heads });
    await session.run(some, onOutput);
    await session.release();
  };
  const session = await engine.load(
    { name: 'float', bytes: encodeModel(model.proto) },
    { extraOutputs: heads },
  );
  const meter = new SqnrMeter(await referenceOutputs(session, heads, some, new AbortController().signal));
  await session.release();
  const own = new Set(tensors);
  await run(
    bypassWhere(quantize(model, all, ranges).proto, (tensor) => !own.has(tensor)),
    (i, outputs) => meter.add(i, outputs),
  );
  return meter.sqnr();
}

describe.each([
  ['a chain with an outlier channel', outlierChannel],
  ['branches that meet in a Concat', sharedScale],
])('%s', (_what, net) => {
  test('errors equal those of the whole network with that scale alone in INT8, and the least wins', async () => {
    const input = await inputOf(net(3), 3);
    const choices = await chooseCalibrators(input);
    for (const { tensors, calibrator, by, errors } of choices) {
      // Where all candidates give one range, the output cannot part them.
      expect(by).toBe(new Set(errors.map(({ sqnr }) => sqnr)).size > 1 ? 'output' : 'local');
      if (by === 'local') continue;
      const finalists = errors.filter(({ images }) => images === HELD);
      expect(finalists.length).toBeGreaterThan(0);
      const best = Math.max(...finalists.map(({ sqnr }) => sqnr as number));
      expect(errors.find((one) => one.calibrator === calibrator)?.sqnr).toBe(best);
      const candidate = input.candidates.find(({ name }) => name === calibrator) as RangeCandidate;
      // A candidate whose range is within 1 % of another's shares its measurement.
      const first = errors.findIndex(({ sqnr }) => sqnr === best);
      if (errors[first]?.calibrator === calibrator)
        expect(await whole(input, candidate, tensors, HELD)).toBeCloseTo(best, 3);
    }
  });

  test('most scales are told apart by the output', async () => {
    const choices = await chooseCalibrators(await inputOf(net(3), 3));
    expect(choices.filter(({ by }) => by === 'output').length).toBeGreaterThan(choices.length / 2);
  });

  test('every tensor that is quantized gets the range of its choice', async () => {
    const input = await inputOf(net(4), 4);
    const choices = await chooseCalibrators(input);
    const ranges = chosenRanges(input.candidates, choices);
    expect([...ranges.keys()].sort()).toEqual([...input.statistics.keys()].sort());
    for (const { members, calibrator } of choices)
      for (const tensor of members) expect(ranges.get(tensor)?.calibrator).toBe(calibrator);
  });
});

test('on images held back, all scales chosen together leave less error than any one calibrator', async () => {
  const input = await inputOf(outlierChannel(5), 5);
  const choices = await chooseCalibrators(input);
  const everything = input.graph.nodes.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]);
  const rated = async (candidate: RangeCandidate) => whole(input, candidate, everything, HELD);
  const best = await rated({ name: 'best', ranges: chosenRanges(input.candidates, choices) });
  const each = await Promise.all(input.candidates.map(rated));
  expect(best).toBeGreaterThan(Math.max(...each) - 0.5);
});

test('an engine that cannot run parts leaves the choice to the error of the tensor itself, and says so', async () => {
  const input = await inputOf(sharedScale(6), 6);
  const plain = { ...engine, collect: engine.collect.bind(engine), probe: undefined } as unknown as Engine;
  const choices = await chooseCalibrators({ ...input, engine: plain });
  for (const { by, errors, calibrator, members } of choices) {
    expect(by).toBe('local');
    expect(errors.every(({ sqnr, images }) => sqnr === undefined && images === 0)).toBe(true);
    const error = (amax: number): number =>
      members.reduce((sum, name) => {
        const one = input.statistics.get(name) as TensorStatistics;
        return sum + quantizationError(one, amax) * one.count;
      }, 0);
    const chosen = errors.find((one) => one.calibrator === calibrator)?.amax as number;
    for (const { amax } of errors) expect(error(chosen)).toBeLessThanOrEqual(error(amax));
  }
});

test('stops when asked', async () => {
  const input = await inputOf(sharedScale(7), 7);
  await expect(chooseCalibrators({ ...input, signal: AbortSignal.abort() })).rejects.toThrow(Interrupted);
});
