import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createOnnxRuntimeEngine, type Engine } from '../../src/engine/index.js';
import { buildGraph, encodeModel, floatsToTensor } from '../../src/onnx/index.js';
import { quantize, throughHalf } from '../../src/quantization/index.js';
import { SIDE, feedOf } from '../sensitivity/nets.js';
import { modelOf } from './graphs.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntimeEngine({ threads: 1, batch: 1 });
});
afterAll(() => engine.close());

/** y = w × x by channel, x of SIDE². */
const scaled = (w: number) =>
  modelOf({
    inputs: { x: [1, 3, SIDE, SIDE] },
    outputs: ['y'],
    nodes: ['a = Conv(x, w0)', 'y = Conv(a, w1)'],
    constants: [
      floatsToTensor('w0', [3, 3, 1, 1], Float32Array.of(w, 0, 0, 0, w, 0, 0, 0, w)),
      floatsToTensor('w1', [3, 3, 1, 1], Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1)),
    ],
  });

async function run(w: number, nodes: readonly string[], int8: readonly string[] = []): Promise<Float32Array> {
  const model = scaled(w);
  const graph = buildGraph(model);
  const plan = {
    version: 1,
    operators: 'tensorrt',
    default: 'fp16',
    layers: Object.fromEntries(int8.map((name) => [name, 'int8' as const])),
  } as const;
  const range = { amax: 4, min: -4, max: 4, calibrator: 'minmax' };
  const quantized = quantize(model, plan, new Map(['x', 'a'].map((name) => [name, range])));
  const session = await engine.load({
    name: 'half',
    bytes: encodeModel(throughHalf(quantized.proto, graph, new Set(nodes))),
  });
  let out = new Float32Array();
  await session.run(feedOf(1, 3), (_i, outputs) => {
    out = Float32Array.from(outputs.get('y')?.data ?? []);
  });
  await session.release();
  return out;
}

/** Rounds to FP16: 11 bits, in its normal range. */
function half(value: number): number {
  if (value === 0) return 0;
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(value))) - 10);
  const scaledValue = value / unit;
  const down = Math.floor(scaledValue);
  const up = scaledValue - down > 0.5 || (scaledValue - down === 0.5 && down % 2 !== 0);
  return (down + (up ? 1 : 0)) * unit;
}

describe('layers through FP16', () => {
  test('none: exact', async () => {
    const exact = await run(1, []);
    expect(await run(1.1, [])).toEqual(exact.map((x) => Math.fround(x * Math.fround(1.1))));
  });

  test('what it reads, holds and writes is rounded', async () => {
    const exact = await run(1, []);
    const w = half(1.1);
    const expected = exact.map((x) => half(half(half(half(x) * w))));
    const rounded = await run(1.1, ['a', 'y']);
    expect(rounded.length).toBe(3 * SIDE * SIDE);
    expect(rounded).toEqual(expected);
    expect(rounded).not.toEqual(await run(1.1, []));
  });

  test('one layer alone leaves the other exact', async () => {
    const rounded = await run(1.1, ['y']);
    expect(rounded).toEqual((await run(1.1, [])).map(half));
  });

  test('beyond 65504 it is infinite', async () => {
    expect((await run(1e6, [])).every(Number.isFinite)).toBe(true);
    expect((await run(1e6, ['a'])).every(Number.isFinite)).toBe(false);
  });

  test('beside a layer in INT8', async () => {
    const mixed = await run(1.1, ['y'], ['a']);
    expect(mixed).toEqual((await run(1.1, [], ['a'])).map(half));
  });
});
