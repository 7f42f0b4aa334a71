import { expect, test } from '@jest/globals';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { encodeModel, floatsToTensor, tensorToFloats } from '../../src/onnx/index.js';
import { channelScales, quantize, type PrecisionPlan } from '../../src/quantization/index.js';
import { modelOf, noise } from './graphs.js';

/** Rows and columns of very different size, so that scales along one axis do not serve the other. */
const values = noise(64, 5).map((one, i) => one * 2 ** (i >> 3) * 3 ** -(i & 7));
const dims = [8, 8, 1, 1];
const shared = modelOf({
  outputs: ['sum'],
  nodes: ['a = Conv(x, w0)', 'b = ConvTranspose(x, w0)', 'c = Conv(x, w0)', 'sum = Sum(a, b, c)'],
  constants: [floatsToTensor('w0', dims, values)],
});
const ranges = new Map([['x', { amax: 1, min: -1, max: 1, calibrator: 'test' }]]);
const plan = (layers: PrecisionPlan['layers'] = {}): PrecisionPlan => ({
  version: 1,
  operators: 'tensorrt',
  default: 'int8',
  layers,
});

/** `values` on the grid of the scales along an axis. */
function onGrid(axis: number): Float32Array {
  const scales = channelScales(values, dims, axis);
  return values.map((one, i) => {
    const scale = scales[axis === 0 ? i >> 3 : i & 7] as number;
    // Of the integer code 0 there is no negative one.
    return Math.fround(Math.round(one / scale) * scale) + 0;
  });
}

/** What each layer makes of the k-th input channel alone is a row or a column of its weights. */
async function weightsSeen(channel: number): Promise<Record<'a' | 'b' | 'c', Float32Array>> {
  const model = modelOf({
    outputs: ['a', 'b', 'c'],
    nodes: ['a = Conv(x, w0)', 'b = ConvTranspose(x, w0)', 'c = Conv(x, w0)'],
    inputs: { x: [1, 8, 1, 1] },
    constants: [floatsToTensor('w0', dims, values)],
  });
  const session = await InferenceSession.create(encodeModel(quantize(model, plan(), ranges).proto), {
    logSeverityLevel: 3,
    extra: { session: { disable_quant_qdq: '1' } },
  });
  const input = new Float32Array(8);
  input[channel] = 1;
  const seen = await session.run({ x: new Tensor('float32', input, [1, 8, 1, 1]) });
  await session.release();
  const of = (name: string): Float32Array => Float32Array.from(seen[name]?.data as Float32Array);
  return { a: of('a'), b: of('b'), c: of('c') };
}

test('layers that share a weight along different axes read it under scales of their own axis', async () => {
  const { proto, scales } = quantize(shared, plan(), ranges);
  const own = scales.filter(({ kind }) => kind === 'weight');
  expect(own.map(({ tensor, axis }) => [tensor, axis])).toEqual([
    ['w0', 0],
    ['w0', 1],
  ]);
  for (const { axis, scale } of own) expect(scale).toEqual(channelScales(values, dims, axis));
  // Layers of one axis go on sharing: a third pair would be read twice from memory for nothing.
  const of = (name: string): string => proto.graph?.node.find((one) => one.name === name)?.input[1] ?? '';
  expect([of('a'), of('b'), of('c')]).toEqual(['w0_dq', 'w0_axis_1_dq', 'w0_dq']);
  const names = proto.graph?.node.map(({ name }) => name) ?? [];
  expect(new Set(names).size).toBe(names.length);
  for (const channel of [0, 3, 7]) {
    const { a, b, c } = await weightsSeen(channel);
    const rows = onGrid(1).slice(8 * channel, 8 * channel + 8);
    const columns = onGrid(0).filter((_, i) => (i & 7) === channel);
    expect([...a]).toEqual([...columns]);
    expect([...b]).toEqual([...rows]);
    expect([...c]).toEqual([...columns]);
  }
});

test('where only one of them runs in INT8, the others read the float weight', () => {
  const { proto, scales } = quantize(shared, plan({ a: 'fp32', c: 'fp32' }), ranges);
  const of = (name: string): string => proto.graph?.node.find((one) => one.name === name)?.input[1] ?? '';
  expect([of('a'), of('b'), of('c')]).toEqual(['w0', 'w0_dq', 'w0']);
  expect(scales.filter(({ kind }) => kind === 'weight').map(({ axis }) => axis)).toEqual([1]);
  expect([...tensorToFloats(proto.graph?.initializer.find(({ name }) => name === 'w0') as never)]).toEqual([
    ...values,
  ]);
});
