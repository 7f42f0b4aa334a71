import { RangeCollector, extremesOf, calibratorFor } from '../../src/calibration/index.js';
import type { Evidence, QuantizedTensor, WeightEvidence } from '../../src/diagnosis/index.js';
import { buildGraph, parseModel } from '../../src/onnx/index.js';
import { readFileSync } from 'node:fs';

/** Values of one tensor, an image each; `shape` at batch 1. */
export interface Seen {
  readonly images: readonly (readonly number[])[];
  readonly shape?: readonly number[];
}

/** Numbers that look drawn from a normal distribution, the same every time. */
export function bell(count: number, sigma = 1, seed = 1): number[] {
  let state = seed;
  const uniform = (): number => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return (state + 0.5) / 2 ** 31;
  };
  return Array.from(
    { length: count },
    () => sigma * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

/** Statistics of a tensor as calibration would keep them. */
export function statisticsOf(name: string, { images, shape }: Seen) {
  const collector = new RangeCollector({ reach: true });
  images.forEach((values, i) => {
    const [data, dims] = [Float32Array.from(values), shape ?? [1, 1, 1, values.length]];
    collector.observe(i, name, data, dims);
  });
  const all = collector.statistics();
  const [statistics, extremes] = [all.get(name), extremesOf(all).get(name)];
  if (statistics === undefined || extremes === undefined) throw new Error('no images');
  return { statistics, extremes };
}

/** A tensor quantized by minmax (or at `amax`) and read by `layers`. */
export function tensor(
  name: string,
  seen: Seen,
  { amax, layers = [`conv of ${name}`] }: { readonly amax?: number; readonly layers?: string[] } = {},
): QuantizedTensor {
  const { statistics, extremes } = statisticsOf(name, seen);
  const range = amax ?? calibratorFor('minmax').range(statistics).amax;
  return { name, layers, amax: range, ownAmax: range, calibration: statistics, extremes };
}

const empty = buildGraph(parseModel(readFileSync('fixtures/signs/models/signs-v10.onnx'), 'signs-v10.onnx'));

/** Evidence in which nothing is wrong, with parts replaced. */
export function evidence(part: Partial<Evidence> = {}): Evidence {
  const tensors = part.tensors ?? [];
  const seen = new Map(tensors.map(({ name, calibration }) => [name, calibration]));
  return {
    graph: empty,
    scales: [],
    calibration: seen,
    validation: seen,
    tensors,
    weights: [],
    floatLayers: [],
    calibrator: 'minmax',
    sqnr: 20,
    calibratorTrials: [],
    floatTrials: [],
    preprocessingTrials: [],
    calibrationFolder: 'calib',
    calibrationImages: 128,
    pixels: {
      calibration: { mean: [120, 110, 100], brightness: 110 },
      validation: { mean: [122, 112, 101], brightness: 111.7 },
    },
    input: { height: 64, width: 64 },
    peaks: new Map(),
    detections: { fp32: 100, int8: 98 },
    ...part,
  };
}

/** Weights of a layer with one value for every channel of its input. */
export function weights(layer: string, input: string, part: Partial<WeightEvidence> = {}): WeightEvidence {
  return {
    layer,
    input,
    perChannel: true,
    channelAmax: Float64Array.of(1),
    amax: 1,
    sqnr: 42,
    output: undefined,
    inputEnergy: new Float64Array(),
    ...part,
  };
}
