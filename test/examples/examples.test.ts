import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { computeRanges } from '../../src/calibration/index.js';
import { parseCoco, parseDetections, type PreparedImage } from '../../src/dataset/index.js';
import type { HostTensor, ImageFeed } from '../../src/engine/index.js';
import { bell, statisticsOf } from '../diagnosis/evidence.js';
import { sigmaCalibrator } from './calibrator.js';
import { decodeCentred } from './decoder.js';
import { replayEngine } from './engine.js';
import { recallAt } from './metric.js';

test.each(['calibrator', 'decoder', 'metric', 'engine'])('the %s is about 30 lines', (name) => {
  const lines = readFileSync(`test/examples/${name}.ts`, 'utf8').split('\n').length;
  expect(lines).toBeLessThanOrEqual(34);
});

test('the calibrator clips at its multiple of sigma, and never beyond the largest value', () => {
  const { statistics } = statisticsOf('x', { images: [bell(20_000, 2)] });
  const amax = (k: number): number =>
    computeRanges(new Map([['x', statistics]]), sigmaCalibrator(k)).get('x')!.amax;
  expect(amax(3)).toBeCloseTo(6, 0);
  expect(amax(100)).toBe(Math.max(-statistics.min, statistics.max));
});

const tensor = (dims: readonly number[], ...data: readonly number[]): HostTensor => ({
  type: 'float32',
  dims,
  data: Float32Array.from(data),
});

describe('the decoder', () => {
  const geometry = { scaleX: 0.5, scaleY: 0.5, padX: 10, padY: 0, originalWidth: 200, originalHeight: 200 };
  const decode = (boxes: HostTensor): number[][] => {
    const found: number[][] = [];
    decodeCentred(new Map([['boxes', boxes]]), geometry, (...one) => found.push(one));
    return found;
  };

  test('gives corners in pixels of the original image', () =>
    expect(decode(tensor([1, 1, 6], 30, 20, 10, 20, 0.75, 2))).toEqual([[2, 30, 20, 20, 40, 0.75]]));
  test('refuses another shape, and NaN, by name', () => {
    expect(() => decode(tensor([1, 5], 1, 2, 3, 4, 5))).toThrow(/must be \[1, n, 6\], is \[1, 5\]/);
    expect(() => decode(tensor([1, 1, 6], NaN, 1, 1, 1, 1, 0))).toThrow(/NaN or infinity in row 0/);
  });
});

test('the metric counts what is found at its score', () => {
  const box = (x: number) => ({ bbox: [x, 0, 10, 10], image_id: 1, category_id: 1 });
  const truth = parseCoco(
    {
      images: [{ id: 1, file_name: 'a.jpg', width: 100, height: 100 }],
      categories: [{ id: 1, name: 'sign' }],
      annotations: [0, 50].map((x, id) => ({ ...box(x), id: id + 1, area: 100, iscrowd: 0 })),
    },
    'truth.json',
    'images',
  );
  const found = parseDetections(
    [
      { ...box(0), score: 0.9 },
      { ...box(50), score: 0.3 },
      { ...box(80), score: 0.8 },
    ],
    'dt.json',
    truth,
  );
  expect([0.2, 0.5, 0.95].map((score) => recallAt(truth, found, score))).toEqual([1, 0.5, 0]);
  const nothing = { ...truth, annotations: { ...truth.annotations, count: 0, category: new Int32Array() } };
  expect(recallAt(nothing, found, 0.5)).toBeNaN();
});

describe('the engine', () => {
  const outputs = new Map([['boxes', tensor([1, 1, 6], 1, 2, 3, 4, 5, 6)]]);
  const feed = (count: number): ImageFeed => ({
    count,
    spec: undefined as unknown as ImageFeed['spec'],
    image: () => Promise.reject<PreparedImage>(new Error('a replay needs no image')),
  });

  test('answers in order, once an image', async () => {
    const session = await replayEngine('onnxruntime', [outputs, outputs]).load({
      name: 'm',
      bytes: new Uint8Array(),
    });
    const seen: number[] = [];
    await session.run(feed(2), (i, answer) => seen.push(i, answer.get('boxes')!.data.length));
    expect(seen).toEqual([0, 6, 1, 6]);
    expect(session.outputs).toEqual([{ name: 'boxes', type: 'float32', dims: [1, 1, 6] }]);
  });
  test('says which image was not recorded, and stops when told', async () => {
    const session = await replayEngine('onnxruntime', [outputs]).load({ name: 'm', bytes: new Uint8Array() });
    await expect(session.run(feed(2), () => {})).rejects.toThrow(/image 1: was not recorded/);
    await expect(session.run(feed(1), () => {}, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });
});
