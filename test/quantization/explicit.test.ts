import { describe, expect, test } from '@jest/globals';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import {
  buildGraph,
  encodeModel,
  floatsToTensor,
  int8Tensor,
  parseModel,
  readModel,
  type Model,
  type ModelProto,
} from '../../src/onnx/index.js';
import {
  checkWeights,
  floatModelOf,
  listLayers,
  planOfFile,
  quantize,
  tensorsOfFile,
  tensorsToCalibrate,
  toStrong,
  type PrecisionPlan,
} from '../../src/quantization/index.js';
import { modelOf, noise } from './graphs.js';

const NET = modelOf({
  nodes: [
    'a = Conv(x, w1)',
    'as = Sigmoid(a)',
    'am = Mul(a, as)',
    'b = Conv(am, w2)',
    'r = Add(am, b)',
    'c = Concat(am, r){axis=2}',
    'd = Conv(c, w3)',
  ],
  outputs: ['d'],
});
const planFor = (
  layers: Record<string, 'int8' | 'fp16'>,
  otherwise: 'int8' | 'fp16' = 'int8',
  operators: PrecisionPlan['operators'] = 'tensorrt',
): PrecisionPlan => ({
  version: 1,
  operators,
  default: otherwise,
  layers,
});
const rangesOf = (model: Model) =>
  new Map(
    tensorsToCalibrate(buildGraph(model), 'tensorrt').map((name, i) => [
      name,
      { amax: 1 + i / 3, min: 0, max: 1, calibrator: '' },
    ]),
  );
const fileOf = (proto: ModelProto): Model => parseModel(encodeModel(proto), 'file.onnx');

async function run(proto: ModelProto, dims = [1, 8, 8, 8], name = 'x'): Promise<Float32Array> {
  const session = await InferenceSession.create(encodeModel(proto), {
    logSeverityLevel: 3,
    extra: { session: { disable_quant_qdq: '1' } },
  });
  const count = dims.reduce((a, b) => a * b, 1);
  const feeds = { [name]: new Tensor('float32', noise(count, 3).map(Math.abs), dims) };
  const { data } = Object.values(await session.run(feeds))[0] as Tensor;
  await session.release();
  return Float32Array.from(data as Float32Array);
}

describe('a file with Q/DQ', () => {
  const file = fileOf(quantize(NET, planFor({}), rangesOf(NET)).proto);
  const float = floatModelOf(file);

  test('gives the float model that it was made from, to the bit', async () => {
    expect(buildGraph(float).nodes.map(({ opType }) => opType)).toEqual(
      buildGraph(NET).nodes.map(({ opType }) => opType),
    );
    expect(await run(float.proto)).toEqual(await run(NET.proto));
  });

  test('that quantizes more than this tool would: its tensors and what is joined into them are looked at', () => {
    const all = tensorsToCalibrate(buildGraph(NET), 'all');
    const ranges = new Map(all.map((name) => [name, { amax: 1, min: 0, max: 1, calibrator: '' }]));
    const { proto } = quantize(NET, planFor({}, 'int8', 'all'), ranges);
    const model = floatModelOf(fileOf(proto));
    const seen = tensorsOfFile(model.quantized as ModelProto, buildGraph(model));
    // Both parts of the Concat, and what it gives; the layers' inputs; no weights.
    expect(seen).toEqual(expect.arrayContaining(['x', 'am', 'r', 'c']));
    expect(seen.filter((name) => name.startsWith('w'))).toEqual([]);
    expect(tensorsOfFile(quantize(NET, planFor({}), rangesOf(NET)).proto, buildGraph(NET))).not.toContain(
      'as',
    );
  });

  test('is taken as it is by the plan that it stands for', async () => {
    const plan = planOfFile(float, listLayers(buildGraph(float), 'tensorrt'), 'tensorrt');
    expect(plan.layers).toEqual({});
    const { proto, int8Layers, scales } = quantize(float, plan, new Map());
    expect(int8Layers.map(({ name }) => name)).toEqual(['a', 'b', 'd']);
    expect(await run(proto)).toEqual(await run(file.proto));
    expect(scales.filter(({ kind }) => kind === 'weight')).toHaveLength(3);
  });

  test.each(['a', 'b', 'd'])(
    'with %s alone in INT8 does what the float model with that layer quantized does',
    async (name) => {
      const conv = fileOf(quantize(NET, planFor({}, 'int8', ['Conv']), rangesOf(NET)).proto);
      const from = floatModelOf(conv);
      const alone = planFor({ [name]: 'int8' }, 'fp16', ['Conv']);
      const { proto, int8Layers } = quantize(from, alone, new Map());
      expect(int8Layers.map((layer) => layer.name)).toEqual([name]);
      expect(await run(proto)).toEqual(await run(quantize(NET, alone, rangesOf(NET)).proto));
    },
  );

  test('without any layer in INT8 is the float model', async () => {
    const { proto } = quantize(float, planFor({}, 'fp16'), new Map());
    expect(proto.graph?.node.filter(({ opType }) => /Quantize/.test(opType))).toEqual([]);
    expect(await run(proto)).toEqual(await run(NET.proto));
  });

  test('becomes strongly typed', async () => {
    const { proto } = toStrong(file.proto, { name: 'x', fp32: new Set(), reach: new Map() });
    const [weak, strong] = await Promise.all([run(file.proto), run(proto)]);
    const size = Math.max(...weak.map(Math.abs));
    weak.forEach((value, i) => expect(Math.abs(value - (strong[i] as number))).toBeLessThan(0.03 * size));
  });
});

test('a strongly typed file gives a float model in FP32 with every layer, and keeps its own Q/DQ', async () => {
  const strong = toStrong(quantize(NET, planFor({}), rangesOf(NET)).proto, {
    name: 'x',
    fp32: new Set(),
    reach: new Map(),
  });
  const file = fileOf(strong.proto);
  const float = floatModelOf(file);
  expect(() => checkWeights(float)).not.toThrow();
  const layers = listLayers(buildGraph(float), 'tensorrt');
  expect(layers.map(({ name }) => name)).toEqual(['a', 'b', 'd']);
  const plan = planOfFile(float, layers, 'tensorrt');
  expect(plan.layers).toEqual({});
  expect(await run(quantize(float, plan, new Map()).proto)).toEqual(await run(file.proto));
  // A part of it is that part alone: FP16 costs nothing in it.
  const { proto } = quantize(float, planFor({ a: 'int8' }, 'fp16'), new Map());
  expect(buildGraph({ proto }).nodes.filter(({ opType }) => opType === 'QuantizeLinear')).toHaveLength(2);
  const [half, full] = await Promise.all([run(float.proto), run(NET.proto)]);
  const size = Math.max(...full.map(Math.abs));
  // Weights lie on the grid of INT8: half a step of 1/127 each.
  full.forEach((value, i) => expect(Math.abs(value - (half[i] as number))).toBeLessThan(0.02 * size));
});

test('integer weights behind DequantizeLinear become float again', async () => {
  const codes = Int8Array.from(noise(64, 2), (value) => Math.round(value * 127));
  const steps = Float32Array.from({ length: 8 }, (_, i) => 0.01 * (i + 1));
  const model = modelOf({
    nodes: ['wd = DequantizeLinear(wq, ws, wz){axis=0}', 'y = Conv(x, wd)'],
    constants: [
      int8Tensor('wq', [8, 8, 1, 1], codes),
      floatsToTensor('ws', [8], steps),
      int8Tensor('wz', [8], new Int8Array(8)),
    ],
    outputs: ['y'],
  });
  const float = floatModelOf(model);
  expect(buildGraph(float).nodes.map(({ opType }) => opType)).toEqual(['Conv']);
  expect(await run(float.proto)).toEqual(await run(model.proto));
});

test.each(['conv', 'all-ops', 'default', 'conv-bias'])(
  'onnxruntime.quantization (%s): float out of it, and the file itself',
  async (name) => {
    const model = await readModel(`test/lint/golden/${name}.onnx`);
    const float = floatModelOf(model);
    expect(float.proto.graph?.node.filter(({ opType }) => /Quantize/.test(opType))).toEqual([]);
    const plan = planOfFile(float, listLayers(buildGraph(float), 'tensorrt'), 'tensorrt');
    const dims = [1, 3, 8, 8];
    const [asFile, asPlan, asFloat] = await Promise.all(
      [model.proto, quantize(float, plan, new Map()).proto, float.proto].map((proto) =>
        run(proto, dims, 'images'),
      ),
    );
    expect(asPlan).toEqual(asFile);
    expect(asFloat).not.toEqual(asFile);
  },
);

test.each([
  [
    'operators',
    /operators\.onnx, node .*: the model is quantized already \(last written by onnx\.quantize 0\.1\.0\): it contains QLinearConv, an integer operator/,
  ],
  [
    'dynamic',
    /dynamic\.onnx, node .*: the model is quantized already .*: it contains DynamicQuantizeLinear, of dynamic quantization/,
  ],
])('%s: integer operators are refused, by whom', async (name, message) => {
  const model = await readModel(`test/lint/golden/${name}.onnx`);
  expect(() => floatModelOf(model)).toThrow(message);
});

test.each([
  [NaN, 'NaN'],
  [-Infinity, '-Infinity'],
])('a weight that is %d is refused before time is spent', (value, text) => {
  const weights = noise(64, 1);
  weights[9] = value;
  const model = modelOf({
    nodes: ['y = Conv(x, w)'],
    constants: [floatsToTensor('w', [8, 8, 1, 1], weights)],
    outputs: ['y'],
  });
  expect(() => checkWeights(model)).toThrow(
    `weights w of y: 1 of 64 values is not finite; element 9 is ${text}`,
  );
});

test('every tensor that is not finite is named with its count; infinite constants that bound or mask are not', () => {
  const spoilt = (at: number[], value: number): Float32Array => {
    const values = noise(64, 1);
    for (const i of at) values[i] = value;
    return values;
  };
  const model = modelOf({
    nodes: ['a = Conv(x, w)', 'b = Conv(a, w2)', 'c = Add(b, k)', 'd = Mul(c, n)', 'y = Conv(d, w)'],
    constants: [
      floatsToTensor('w', [8, 8, 1, 1], spoilt([9, 11, 60], Infinity)),
      floatsToTensor('w2', [8, 8, 1, 1], noise(64, 2)),
      floatsToTensor('k', [1, 8, 8, 1], spoilt([3], -Infinity)),
      floatsToTensor('n', [1, 8, 8, 1], spoilt([5, 6], NaN)),
    ],
    outputs: ['y'],
  });
  expect(() => checkWeights(model)).toThrow(
    /^\S+, weights w of a: 3 of 64 values are not finite; element 9 is Infinity\n.*\n\S+, constant n of d: 2 of 64 values are not finite; element 5 is NaN\n[^\n]*$/,
  );
});

test('an axis counted from the end is the same axis', async () => {
  const { proto } = quantize(NET, planFor({}), rangesOf(NET));
  let turned = 0;
  const graph = proto.graph as NonNullable<ModelProto['graph']>;
  const node = graph.node.map((one) => ({
    ...one,
    attribute: one.attribute.map((attribute) => {
      if (attribute.name !== 'axis' || !/QuantizeLinear$/.test(one.opType)) return attribute;
      turned++;
      return { ...attribute, i: attribute.i - 4n };
    }),
  }));
  expect(turned).toBeGreaterThan(0);
  const fromEnd = fileOf({ ...proto, graph: { ...graph, node } });
  const options = { name: 'file.onnx', fp32: new Set<string>(), reach: new Map<string, number>() };
  expect(await run(toStrong(fromEnd.proto, options).proto)).toEqual(
    await run(toStrong(fileOf(proto).proto, options).proto),
  );
  const scales = (file: Model) => {
    const float = floatModelOf(file);
    return quantize(
      float,
      planOfFile(float, listLayers(buildGraph(float), 'tensorrt'), 'tensorrt'),
      new Map(),
    ).scales;
  };
  expect(scales(fromEnd)).toEqual(scales(fileOf(proto)));
});
