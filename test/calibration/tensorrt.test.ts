import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import {
  BINS,
  calibratorFor,
  parseCalibrationCache,
  quantizationError,
  type CalibratorName,
  type TensorStatistics,
} from '../../src/calibration/index.js';
import { listImages, openImages } from '../../src/dataset/index.js';
import { createOnnxRuntimeEngine, type Engine } from '../../src/engine/index.js';
import { readModel } from '../../src/onnx/index.js';
import { signsSpec as spec } from '../signs.js';

const MODEL = 'fixtures/signs/models/signs-v10.onnx';
const golden = (name: string): string => readFileSync(`test/calibration/golden/${name}`, 'utf8');
/** amax by tensor that TensorRT 10.6 wrote for the same 128 scenes in batches of 8. */
const tensorrt = (name: string): ReadonlyMap<string, number> =>
  new Map(
    [...parseCalibrationCache(golden(name), name).scales].map(([tensor, scale]) => [tensor, scale * 127]),
  );
const theirs = { minmax: tensorrt('signs-v10.minmax.cache'), entropy: tensorrt('signs-v10.entropy2.cache') };
/** amax by calibrator and tensor that onnxruntime computes on the first 8 scenes. */
const peer = JSON.parse(golden('onnxruntime.json')) as Record<string, Record<string, number>>;

let engine: Engine;
let all: ReadonlyMap<string, TensorStatistics>;
let eight: ReadonlyMap<string, TensorStatistics>;
beforeAll(async () => {
  engine = await createOnnxRuntimeEngine({ threads: 2, batch: 1 });
  const model = { name: 'signs-v10', bytes: readFileSync(MODEL) };
  const made = new Set((await readModel(MODEL)).proto.graph?.node.flatMap(({ output }) => output));
  // The others are constants, indexes, or tensors that TensorRT itself makes; b0 to b2 hold most of the values.
  const tensors = [...theirs.entropy.keys()].filter(
    (name) => name === 'images' || (made.has(name) && /^\/(b[3-9]|b10|d\d|n\d|one2one|Concat_\d)/.test(name)),
  );
  const records = await listImages('fixtures/signs/calib');
  const collect = (tensors: readonly string[], count: number) => {
    const store = openImages(records.slice(0, count), spec, { memoryMiB: 32 });
    return engine.collect(model, tensors, { count, spec, image: (i) => store.get(i) });
  };
  all = await collect(tensors, 128);
  eight = await collect(Object.keys(peer.minmax ?? {}), 8);
});
afterAll(() => engine.close());

const amaxOf = (name: CalibratorName, one: TensorStatistics, percentile = 99.999): number =>
  calibratorFor(name, { percentile, batch: 8 }).range(one).amax;
/** Relative distances to TensorRT's amax, ascending. */
const distances = (name: 'minmax' | 'entropy'): number[] =>
  [...all]
    .map(([tensor, one]) => Math.abs(amaxOf(name, one) / (theirs[name].get(tensor) as number) - 1))
    .sort((a, b) => a - b);

describe('TensorRT 10.6, 128 scenes', () => {
  test('minmax gives its scales for every tensor', () => {
    expect(all.size).toBeGreaterThan(200);
    expect(distances('minmax').at(-1)).toBeLessThan(1e-3);
  });

  test('entropy gives its scales, within 2 % for nine tensors in ten and within 0.1 % for eight', () => {
    const sorted = distances('entropy');
    const share = (within: number) => sorted.filter((one) => one < within).length / sorted.length;
    expect(share(0.02)).toBeGreaterThan(0.9);
    expect(share(0.001)).toBeGreaterThan(0.8);
  });
});

describe('onnxruntime, 8 scenes', () => {
  // Two float32 runs of the same net differ in the last digits.
  test.each([
    ['minmax', 1e-4],
    ['average', 1e-4],
  ] as const)('%s gives its ranges', (name, within) => {
    const wanted = Object.entries(peer[name] as Record<string, number>);
    expect(wanted.length).toBeGreaterThan(100);
    for (const [tensor, amax] of wanted)
      expect(Math.abs(amaxOf(name, eight.get(tensor) as TensorStatistics) / amax - 1)).toBeLessThan(within);
  });

  test.each([99, 99.99, 99.999])('percentile %p lies in its bin', (percentile) => {
    for (const [tensor, amax] of Object.entries(peer[`percentile ${percentile}`] as Record<string, number>)) {
      const one = eight.get(tensor) as TensorStatistics;
      const reach = Math.max(-one.min, one.max);
      // It answers the lower edge of one of 2048 bins.
      const off = amaxOf('percentile', one, percentile) - amax;
      expect(off).toBeGreaterThan(-(reach * 1e-4 + one.limit / BINS));
      expect(off).toBeLessThan((reach / 2048) * 1.01 + one.limit / BINS);
    }
  });
});

test('mse clips no tensor to a larger error than any other calibrator', () => {
  for (const one of [...all.values()].filter((_, i) => i % 10 === 0)) {
    const error = (name: CalibratorName) => quantizationError(one, amaxOf(name, one));
    for (const other of ['minmax', 'average', 'percentile', 'entropy'] as const)
      expect(error('mse')).toBeLessThan(error(other) * 1.02 + 1e-12);
  }
});
