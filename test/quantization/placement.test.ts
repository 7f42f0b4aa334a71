import { describe, expect, test } from '@jest/globals';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Ranges } from '../../src/calibration/index.js';
import {
  buildGraph,
  encodeModel,
  floatsToTensor,
  integersToTensor,
  opsetOf,
  tensorToFloats,
  type Model,
} from '../../src/onnx/index.js';
import {
  listLayers,
  placeQuantizers,
  quantize,
  tensorsToCalibrate,
  toStrong,
  type PrecisionPlan,
} from '../../src/quantization/index.js';
import { modelOf, noise, type Words } from './graphs.js';

const SILU = (from: string, to: string): string[] => [
  `${to}_s = Sigmoid(${from})`,
  `${to} = Mul(${from}, ${to}_s)`,
];
const planOf = (float: readonly string[] = []): PrecisionPlan => ({
  version: 1,
  operators: 'tensorrt',
  default: 'int8',
  layers: Object.fromEntries(float.map((name) => [name, 'fp16' as const])),
});

/** `tensor>reader,reader` for each tensor with Q/DQ. */
function placed(model: Model, float: readonly string[]): string[] {
  const graph = buildGraph(model);
  const int8 = listLayers(graph, 'tensorrt').filter(({ name }) => !float.includes(name));
  const { readers } = placeQuantizers(graph, 'tensorrt', int8);
  return [...readers]
    .map(
      ([tensor, nodes]) =>
        `${tensor}>${[...nodes]
          .map((i) => graph.nodes[i]?.name)
          .sort()
          .join(',')}`,
    )
    .sort();
}

interface Case {
  readonly what: string;
  readonly words: Words;
  readonly float?: readonly string[];
  readonly expected: readonly string[];
}

const TWO = integersToTensor('two', [2], [4, 4]);
const TWICE = floatsToTensor('twice', [4], Float32Array.of(1, 1, 2, 2));
const CASES: readonly Case[] = [
  {
    what: 'nothing stands between a convolution and its SiLU',
    words: { nodes: ['a = Conv(x, w1)', ...SILU('a', 'b'), 'c = Conv(b, w2)'], outputs: ['c'] },
    expected: ['b>c', 'x>a'],
  },
  {
    what: 'the skip of a residual Add is quantized, its convolution is not',
    words: {
      nodes: ['a = Conv(x, w1)', 'r = Relu(a)', 'b = Conv(r, w2)', 'd = Add(r, b)', 'e = Conv(d, w3)'],
      outputs: ['e'],
    },
    expected: ['d>e', 'r>b,d', 'x>a'],
  },
  {
    what: 'an Add of a convolution and an upsampled map has the map as skip, whichever came first',
    words: {
      nodes: [
        'a = Conv(x, w1)',
        'p = MaxPool(x){kernel_shape=[2,2],strides=[2,2]}',
        'q = Conv(p, w2)',
        'u = Resize(q, , twice)',
        'd = Add(a, u)',
        'e = Conv(d, w3)',
      ],
      constants: [TWICE],
      outputs: ['e'],
    },
    expected: ['d>e', 'q>u', 'x>a,p'],
  },
  {
    what: 'the Q behind a Concat reaches inputs that nothing else reads by itself',
    words: {
      nodes: ['a = Conv(x, w1)', 'b = Conv(x, w2)', 'c = Concat(a, b){axis=2}', 'd = Conv(c, w3)'],
      outputs: ['d'],
    },
    expected: ['c>d', 'x>a,b'],
  },
  {
    what: 'an input of a Concat that another layer reads too has Q/DQ of its own',
    words: {
      nodes: ['a = Conv(x, w1)', 'b = Conv(a, w2)', 'c = Concat(a, b){axis=2}', 'd = Conv(c, w3)'],
      outputs: ['d'],
    },
    expected: ['a>b,c', 'c>d', 'x>a'],
  },
  {
    what: 'the sum of a skip and an activated convolution has both in INT8',
    words: {
      nodes: ['a = Conv(x, w1)', 'b = Conv(a, w2)', ...SILU('b', 's'), 'd = Add(a, s)', 'e = Conv(d, w3)'],
      outputs: ['e'],
    },
    expected: ['a>b,d', 'd>e', 's>d', 'x>a'],
  },
  {
    what: 'a depthwise convolution fuses with no Add',
    words: {
      nodes: ['a = Conv(x, wd){group=8}', 'd = Add(a, x)', 'e = Conv(d, w3)'],
      constants: [floatsToTensor('wd', [8, 1, 1, 1], noise(8, 1))],
      outputs: ['e'],
    },
    expected: ['d>e', 'x>a'],
  },
  {
    what: 'a reader of the shape does not hinder',
    words: {
      nodes: ['p = MaxPool(x){kernel_shape=[2,2]}', 'sh = Shape(p)', 'd = Conv(p, w3)', 'e = Reshape(d, sh)'],
      outputs: ['e'],
    },
    expected: ['x>p'],
  },
  {
    what: 'a Concat that a float layer reads too stays float, and Q/DQ stands behind it',
    words: {
      nodes: [
        'a = Conv(x, w1)',
        'b = Conv(x, w2)',
        'c = Concat(a, b){axis=3}',
        'd = Conv(c, w3)',
        'e = Conv(c, w4)',
      ],
      outputs: ['d', 'e'],
    },
    float: ['e'],
    expected: ['c>d', 'x>a,b'],
  },
  {
    what: 'a Concat with a constant stays float',
    words: {
      nodes: ['c = Concat(x, w9){axis=2}', 'd = Conv(c, w3)'],
      constants: [floatsToTensor('w9', [1, 8, 1, 8], noise(64, 9))],
      outputs: ['d'],
    },
    expected: ['c>d'],
  },
  {
    what: 'C2f: one Q/DQ in front of the Split serves the bottleneck, its skip and the Concat',
    words: {
      nodes: [
        'a = Conv(x, w1)',
        ...SILU('a', 'b'),
        's0, s1 = Split(b, two){axis=1}',
        'm = Conv(s1, wa)',
        'r = Add(s1, m)',
        'c = Concat(s0, s1, r){axis=1}',
        'd = Conv(c, wb)',
      ],
      constants: [
        TWO,
        floatsToTensor('wa', [4, 4, 1, 1], noise(16, 1)),
        floatsToTensor('wb', [8, 12, 1, 1], noise(96, 2)),
      ],
      outputs: ['d'],
    },
    expected: ['b>s0', 'c>d', 'x>a'],
  },
  {
    what: 'SPPF: pooling runs in INT8 from one Q/DQ',
    words: {
      nodes: [
        'a = Conv(x, w1)',
        'p = MaxPool(a){kernel_shape=[3,3],pads=[1,1,1,1]}',
        'q = MaxPool(p){kernel_shape=[3,3],pads=[1,1,1,1]}',
        'c = Concat(a, p, q){axis=1}',
        'd = Conv(c, wb)',
      ],
      constants: [floatsToTensor('wb', [8, 24, 1, 1], noise(192, 2))],
      outputs: ['d'],
    },
    expected: ['a>c,p', 'c>d', 'x>a'],
  },
  {
    what: 'a bilinear Resize computes: Q/DQ stays behind it',
    words: {
      nodes: ['u = Resize(x, , twice){mode=linear}', 'd = Conv(u, w3)'],
      constants: [TWICE],
      outputs: ['d'],
    },
    expected: ['u>d'],
  },
  {
    what: 'AveragePool and GlobalAveragePool compute',
    words: {
      nodes: ['p = AveragePool(x){kernel_shape=[2,2]}', 'g = GlobalAveragePool(p)', 'd = Conv(g, w3)'],
      outputs: ['d'],
    },
    expected: ['g>d'],
  },
  {
    what: 'both inputs of an attention MatMul, and what comes out of Softmax',
    words: {
      inputs: { x: [1, 8, 8], k: [1, 8, 8] },
      nodes: [
        't = Transpose(x){perm=[0,2,1]}',
        'm = MatMul(t, k)',
        's = Softmax(m){axis=-1}',
        'v = MatMul(k, s)',
      ],
      outputs: ['v'],
    },
    expected: ['k>m,v', 's>v', 'x>t'],
  },
  {
    what: 'a tensor that leaves the model leaves it unquantized',
    words: {
      nodes: ['a = Conv(x, w1)', 'p = MaxPool(a){kernel_shape=[2,2]}', 'd = Conv(p, w2)'],
      outputs: ['p', 'd'],
    },
    expected: ['p>d', 'x>a'],
  },
];

test.each(CASES)('$what', ({ words, float = [], expected }) => {
  expect(placed(modelOf(words), float)).toEqual([...expected].sort());
});

async function run(model: Model | Uint8Array, inputs: Words['inputs']): Promise<Float32Array[]> {
  const bytes = model instanceof Uint8Array ? model : encodeModel(model.proto);
  const session = await InferenceSession.create(bytes, {
    logSeverityLevel: 3,
    extra: { session: { disable_quant_qdq: '1' } },
  });
  const feeds = Object.fromEntries(
    Object.entries(inputs ?? { x: [1, 8, 8, 8] }).map(([name, dims], i) => [
      name,
      new Tensor(
        'float32',
        noise(
          dims.reduce((a, b) => a * b, 1),
          i + 3,
        ),
        [...dims],
      ),
    ]),
  );
  const results = await session.run(feeds);
  const outputs = session.outputNames.map((name) =>
    Float32Array.from((results[name] as Tensor).data as Float32Array),
  );
  await session.release();
  return outputs;
}

function rangesOf(model: Model): Ranges {
  return new Map(
    tensorsToCalibrate(buildGraph(model), 'tensorrt').map((name, i) => [
      name,
      { amax: 2 + i / 4, min: -1, max: 1, calibrator: 'test' },
    ]),
  );
}

const distance = (a: readonly Float32Array[], b: readonly Float32Array[]): number =>
  Math.max(
    ...a.map((one, i) => one.reduce((most, x, j) => Math.max(most, Math.abs(x - (b[i]?.[j] ?? NaN))), 0)),
  );

describe('moving Q/DQ up changes no number: what layers read is on the same grid', () => {
  test.each(CASES.filter(({ float }) => float === undefined))('$what', async ({ words }) => {
    const model = modelOf(words);
    const ranges = rangesOf(model);
    const { proto, scales } = quantize(model, planOf(), ranges);
    // The same scales, each in front of the layers themselves, through `operators: [...]`.
    const tied = new Map(
      scales.flatMap(({ covers = [], scale }) =>
        covers.map((name) => [name, { amax: (scale[0] as number) * 127, min: 0, max: 0, calibrator: '' }]),
      ),
    );
    const apart = quantize(
      model,
      { ...planOf(), operators: ['Conv', 'MatMul'] },
      new Map([...ranges, ...tied]),
    );
    const residual = words.nodes.some((node) => node.includes('= Add('));
    const outputs = await Promise.all([proto, apart.proto].map((one) => run(encodeModel(one), words.inputs)));
    // The skip of a residual Add is INT8 in one alone.
    expect(distance(outputs[0] ?? [], outputs[1] ?? [])).toBeLessThanOrEqual(residual ? 0.2 : 2e-5);
  });
});

describe('a strongly typed file', () => {
  const strongOf = (model: Model, float: readonly string[] = [], reach = new Map<string, number>()) =>
    toStrong(quantize(model, planOf(float), rangesOf(model)).proto, {
      name: 'words.onnx',
      fp32: new Set(),
      reach,
    });

  test.each(CASES)('computes the same: $what', async ({ words, float }) => {
    const model = modelOf(words);
    const weak = await run(encodeModel(quantize(model, planOf(float), rangesOf(model)).proto), words.inputs);
    const strong = await run(encodeModel(strongOf(model, float).proto), words.inputs);
    const size = Math.max(...weak.map((one) => one.reduce((most, x) => Math.max(most, Math.abs(x)), 0)));
    // FP16 keeps 11 bits; a code that flips is one step of 0.02 times a few weights.
    expect(distance(weak, strong)).toBeLessThan(0.03 * size);
  });

  test('what overflows FP16 stays FP32, and is said', async () => {
    const words: Words = {
      nodes: ['a = Conv(x, w1)', 'b = Mul(a, big)', 'c = Div(b, big)', 'd = Conv(c, w2)'],
      constants: [floatsToTensor('big', [], Float32Array.of(1e6))],
      outputs: ['d'],
    };
    const { proto, kept } = strongOf(modelOf(words));
    expect(kept).toEqual([
      { node: 'b', why: 'its constant big reaches 1000000, FP16 ends at 65504' },
      { node: 'c', why: 'its constant big reaches 1000000, FP16 ends at 65504' },
    ]);
    const [output] = await run(encodeModel(proto), words.inputs);
    expect(output?.every(Number.isFinite)).toBe(true);
    const reach = new Map([['a', 7e4]]);
    const short = modelOf({ nodes: ['a = Conv(x, w1)', 'd = Conv(a, w2)'], outputs: ['d'] });
    const why = expect.stringContaining('reaches 70000');
    expect(strongOf(short, [], reach).kept).toEqual([{ node: 'a', why }]);
    expect(strongOf(short, ['d'], reach).kept).toEqual([
      { node: 'a', why },
      { node: 'd', why },
    ]);
  });

  test('weights lie on the grid of FP16 scales within ±127, inputs and outputs are as they were', () => {
    const model = modelOf({ nodes: ['a = Conv(x, w1)', 'r = Relu(a)', 'b = Conv(r, w2)'], outputs: ['b'] });
    const graph = buildGraph({ proto: strongOf(model).proto });
    const quantizers = graph.nodes.filter(
      ({ opType, inputs }) => opType === 'QuantizeLinear' && graph.initializer(inputs[0] ?? '') !== undefined,
    );
    expect(quantizers).toHaveLength(2);
    for (const { inputs } of quantizers) {
      const [weights, scale] = [0, 1].map((i) => graph.initializer(inputs[i] ?? '')!);
      expect([weights?.dataType, scale?.dataType]).toEqual([10, 10]);
      const steps = tensorToFloats(scale!);
      const codes = tensorToFloats(weights!).map((value, i) => value / (steps[Math.floor(i / 8)] as number));
      expect(Math.max(...codes.map(Math.abs))).toBeCloseTo(127, 0);
      for (const code of codes) expect(Math.abs(code - Math.round(code))).toBeLessThan(0.07);
    }
    expect(graph.elementType('x')).toBe(1);
    expect(graph.elementType('b')).toBe(1);
    expect(graph.nodes.filter(({ opType }) => opType === 'Cast').map(({ outputs }) => outputs[0])).toEqual([
      'b',
    ]);
  });
});

test('a model of opset 11 without node names is raised to 13 under the same layer names', async () => {
  const words: Words = {
    opset: 11,
    nodes: [
      'a = Conv(x, w1)',
      's0, s1 = Split(a){axis=2,split=[3,5]}',
      'c = Concat(s1, s0){axis=2}',
      'd = Conv(c, w2)',
    ],
    outputs: ['d'],
  };
  const model = modelOf(words);
  for (const node of model.proto.graph?.node ?? []) node.name = '';
  const names = listLayers(buildGraph(model), 'tensorrt').map(({ name }) => name);
  expect(names).toEqual(['Conv_0', 'Conv_3']);
  const { proto, int8Layers } = quantize(model, planOf(['Conv_0']), rangesOf(model));
  expect(opsetOf(proto)).toBe(13);
  expect(int8Layers.map(({ name }) => name)).toEqual(['Conv_3']);
  const [output] = await run(encodeModel(proto), words.inputs);
  const [float] = await run(model, words.inputs);
  expect(distance([output!], [float!])).toBeGreaterThan(0);
  expect(distance([output!], [float!])).toBeLessThan(0.2);
});
