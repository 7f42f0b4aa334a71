/** UINT8 codes as TensorRT takes them: INT8 under the same scale. */
import { describe, expect, test } from '@jest/globals';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { TensorProto_DataType } from '../../src/onnx/generated/onnx_pb.js';
import {
  buildGraph,
  encodeModel,
  floatsToTensor,
  int8Tensor,
  parseModel,
  readModel,
  tensorToIntegers,
  type Model,
  type TensorProto,
} from '../../src/onnx/index.js';
import { floatModelOf, listLayers, planOfFile, quantize } from '../../src/quantization/index.js';
import { modelOf, noise } from './graphs.js';

const { INT8, UINT8 } = TensorProto_DataType;
const scale = (name: string, value: number): TensorProto => floatsToTensor(name, [], Float32Array.of(value));
const zero = (name: string, dataType: TensorProto_DataType, value = 0): TensorProto =>
  Object.assign(int8Tensor(name, [], Int8Array.of(value)), { dataType });

/** `x` in UINT8, what follows in INT8. */
function both(point: TensorProto | undefined, between: readonly string[] = []): Model {
  const codes = between.at(-1)?.split(' ')[0] ?? 'xq';
  const third = point === undefined ? '' : `, ${point.name}`;
  return modelOf({
    nodes: [
      `xq = QuantizeLinear(x, sx${third})`,
      ...between,
      `xd = DequantizeLinear(${codes}, sx${third})`,
      'wq = QuantizeLinear(w1, sw, zw)',
      'wd = DequantizeLinear(wq, sw, zw)',
      'a = Conv(xd, wd)',
      'aq = QuantizeLinear(a, sa, zw)',
      'ad = DequantizeLinear(aq, sa, zw)',
      'b = Conv(ad, w2)',
    ],
    outputs: ['b', 'xd'],
    constants: [
      scale('sx', 1 / 255),
      scale('sw', 1 / 127),
      scale('sa', 1 / 32),
      zero('zw', INT8),
      ...(point === undefined ? [] : [point]),
    ],
  });
}

const X = noise(512, 3);

/** The tensor `xd`: `x` as the next layer gets it. */
async function dequantized(proto: Model['proto']): Promise<Float32Array> {
  const session = await InferenceSession.create(encodeModel(proto), {
    logSeverityLevel: 3,
    extra: { session: { disable_quant_qdq: '1' } },
  });
  const found = await session.run({ x: new Tensor('float32', X, [1, 8, 8, 8]) }, ['xd']);
  await session.release();
  return Float32Array.from(found['xd']?.data as Float32Array);
}

/** What a QuantizeLinear of these limits gives back: half to even, saturating. */
function rounded(value: number, lowest: number, highest: number): number {
  const step = Math.fround(1 / 255);
  const code = Math.fround(value / step);
  const even = 2 * Math.round(code / 2);
  const near = Math.abs(code - Math.trunc(code)) === 0.5 ? even : Math.round(code);
  return Math.fround(Math.min(Math.max(near, lowest), highest) * step);
}

const asRead = (file: Model): Model['proto'] => {
  const model = floatModelOf(file);
  return quantize(model, planOfFile(model, listLayers(buildGraph(model), 'tensorrt'), 'tensorrt'), new Map())
    .proto;
};

describe('UINT8 with zero point 0', () => {
  test.each([
    ['as a zero point', both(zero('zu', UINT8))],
    ['without a zero point', both(undefined)],
    [
      'through operators that move codes',
      both(zero('zu', UINT8), ['xr = Reshape(xq, dims)', 'xt = Identity(xr)']),
    ],
  ])('%s runs from -128 to 127 under the scale of the file', async (name, file) => {
    if (name.startsWith('through'))
      file.proto.graph?.initializer.push(
        Object.assign(int8Tensor('dims', [4], new Int8Array()), {
          dataType: TensorProto_DataType.INT64,
          rawData: new Uint8Array(BigInt64Array.of(1n, 8n, 8n, 8n).buffer),
        }),
      );
    const given = parseModel(encodeModel(file.proto), 'file.onnx');
    const said = await dequantized(given.proto);
    expect(said).toEqual(Float32Array.from(X, (value) => rounded(value, 0, 255)));
    const read = await dequantized(asRead(given));
    expect(read).toEqual(Float32Array.from(X, (value) => rounded(value, -128, 127)));
    expect(Math.max(...read)).toBeCloseTo(127 / 255, 6);
    expect(Math.max(...said)).toBeGreaterThan(0.9);
  });

  test('leaves what is INT8 alone, gives half the levels, and remembers the file', () => {
    const file = both(zero('zu', UINT8));
    const model = floatModelOf(file);
    const graph = buildGraph({ proto: model.quantized as Model['proto'] });
    const points = graph.nodes.flatMap(({ opType, inputs }) => (/Linear$/.test(opType) ? [inputs[2]] : []));
    expect(points).toEqual(['zu_as_int8', 'zu_as_int8', 'zw', 'zw', 'zw', 'zw']);
    expect(graph.constant('zu_as_int8')).toMatchObject({ dataType: INT8, dims: [] });
    expect(model.misread?.graph?.node.map(({ input }) => input)).toEqual(
      file.proto.graph?.node.map(({ input }) => input),
    );
    const plan = planOfFile(model, listLayers(buildGraph(model), 'tensorrt'), 'tensorrt');
    const record = quantize(model, plan, new Map()).scales.find(({ tensor }) => tensor === 'x');
    // 127 codes up, as of any INT8; UINT8 would have 255.
    expect(record?.levels).toBeUndefined();
  });

  test('where codes leave the model, its output becomes INT8 too', async () => {
    const file = both(zero('zu', UINT8));
    const graph = file.proto.graph as NonNullable<Model['proto']['graph']>;
    graph.output = graph.output.map((info) =>
      info.name === 'xd' ? Object.assign(info, { name: 'xq' }) : info,
    );
    const type = graph.output.find(({ name }) => name === 'xq')?.type?.value;
    if (type?.case !== 'tensorType') throw new Error('no tensor');
    type.value.elemType = UINT8;
    const session = await InferenceSession.create(encodeModel(asRead(file)), { logSeverityLevel: 3 });
    const { xq } = await session.run({ x: new Tensor('float32', X, [1, 8, 8, 8]) });
    expect(xq?.type).toBe('int8');
    await session.release();
  });
});

test.each([
  ['another zero point, which TensorRT refuses', both(zero('zu', UINT8, 5))],
  ['INT8', both(zero('zi', INT8))],
  ['integers that a Cast reads', both(zero('zu', UINT8), ['xc = Cast(xq){to=3}'])],
])('%s: nothing is rewritten', (_, file) => {
  const model = floatModelOf(file);
  expect(model.misread).toBeUndefined();
  expect(model.quantized?.graph?.initializer.map(({ name }) => name)).toEqual(
    file.proto.graph?.initializer.map(({ name }) => name),
  );
});

test("NNCF's file: its UINT8 alone becomes INT8", async () => {
  const file = await readModel('test/lint/golden/nncf.onnx');
  const model = floatModelOf(file);
  const pointsOf = (proto: Model['proto']): readonly (TensorProto | undefined)[] => {
    const graph = buildGraph({ proto });
    return graph.nodes.flatMap(({ opType, inputs }) =>
      opType === 'QuantizeLinear' ? [graph.constant(inputs[2] ?? '')] : [],
    );
  };
  const [before, after] = [file.proto, model.quantized as Model['proto']].map(pointsOf);
  expect(before?.filter((point) => point?.dataType === UINT8).length).toBeGreaterThan(0);
  expect(before?.filter((point) => point?.dataType === INT8).length).toBeGreaterThan(0);
  expect(after).toHaveLength(before?.length ?? 0);
  for (const point of after ?? []) {
    expect(point?.dataType).toBe(INT8);
    expect(new Set(tensorToIntegers(point as TensorProto))).toEqual(new Set([0]));
  }
});
