import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Ranges } from '../../src/calibration/index.js';
import { listImages, openImages, type ImageStore } from '../../src/dataset/index.js';
import {
  createOnnxRuntimeEngine,
  type Engine,
  type EngineModel,
  type HostTensor,
  type ImageFeed,
} from '../../src/engine/index.js';
import { Interrupted } from '../../src/faults/index.js';
import { buildGraph, encodeModel, readModel, type Graph, type Model } from '../../src/onnx/index.js';
import { listLayers, tensorsToCalibrate, type Layer } from '../../src/quantization/index.js';
import { calibratorFor, computeRanges } from '../../src/calibration/index.js';
import type { Shelf } from '../../src/store/index.js';
import {
  headTensors,
  referenceOutputs,
  sweep,
  type ReferenceOutputs,
  type SweepInput,
} from '../../src/sensitivity/index.js';
import { signsSpec as spec } from '../signs.js';

let model: Model;
let graph: Graph;
let layers: readonly Layer[];

beforeAll(async () => {
  model = await readModel('fixtures/signs/models/signs-v10.onnx');
  graph = buildGraph(model);
  layers = listLayers(graph, ['Conv']);
});

const constantRanges = (): Ranges =>
  new Map(
    tensorsToCalibrate(graph, ['Conv']).map((name) => [
      name,
      { amax: 1, min: -1, max: 1, calibrator: 'test' },
    ]),
  );

describe('head tensors', () => {
  test('are the raw outputs of the last convolutions, three scales of boxes and of scores', () => {
    const heads = headTensors(graph);
    expect(heads).toHaveLength(6);
    for (const name of heads) expect(graph.producerOf(name)?.opType).toBe('Conv');
  });

  test('are the outputs of a model that has no weighted layer', () => {
    const bare = buildGraph(model);
    const none: Graph = {
      ...bare,
      nodes: bare.nodes.filter(({ opType }) => !/^(Conv|MatMul)$/.test(opType)),
    };
    expect(headTensors(none)).toEqual(['output0']);
  });
});

describe('the sweep, on an engine that adds a known noise for a layer', () => {
  const reference: ReferenceOutputs = {
    heads: ['head'],
    images: [new Map([['head', Float32Array.of(3, 4)]])],
  };
  const feed: ImageFeed = { count: 1, spec, image: () => Promise.reject(new Error('not looked at')) };

  /** `noise` by the layer's place among those swept; counts sessions that are open. */
  function fake(noise: readonly number[]) {
    const state = { open: 0, loaded: [] as string[] };
    const engine: Engine = {
      name: 'onnxruntime',
      version: '0',
      threads: 1,
      load: ({ name }: EngineModel) => {
        const added = noise[state.loaded.push(name) - 1] as number;
        state.open++;
        return Promise.resolve({
          inputs: [],
          outputs: [],
          run: (_feed, onOutput) => {
            const head: HostTensor = { type: 'float32', dims: [1, 2], data: Float32Array.of(3 + added, 4) };
            onOutput(0, new Map([['head', head]]));
            return Promise.resolve();
          },
          latency: () => undefined,
          release: () => {
            state.open--;
            return Promise.resolve();
          },
        });
      },
      collect: () => Promise.reject(new Error('not asked for')),
      close: () => Promise.resolve(),
    };
    return { engine, state };
  }
  const inputOf = (engine: Engine, some: readonly Layer[], over: Partial<SweepInput> = {}): SweepInput => ({
    engine,
    model,
    layers: some,
    scope: ['Conv'],
    ranges: constantRanges(),
    reference,
    feed,
    scorer: () => ({ add: () => undefined, map: () => 0.75 }),
    baseline: 1,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...over,
  });

  test('ranks the worst first, NaN before all, by mAP alone what no head tensor tells of, and equal ones by depth', async () => {
    const { engine, state } = fake([0, 0.5, 0, NaN, 5]);
    const rows = await sweep(inputOf(engine, layers.slice(0, 5)));
    expect(rows.map(({ layer }) => layer.depth)).toEqual([3, 4, 0, 2, 1]);
    // Signal 3² + 4² = 25: a noise of 5² is 0 dB, one of 0.5² is 20 dB. mAP falls by 0.25 for each.
    const sqnr = rows.map((row) => row.sqnr);
    expect(sqnr.slice(0, 2)).toEqual([-Infinity, expect.closeTo(0, 9)]);
    expect(sqnr.slice(2, 4)).toEqual([Infinity, Infinity]);
    expect(sqnr[4]).toBeCloseTo(20, 9);
    expect(rows.map(({ mapDrop }) => mapDrop)).toEqual([0.25, 0.25, 0.25, 0.25, 0.25]);
    expect(state.open).toBe(0);
  });

  test('reports progress, and an mAP that cannot be measured as undefined', async () => {
    const { engine } = fake([1, 1]);
    const seen: number[][] = [];
    const rows = await sweep(
      inputOf(engine, layers.slice(0, 2), {
        scorer: () => ({ add: () => undefined, map: () => undefined }),
        onProgress: (done, total) => seen.push([done, total]),
      }),
    );
    expect(seen).toEqual([
      [1, 2],
      [2, 2],
    ]);
    expect(rows.map(({ mapDrop }) => mapDrop)).toEqual([undefined, undefined]);
  });

  test('does not run again what a shelf knows, broken outputs and undecodable ones included', async () => {
    const kept = new Map<string, unknown>();
    const shelf: Shelf = {
      size: 0,
      get: (name) => kept.get(name),
      put: (name, value) => void kept.set(name, value),
    };
    const noise = [1, NaN, 0, 2];
    const map = [0.5, undefined, 1, 0.25];
    const run = async (some: readonly Layer[]) => {
      const { engine, state } = fake(noise);
      let at = 0;
      const scorer = () => ({ add: () => undefined, map: () => map[at++] });
      const rows = await sweep(inputOf(engine, some, { shelf, scorer }));
      return { rows, ran: state.loaded.length };
    };
    // Interrupted after three; then all four, of which the last alone runs, as the first that the engine is asked for.
    const three = await run(layers.slice(0, 3));
    expect(three.ran).toBe(3);
    const again = await run(layers.slice(0, 3));
    expect(again).toEqual({ rows: three.rows, ran: 0 });
    expect(three.rows.map(({ sqnr }) => sqnr)).toEqual([-Infinity, expect.any(Number), Infinity]);
    expect((await run(layers.slice(0, 4))).ran).toBe(1);
    // Another scale is another candidate.
    const ranges = new Map([...constantRanges()].map(([name, range]) => [name, { ...range, amax: 2 }]));
    const { engine, state } = fake(noise);
    await sweep(inputOf(engine, layers.slice(0, 3), { shelf, ranges }));
    expect(state.loaded).toHaveLength(3);
  });

  test('stops between layers when asked to, with no session left open', async () => {
    const { engine, state } = fake([1, 1, 1, 1]);
    const stop = new AbortController();
    const running = sweep(
      inputOf(engine, layers.slice(0, 4), {
        signal: stop.signal,
        onProgress: (done) => {
          if (done === 2) stop.abort();
        },
      }),
    );
    await expect(running).rejects.toBeInstanceOf(Interrupted);
    expect(state.loaded).toHaveLength(2);
    expect(state.open).toBe(0);
  });

  test('releases the session of a layer that fails', async () => {
    const { engine, state } = fake([1]);
    const broken = (): never => {
      throw new Error('cannot score');
    };
    const input = inputOf(engine, layers.slice(0, 1), { scorer: () => ({ add: broken, map: () => 0 }) });
    await expect(sweep(input)).rejects.toThrow('cannot score');
    expect(state.open).toBe(0);
  });
});

describe('the sweep, on the signs detector', () => {
  let engine: Engine;
  let store: ImageStore;

  beforeAll(async () => {
    engine = await createOnnxRuntimeEngine({ threads: 2, batch: 1 });
    store = openImages((await listImages('fixtures/signs/calib')).slice(0, 4), spec, { memoryMiB: 16 });
  });
  afterAll(() => engine.close());

  const feed = (): ImageFeed => ({ count: store.count, spec, image: (i) => store.get(i) });

  /** Every ninth layer: few enough to be quick, spread along the whole depth. */
  const some = (): readonly Layer[] => layers.filter((_, i) => i % 9 === 4);

  async function run(ranges: Ranges): Promise<Awaited<ReturnType<typeof sweep>>> {
    const bytes = encodeModel(model.proto);
    const heads = headTensors(graph);
    const session = await engine.load({ name: 'signs', bytes }, { extraOutputs: heads });
    const { signal } = new AbortController();
    const reference = await referenceOutputs(session, heads, feed(), signal);
    await session.release();
    return sweep({
      engine,
      model,
      layers: some(),
      scope: ['Conv'],
      ranges,
      reference,
      feed: feed(),
      scorer: () => ({ add: () => undefined, map: () => undefined }),
      baseline: 0,
      signal,
      onProgress: () => undefined,
    });
  }

  test('puts a planted culprit first, and leaves the others as they were', async () => {
    const statistics = await engine.collect(
      { name: 'signs', bytes: encodeModel(model.proto) },
      tensorsToCalibrate(graph, ['Conv']),
      feed(),
    );
    const ranges = computeRanges(statistics, calibratorFor('minmax', { percentile: 100 }));
    const honest = await run(ranges);
    // The least sensitive of all, given a range a thousand times too wide: whatever it reads rounds to 0.
    const culprit = honest.at(-1)?.layer as Layer;
    const tensor = culprit.activations[0] as string;
    expect(some().filter(({ activations }) => activations.includes(tensor))).toHaveLength(1);
    const range = ranges.get(tensor);
    if (range === undefined) throw new Error(`${tensor} was not calibrated`);
    const planted = await run(new Map(ranges).set(tensor, { ...range, amax: range.amax * 1000 }));

    expect(planted[0]?.layer.name).toBe(culprit.name);
    expect(planted[0]?.sqnr as number).toBeLessThan((honest.at(-1)?.sqnr as number) - 10);
    expect(planted.slice(1)).toEqual(honest.slice(0, -1));
    for (const { sqnr } of honest) expect(sqnr).toBeGreaterThan(15);
  });
});
