import { describe, expect, test } from '@jest/globals';
import { formatLint, lintModel, type LintSeverity } from '../../src/lint/index.js';
import { quantize, tensorsToCalibrate, toStrong } from '../../src/quantization/index.js';
import {
  buildGraph,
  encodeModel,
  floatsToTensor,
  int8Tensor,
  parseModel,
  readModel,
  type TensorProto,
} from '../../src/onnx/index.js';
import { modelOf, noise } from '../quantization/graphs.js';

const rulesOf = (
  findings: readonly { severity: LintSeverity; rule: string }[],
  severity: LintSeverity,
): string[] =>
  [...new Set(findings.filter((one) => one.severity === severity).map(({ rule }) => rule))].sort();

describe('files by onnxruntime.quantization', () => {
  test.each([
    ['conv', 'Q/DQ', [], ['concat-scales', 'float-reader', 'inside-fusion', 'post-processing']],
    [
      'conv-bias',
      'Q/DQ',
      ['int32-bias'],
      ['concat-scales', 'float-reader', 'inside-fusion', 'post-processing'],
    ],
    [
      'asymmetric',
      'Q/DQ',
      ['asymmetric'],
      ['concat-scales', 'float-reader', 'inside-fusion', 'post-processing'],
    ],
    [
      'all-ops',
      'Q/DQ',
      ['int32-bias', 'quantized-constant'],
      ['concat-scales', 'float-reader', 'inside-fusion', 'post-processing'],
    ],
    [
      'default',
      'Q/DQ',
      ['asymmetric', 'int32-bias', 'quantized-constant'],
      ['concat-scales', 'float-reader', 'inside-fusion', 'post-processing'],
    ],
    [
      'contrib',
      'Q/DQ',
      ['foreign-domain', 'int32-bias'],
      ['concat-scales', 'float-reader', 'inside-fusion', 'post-processing'],
    ],
    ['operators', 'operators', ['integer-operator', 'q-without-dq'], []],
    ['dynamic', 'dynamic', ['integer-operator'], []],
  ] as const)('%s', async (name, style, refused, slow) => {
    const result = lintModel(await readModel(`test/lint/golden/${name}.onnx`));
    expect(result.producer).toMatch(/^onnx\.quantize/);
    expect(result.style).toBe(style);
    expect(rulesOf(result.findings, 'refused')).toEqual(refused);
    expect(rulesOf(result.findings, 'slow')).toEqual(slow);
  });

  test('are told of in words', async () => {
    expect(formatLint(lintModel(await readModel('test/lint/golden/all-ops.onnx'))))
      .toContain(`TensorRT refuses this:
  int32-bias (4)
    body_b_DequantizeLinear: dequantizes INT32, a bias: TensorRT takes biases in float alone
`);
  });
});

test.each(['weak', 'strong'])('int8-gate finds nothing in its own %s files', async (flavour) => {
  const model = await readModel('fixtures/signs/models/signs-v10.onnx');
  const ranges = new Map(
    tensorsToCalibrate(buildGraph(model), 'tensorrt').map((name, i) => [
      name,
      { amax: 1 + (i % 7), min: 0, max: 1, calibrator: '' },
    ]),
  );
  const plan = { version: 1, operators: 'tensorrt', default: 'int8', layers: {} } as const;
  const head = [
    '/one2one/cv2.*.2/Conv',
    '/one2one/cv3.*.2/Conv',
    '/b10/attn/MatMul*',
    '/b10/attn/pe/conv/Conv',
  ];
  const layers = Object.fromEntries(head.map((name) => [name, 'fp16' as const]));
  const weak = quantize(model, { ...plan, layers }, ranges).proto;
  const proto =
    flavour === 'weak' ? weak : toStrong(weak, { name: 'x', fp32: new Set(), reach: new Map() }).proto;
  const result = lintModel(parseModel(encodeModel(proto), 'own.onnx'));
  expect(result.findings).toEqual([]);
  expect(result.layers).toEqual({ int8: 78, all: 87 });
});

const scalar = (name: string, value: number): TensorProto => floatsToTensor(name, [], Float32Array.of(value));
const zero = int8Tensor('z', [], new Int8Array(1));
const zeros = int8Tensor('wz', [8], new Int8Array(8));
const scales = floatsToTensor('ws', [8], new Float32Array(8).fill(0.01));
const INPUT = ['xq = QuantizeLinear(x, s, z)', 'xd = DequantizeLinear(xq, s, z)'];
const WEIGHT = ['wq = QuantizeLinear(w, ws, wz){axis=0}', 'wd = DequantizeLinear(wq, ws, wz){axis=0}'];
const BASE = [...INPUT, ...WEIGHT, 'y = Conv(xd, wd)'];

interface Case {
  readonly what: string;
  readonly nodes: readonly string[];
  readonly constants?: readonly TensorProto[];
  readonly outputs?: readonly string[];
  readonly opset?: number;
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
  readonly finds: readonly string[];
}

const CASES: readonly Case[] = [
  { what: 'a quantized convolution', nodes: BASE, finds: [] },
  ...(
    [
      [-0.1, 'negative'],
      [0, 'zero'],
      [NaN, 'NaN'],
      [Infinity, 'infinite'],
    ] as const
  ).map(([value, name]) => ({
    what: `a scale that is ${name}`,
    nodes: BASE,
    constants: [scalar('s', value)],
    finds: ['refused scale-value xq', 'refused scale-value xd'],
  })),
  {
    what: 'one scale per channel of an activation',
    nodes: [
      'xq = QuantizeLinear(x, ws, wz)',
      'xd = DequantizeLinear(xq, ws, wz)',
      ...WEIGHT,
      'y = Conv(xd, wd)',
    ],
    finds: ['slow activation-per-channel xq', 'slow activation-per-channel xd'],
  },
  {
    what: 'the same in opset 12, which knows no axis',
    nodes: ['xq = QuantizeLinear(x, s, z)', 'xd = DequantizeLinear(xq, s, z)', ...WEIGHT, 'y = Conv(xd, wd)'],
    opset: 12,
    finds: ['refused opset wq', 'refused opset wd'],
  },
  {
    what: 'scales for other channels than there are',
    nodes: BASE,
    constants: [
      floatsToTensor('ws', [4], new Float32Array(4).fill(0.1)),
      int8Tensor('wz', [4], new Int8Array(4)),
    ],
    finds: ['refused scale-count wq', 'refused scale-count wd'],
  },
  {
    what: 'a scale that is computed',
    nodes: [
      's2 = ReduceMax(x){keepdims=0}',
      'xq = QuantizeLinear(x, s2, z)',
      'xd = DequantizeLinear(xq, s2, z)',
      ...WEIGHT,
      'y = Conv(xd, wd)',
    ],
    finds: ['refused scale-not-constant xq', 'refused scale-not-constant xd'],
  },
  {
    what: 'no zero point, which means UINT8',
    nodes: ['xq = QuantizeLinear(x, s)', 'xd = DequantizeLinear(xq, s)', ...WEIGHT, 'y = Conv(xd, wd)'],
    finds: ['note no-zero-point xq'],
  },
  {
    what: 'a quantized constant that is no weight',
    nodes: [
      ...BASE.slice(0, -1),
      'c = Conv(xd, wd)',
      'kq = QuantizeLinear(k, s, z)',
      'kd = DequantizeLinear(kq, s, z)',
      'y = Add(c, kd)',
    ],
    constants: [floatsToTensor('k', [1, 8, 1, 1], noise(8, 1))],
    finds: ['slow constant-rounded kd'],
  },
  {
    what: 'a quantized constant between INT8 on all sides',
    nodes: [
      ...BASE.slice(0, -1),
      'kq = QuantizeLinear(k, s, z)',
      'kd = DequantizeLinear(kq, s, z)',
      'a = Add(xd, kd)',
      'aq = QuantizeLinear(a, s, z)',
      'ad = DequantizeLinear(aq, s, z)',
      'y = Conv(ad, wd)',
    ],
    constants: [floatsToTensor('k', [1, 8, 1, 1], noise(8, 1))],
    finds: ['refused quantized-constant kd'],
  },
  {
    what: 'integers that a float operator reads',
    nodes: [...INPUT.slice(0, 1), 'y = Relu(xq)'],
    finds: ['refused q-without-dq xq'],
  },
  {
    what: 'Q/DQ between a convolution and its activation',
    nodes: [
      ...INPUT,
      ...WEIGHT,
      'c = Conv(xd, wd)',
      'cq = QuantizeLinear(c, s, z)',
      'cd = DequantizeLinear(cq, s, z)',
      'r = Relu(cd)',
      'y = Conv(r, w2)',
    ],
    finds: ['slow inside-fusion cq'],
  },
  {
    what: 'weights in float',
    nodes: [...INPUT, 'y = Conv(xd, w2)'],
    finds: ['slow half-quantized y'],
  },
  {
    what: 'a Concat fed in INT8 without Q/DQ behind it',
    nodes: [...INPUT, ...WEIGHT, 'k = Concat(xd, xd){axis=2}', 'y = Conv(k, wd)'],
    finds: ['slow concat-dq k'],
  },
  {
    what: 'a Concat of two scales',
    nodes: [
      ...INPUT,
      ...WEIGHT,
      'b = DequantizeLinear(xq, t, z)',
      'k = Concat(xd, b){axis=2}',
      'kq = QuantizeLinear(k, s, z)',
      'kd = DequantizeLinear(kq, s, z)',
      'y = Conv(kd, wd)',
    ],
    constants: [scalar('t', 0.5)],
    finds: ['slow concat-scales k'],
  },
  {
    what: 'pooling between two scales',
    nodes: [
      ...INPUT,
      ...WEIGHT,
      'p = MaxPool(xd){kernel_shape=[2,2]}',
      'pq = QuantizeLinear(p, t, z)',
      'pd = DequantizeLinear(pq, t, z)',
      'y = Conv(pd, wd)',
    ],
    constants: [scalar('t', 0.5)],
    finds: ['slow scale-change p'],
  },
  {
    what: 'one tensor under two scales',
    nodes: [
      ...INPUT,
      ...WEIGHT,
      'bq = QuantizeLinear(x, t, z)',
      'bd = DequantizeLinear(bq, t, z)',
      'a = Conv(xd, wd)',
      'b = Conv(bd, wd)',
      'y = Add(a, b)',
    ],
    constants: [scalar('t', 0.5)],
    finds: ['slow quantized-twice xq'],
  },
  {
    what: 'a float layer between INT8 layers',
    nodes: [
      ...INPUT,
      ...WEIGHT,
      'a = Conv(xd, wd)',
      'b = Conv(a, w2)',
      'bq = QuantizeLinear(b, s, z)',
      'bd = DequantizeLinear(bq, s, z)',
      'y = Conv(bd, wd)',
    ],
    finds: ['slow float-island b'],
  },
  {
    what: 'a residual Add whose skip is float',
    nodes: [
      ...INPUT,
      ...WEIGHT,
      'a = Conv(xd, wd)',
      'd = Add(x, a)',
      'dq = QuantizeLinear(d, s, z)',
      'dd = DequantizeLinear(dq, s, z)',
      'y = Conv(dd, wd)',
    ],
    finds: ['slow skip-float d'],
  },
  {
    what: 'Q/DQ in front of Sigmoid alone, behind the last layer',
    nodes: [
      ...BASE.slice(0, -1),
      'c = Conv(xd, wd)',
      'm = Mul(c, c)',
      'cq = QuantizeLinear(m, s, z)',
      'cd = DequantizeLinear(cq, s, z)',
      'y = Sigmoid(cd)',
    ],
    finds: ['slow float-reader cd', 'slow post-processing cq'],
  },
];

test.each(CASES)('$what', ({ nodes, constants = [], outputs = ['y'], finds, ...rest }) => {
  const given = new Set(constants.map(({ name }) => name));
  const common = [scalar('s', 0.05), zero, scales, zeros].filter(({ name }) => !given.has(name));
  const { findings } = lintModel(modelOf({ nodes, outputs, constants: [...constants, ...common], ...rest }));
  expect(findings.map(({ severity, rule, node }) => `${severity} ${rule} ${node}`)).toEqual(finds);
  for (const { why, fix } of findings) expect(`${why} ${fix}`).not.toMatch(/undefined|NaN channels/);
});

test('a float model has no findings', async () => {
  const result = lintModel(await readModel('fixtures/signs/models/signs-v8.onnx'));
  expect(result).toMatchObject({ style: 'none', findings: [], layers: { int8: 0 } });
});
