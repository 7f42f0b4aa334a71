import { beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { decodeImage } from '../../src/dataset/index.js';
import type { Ranges } from '../../src/calibration/index.js';
import {
  buildGraph,
  cloneModel,
  encodeModel,
  parseModel,
  readModel,
  type Graph,
  type Model,
} from '../../src/onnx/index.js';
import {
  defaultPlan,
  findSharedScales,
  formatPlan,
  listLayers,
  parsePlan,
  quantize,
  resolvePlan,
  tensorsToCalibrate,
  type OperatorScope,
  type PrecisionPlan,
} from '../../src/quantization/index.js';

const MODELS = ['signs-v10', 'signs-v8'] as const;
const SCOPES: readonly OperatorScope[] = ['tensorrt', 'all', ['Conv']];

interface Golden {
  readonly amax: Readonly<Record<string, string>>;
  readonly activations: Readonly<Record<string, string>>;
  readonly weights: Readonly<Record<string, string>>;
  /** Scores of the 20 strongest detections in val/001000.jpg. */
  readonly fp32Scores: readonly number[];
  readonly int8Scores: readonly number[];
}

const golden = JSON.parse(readFileSync('test/quantization/golden/conv-only.json', 'utf8')) as Golden;
const floats = (hex: string): Float32Array =>
  new Float32Array(Uint8Array.from(Buffer.from(hex, 'hex')).buffer);
const hexOf = (data: Float32Array): string => Buffer.from(data.buffer).toString('hex');
const int8 = (operators: OperatorScope): PrecisionPlan => ({
  version: 1,
  operators,
  default: 'int8',
  layers: {},
});
const ranges = (tensors: readonly string[], amax = 1): Ranges =>
  new Map(tensors.map((name, i) => [name, { amax: amax + i, min: -amax, max: amax, calibrator: 'test' }]));

let models: Record<(typeof MODELS)[number], Model>;
let graph: Graph;

beforeAll(async () => {
  const [v10, v8] = await Promise.all(MODELS.map((name) => readModel(`fixtures/signs/models/${name}.onnx`)));
  models = { 'signs-v10': v10 as Model, 'signs-v8': v8 as Model };
  graph = buildGraph(models['signs-v10']);
});

describe('scales equal those of onnxruntime.quantization to the last bit', () => {
  const given = (): Ranges =>
    new Map(
      Object.entries(golden.amax).map(([name, hex]) => [
        name,
        { amax: floats(hex)[0] as number, min: 0, max: 0, calibrator: 'minmax' },
      ]),
    );

  test('of activations', () => {
    const { scales } = quantize(models['signs-v10'], int8(['Conv']), given());
    const ours = Object.fromEntries(
      scales.filter(({ kind }) => kind === 'activation').map(({ tensor, scale }) => [tensor, hexOf(scale)]),
    );
    expect(ours).toEqual(golden.activations);
  });

  test('of weights, one an output channel', () => {
    const { scales } = quantize(models['signs-v10'], int8(['Conv']), given());
    const ours: Record<string, string> = Object.fromEntries(
      scales
        .filter(({ kind }) => kind === 'weight')
        .map(({ layers, scale }): [string, string] => [layers[0] ?? '', hexOf(scale)]),
    );
    expect(Object.keys(ours)).toHaveLength(85);
    expect(ours).toEqual(golden.weights);
  });
});

test('outputs agree with those of its file, and part from FP32 by as much', async () => {
  const given: Ranges = new Map(
    Object.entries(golden.amax).map(([name, hex]) => [
      name,
      { amax: floats(hex)[0] as number, min: 0, max: 0, calibrator: 'minmax' },
    ]),
  );
  const { data } = await decodeImage('fixtures/signs/val/001000.jpg', true);
  const planes = Float32Array.from(
    { length: data.length },
    (_, i) => (data[(i % 36864) * 3 + Math.floor(i / 36864)] as number) / 255,
  );
  const scoresOf = async (bytes: Uint8Array): Promise<number[]> => {
    const session = await InferenceSession.create(bytes, {
      logSeverityLevel: 3,
      extra: { session: { disable_quant_qdq: '1' } },
    });
    const output = (await session.run({ images: new Tensor('float32', planes, [1, 3, 192, 192]) }))
      .output0 as Tensor;
    await session.release();
    return Array.from({ length: 20 }, (_, i) => (output.data as Float32Array)[6 * i + 4] as number);
  };
  const distance = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((sum, x, i) => sum + Math.abs(x - (b[i] as number)), 0) / a.length;
  const fp32 = await scoresOf(encodeModel(models['signs-v10'].proto));
  expect(distance(fp32, golden.fp32Scores)).toBeLessThan(1e-5);
  const int8Scores = await scoresOf(encodeModel(quantize(models['signs-v10'], int8(['Conv']), given).proto));
  // Roundings that flip travel through the net, so two right engines differ; but by less than INT8 differs from FP32.
  const noise = distance(golden.int8Scores, golden.fp32Scores);
  expect(noise).toBeGreaterThan(0.001);
  expect(distance(int8Scores, golden.int8Scores)).toBeLessThan(noise);
});

test('names of the model that end like ours are no trouble', async () => {
  const renamed = cloneModel(models['signs-v10'].proto);
  for (const node of renamed.graph!.node)
    for (const list of [node.input, node.output])
      list.forEach((name, i) => (list[i] = name === '/b0/conv/Conv_output_0' ? 'images_dq' : name));
  const model = parseModel(encodeModel(renamed), 'clash.onnx');
  const { proto } = quantize(
    model,
    int8('tensorrt'),
    ranges(tensorsToCalibrate(buildGraph(model), 'tensorrt')),
  );
  await expect(InferenceSession.create(encodeModel(proto), { logSeverityLevel: 3 })).resolves.toBeDefined();
});

test('a model in FP16 is refused', () => {
  const half = cloneModel(models['signs-v10'].proto);
  for (const tensor of half.graph!.initializer) if (tensor.dims.length === 4) tensor.dataType = 10;
  expect(() => quantize({ ...models['signs-v10'], proto: half }, int8(['Conv']), new Map())).toThrow(
    /node \/b0\/conv\/Conv: has weights in FP16/,
  );
});

describe.each(MODELS)('%s', (name) => {
  test.each(SCOPES)('quantized with operators %s loads in onnxruntime', async (scope) => {
    const tensors = tensorsToCalibrate(buildGraph(models[name]), scope);
    const { proto } = quantize(models[name], int8(scope), ranges(tensors));
    const session = await InferenceSession.create(encodeModel(proto), { logSeverityLevel: 3 });
    expect(session.outputNames).toEqual(['output0']);
    await session.release();
  });
});

describe('placement for TensorRT', () => {
  const quantized = (): Graph =>
    buildGraph(
      parseModel(
        encodeModel(
          quantize(models['signs-v10'], int8('tensorrt'), ranges(tensorsToCalibrate(graph, 'tensorrt')))
            .proto,
        ),
        'q',
      ),
    );

  test('puts nothing inside SiLU: Sigmoid and its Mul read the convolution itself', () => {
    const nodes = quantized().nodes.filter(({ opType }) => opType === 'Sigmoid');
    expect(nodes.length).toBeGreaterThan(70);
    for (const { inputs } of nodes) expect(inputs[0]).not.toMatch(/_dq/);
  });

  test('marks the last convolutions as head, and the default plan keeps them and attention float', () => {
    const layers = listLayers(graph, 'tensorrt');
    const heads = layers.filter(({ head }) => head).map(({ name }) => name);
    expect(heads).toHaveLength(6);
    expect(Object.keys(defaultPlan(layers, 'tensorrt', { head: 'float', keepFloat: [] }).layers)).toEqual([
      '/b10/attn/MatMul',
      '/b10/attn/MatMul_1',
      '/b10/attn/pe/conv/Conv',
      ...heads,
    ]);
  });
});

describe('plans', () => {
  test('round-trip through their file', () => {
    const plan: PrecisionPlan = {
      ...int8('tensorrt'),
      layers: { '/b0/conv/Conv': 'fp16', '/b1/*': 'fp32' },
      comment: 'by hand',
    };
    expect(parsePlan(formatPlan(plan), 'plan.json')).toEqual(plan);
    const precision = resolvePlan(plan, listLayers(graph, 'tensorrt'));
    expect(precision.get('/b1/conv/Conv')).toBe('fp32');
    expect(precision.get('/b2/cv1/conv/Conv')).toBe('int8');
  });

  test.each([
    ['{', /plan\.json: is no JSON/],
    ['{"version":2,"operators":"tensorrt","default":"int8","layers":{}}', /version: must be 1, is 2/],
    [
      '{"version":1,"operators":"tensorrt","default":"int4","layers":{}}',
      /default: must be one of int8, fp16, fp32, is "int4"/,
    ],
    [
      '{"version":1,"operators":"tensorrt","default":"int8","layer":{},"layers":{}}',
      /layer: unknown key, did you mean "layers"/,
    ],
    [
      '{"version":1,"operators":"tensorrt","default":"int8","layers":{"a":"int9"}}',
      /layers\["a"\]: must be one of/,
    ],
  ])('%s is refused', (text, message) => {
    expect(() => parsePlan(text, 'plan.json')).toThrow(message);
  });
});

test('a model that is quantized already is refused, naming a node', () => {
  const { proto } = quantize(
    models['signs-v10'],
    int8(['Conv']),
    ranges(tensorsToCalibrate(graph, ['Conv'])),
  );
  const again = parseModel(encodeModel(proto), 'again.onnx');
  expect(() => quantize(again, int8(['Conv']), new Map())).toThrow(
    /again\.onnx, node .*QuantizeLinear: the model is quantized already/,
  );
});

test('boxes and scores under one scale are found where everything is quantized, and nothing where the tail is float', () => {
  const boxes = { min: 0, max: 190 };
  const scores = { min: 0, max: 0.99 };
  const statistics = new Map(
    tensorsToCalibrate(graph, 'all').map((name) => [
      name,
      {
        name,
        ...(/Sigmoid_output_0$/.test(name) && !name.includes('/act/') ? scores : boxes),
        count: 1,
        zeros: 0,
        nonFinite: 0,
        images: 1,
        limit: 256,
        minByImage: Float32Array.of(0),
        maxByImage: Float32Array.of(0),
        bins: new Float64Array(),
        shape: [1],
      },
    ]),
  );
  const found = (scope: OperatorScope) =>
    findSharedScales(
      graph,
      quantize(models['signs-v10'], int8(scope), ranges(tensorsToCalibrate(graph, scope), 190)).scales,
      statistics,
    );
  expect(found('all')[0]?.sentence).toMatch(
    /joins boxes \(0…190, .*\) and scores \(0…0\.99, .*\) in \/Concat_9 under one INT8 scale of .*round/,
  );
  expect(found('tensorrt')).toEqual([]);
});
