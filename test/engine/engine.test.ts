import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { extremesOf, RangeCollector, type TensorExtremes } from '../../src/calibration/index.js';
import { listImages, openImages, type ImageStore } from '../../src/dataset/index.js';
import {
  createOnnxRuntimeEngine,
  type Engine,
  type HostTensor,
  type ImageFeed,
} from '../../src/engine/index.js';
import { floatToHalf } from '../../src/engine/canvas.js';
import { encodeModel, halfToFloat, parseModel } from '../../src/onnx/index.js';
import { signsSpec as spec } from '../signs.js';

const TENSOR = '/b0/act/Mul_output_0';

let store: ImageStore;
let v10: { name: string; bytes: Uint8Array };
let v8: { name: string; bytes: Uint8Array };
let one: Engine;
let two: Engine;

beforeAll(async () => {
  const records = (await listImages('fixtures/signs/val')).slice(0, 10);
  store = openImages(records, spec, { memoryMiB: 32 });
  v10 = { name: 'v10', bytes: await readFile('fixtures/signs/models/signs-v10.onnx') };
  v8 = { name: 'v8', bytes: await readFile('fixtures/signs/models/signs-v8.onnx') };
  one = await createOnnxRuntimeEngine({ threads: 1, batch: 1 });
  two = await createOnnxRuntimeEngine({ threads: 2, batch: 4 });
});
afterAll(async () => {
  await one.close();
  await two.close();
});

const feed = (): ImageFeed => ({ count: store.count, spec, image: (i) => store.get(i) });

/** signs-v10 with another first dimension of its inputs and outputs. */
function withBatch(name: string, batch: (value: { readonly name: string }) => string | number): typeof v10 {
  const { proto } = parseModel(v10.bytes, 'v10');
  for (const value of [...(proto.graph?.input ?? []), ...(proto.graph?.output ?? [])]) {
    const type = value.type?.value;
    const first = type?.case === 'tensorType' ? type.value.shape?.dim[0] : undefined;
    if (first === undefined) throw new Error(`${value.name} has no first dimension`);
    const wanted = batch(value);
    first.value =
      typeof wanted === 'number'
        ? { case: 'dimValue', value: BigInt(wanted) }
        : { case: 'dimParam', value: wanted };
  }
  return { name, bytes: encodeModel(proto) };
}

async function outputs(engine: Engine, model: typeof v10): Promise<HostTensor[]> {
  const session = await engine.load(model);
  const all: HostTensor[] = [];
  const order: number[] = [];
  await session.run(feed(), (i, map) => {
    order.push(i);
    all.push(map.get('output0') as HostTensor);
  });
  expect(order).toEqual(all.map((_, i) => i));
  expect(session.latency()?.medianMs).toBeGreaterThan(0);
  await session.release();
  return all;
}

describe('the embedded engine', () => {
  test('gives results in input order, the same whatever the batch and the number of workers', async () => {
    const [single, batched] = [await outputs(one, v10), await outputs(two, v10)];
    expect(single).toHaveLength(10);
    single.forEach(({ dims, data }, i) => {
      expect(dims).toEqual([1, 100, 6]);
      expect(batched[i]?.dims).toEqual([1, 100, 6]);
      // Batches take other kernels: equal to rounding.
      const scores = (values: HostTensor['data']) =>
        Array.from({ length: 5 }, (_, k) => values[6 * k + 4] as number);
      scores(data).forEach((score, k) =>
        expect(scores(batched[i]?.data as Float32Array)[k]).toBeCloseTo(score, 4),
      );
    });
  });

  test('runs a model of fixed batch', async () => {
    const all = await outputs(two, v8);
    expect(all.map(({ dims }) => dims)).toEqual(all.map(() => [1, 12, 756]));
  });

  test('runs image by image where the outputs do not name the batch of the input', async () => {
    // As a detector that puts the objects of all images into one list: its first dimension is not the batch.
    const rows = withBatch('rows.onnx', ({ name }) => (name === 'output0' ? 'rows' : 'batch'));
    const all = await outputs(two, rows);
    expect(all.map(({ dims }) => dims)).toEqual(all.map(() => [1, 100, 6]));
  });

  test('collects from a model of fixed batch without counting the copies that fill the last run', async () => {
    const fixed = withBatch('fixed.onnx', () => 4);
    const [single, batched] = [
      await one.collect(v10, [TENSOR, 'images'], feed()),
      await two.collect(fixed, [TENSOR, 'images'], feed()),
    ];
    expect(batched.get('images')).toEqual(single.get('images'));
    const [a, b] = [single.get(TENSOR), batched.get(TENSOR)];
    expect([b?.count, b?.images, b?.shape]).toEqual([a?.count, 10, a?.shape]);
    expect(b?.max).toBeCloseTo(a?.max as number, 4);
  });

  test('says which tensor has no statistics', async () => {
    const none: ImageFeed = { ...feed(), count: 0 };
    await expect(one.collect(v10, [TENSOR], none)).rejects.toThrow(
      /b0\/act\/Mul_output_0.*there are no images/s,
    );
  });

  test('collects the statistics that a plain loop collects, with one worker or two', async () => {
    const session = await one.load(v10, { extraOutputs: [TENSOR] });
    const plain = new RangeCollector();
    let image = 0;
    await session.run(feed(), (_, map) => {
      const { data, dims } = map.get(TENSOR) as HostTensor;
      plain.observe(image++, TENSOR, data as Float32Array, dims);
    });
    await session.release();
    const expected = plain.statistics();
    expect(await one.collect(v10, [TENSOR, 'images'], feed())).toEqual(
      new Map([...expected, ['images', expect.objectContaining({ images: 10 }) as never]]),
    );
    expect((await two.collect(v10, [TENSOR], feed())).get(TENSOR)).toEqual(expected.get(TENSOR));
  });

  test('collects from a model of free size what it collects from one of fixed size, no image twice', async () => {
    const { proto } = parseModel(v10.bytes, 'v10');
    const type = proto.graph?.input[0]?.type?.value;
    const dims = (type?.case === 'tensorType' ? type.value.shape?.dim : undefined) ?? [];
    dims.forEach((dim, i) => {
      if (i > 1) dim.value = { case: 'dimParam', value: `side${i}` };
    });
    if (proto.graph !== undefined) proto.graph.valueInfo = [];
    const free = { name: 'free', bytes: encodeModel(proto) };
    const session = await two.load(free, { extraOutputs: [TENSOR] });
    expect(session.outputs.find(({ name }) => name === TENSOR)?.dims.slice(2)).toEqual([-1, -1]);
    await session.release();
    expect(await two.collect(free, [TENSOR, 'images'], feed(), { reach: true })).toEqual(
      await two.collect(v10, [TENSOR, 'images'], feed(), { reach: true }),
    );
  });

  test('tells extremes by image when asked, with one worker, two, or a fixed batch', async () => {
    const fixed = withBatch('fixed.onnx', () => 4);
    const extremesBy = async (engine: Engine, model: typeof v10): Promise<TensorExtremes[]> => {
      const extremes = extremesOf(await engine.collect(model, [TENSOR, 'images'], feed(), { reach: true }));
      return [TENSOR, 'images'].map((name) => extremes.get(name) as TensorExtremes);
    };
    const [single, double] = [await extremesBy(one, v10), await extremesBy(two, v10)];
    expect(double).toEqual(single);
    expect((await extremesBy(two, fixed))[1]).toEqual(single[1]);
    const statistics = (await one.collect(v10, [TENSOR], feed())).get(TENSOR);
    expect(single[0]?.max).toHaveLength(10);
    expect([Math.min(...(single[0]?.min ?? [])), Math.max(...(single[0]?.max ?? []))]).toEqual([
      statistics?.min,
      statistics?.max,
    ]);
    expect(single[1]?.channelMax).toHaveLength(3);
  });

  test('stops when asked', async () => {
    const session = await one.load(v10);
    const abort = new AbortController();
    let seen = 0;
    const run = session.run(
      feed(),
      () => {
        if (++seen === 2) abort.abort();
      },
      { signal: abort.signal },
    );
    await expect(run).rejects.toThrow(/interrupted/);
    expect(seen).toBeLessThan(10);
    await session.release();
  });

  test("refuses a model with onnxruntime's own reason", async () => {
    await expect(one.load({ name: 'broken.onnx', bytes: v10.bytes.subarray(0, 1000) })).rejects.toThrow(
      /broken\.onnx: onnxruntime refuses the model: \S/,
    );
  });
});

test('half precision: every finite value survives the way there and back', () => {
  for (let bits = 0; bits < 65536; bits++) {
    const value = halfToFloat(bits);
    if (Number.isNaN(value)) continue;
    const back = floatToHalf(value);
    if (back !== bits) expect([bits, value]).toEqual([back, value]);
  }
  expect(floatToHalf(65520)).toBe(0x7c00);
  expect(floatToHalf(1 + 2 ** -11)).toBe(0x3c00);
});
