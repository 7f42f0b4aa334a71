/** Small Q/DQ graphs in words, and what the linter finds in each. */
import { create } from '@bufbuild/protobuf';
import { TensorProtoSchema } from '../../src/onnx/generated/onnx_pb.js';
import {
  TensorProto_DataType,
  floatsToTensor,
  halvesToTensor,
  int8Tensor,
  type TensorProto,
} from '../../src/onnx/index.js';
import { noise, weightOf } from '../quantization/graphs.js';

/** A constant of one number. */
export const scalar = (name: string, value: number): TensorProto =>
  floatsToTensor(name, [], Float32Array.of(value));
export const zero = int8Tensor('z', [], new Int8Array(1));
export const zeros = int8Tensor('wz', [8], new Int8Array(8));
export const scales = floatsToTensor('ws', [8], new Float32Array(8).fill(0.01));
const INPUT = ['xq = QuantizeLinear(x, s, z)', 'xd = DequantizeLinear(xq, s, z)'];
const WEIGHT = ['wq = QuantizeLinear(w, ws, wz){axis=0}', 'wd = DequantizeLinear(wq, ws, wz){axis=0}'];
const BASE = [...INPUT, ...WEIGHT, 'y = Conv(xd, wd)'];

/** `finds`: severity, rule and node of each finding. */
export interface Case {
  readonly what: string;
  readonly nodes: readonly string[];
  readonly constants?: readonly TensorProto[];
  readonly outputs?: readonly string[];
  readonly opset?: number;
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
  readonly finds: readonly string[];
}

/** What TensorRT refuses or runs slowly. */
export const CASES: readonly Case[] = [
  { what: 'a quantized convolution', nodes: BASE, finds: [] },
  ...(
    [
      [-0.1, 'negative'],
      [0, 'zero'],
      [NaN, 'NaN'],
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
    finds: ['note opset wq', 'note opset wd'],
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
      'bq = QuantizeLinear(x2, t, z)',
      'b = DequantizeLinear(bq, t, z)',
      'k = Concat(xd, b){axis=2}',
      'kq = QuantizeLinear(k, s, z)',
      'kd = DequantizeLinear(kq, s, z)',
      'y = Conv(kd, wd)',
    ],
    inputs: { x: [1, 8, 8, 8], x2: [1, 8, 8, 8] },
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

/** What TensorRT builds, but what costs accuracy; and constants and types at the edge. */
export const ACCURACY_CASES: readonly Case[] = [
  {
    what: 'a DQ that multiplies by another scale than its Q divided by',
    nodes: [INPUT[0] ?? '', 'xd = DequantizeLinear(xq, t, z)', ...WEIGHT, 'y = Conv(xd, wd)'],
    constants: [scalar('t', 0.1)],
    finds: ['accuracy pair-scales xd'],
  },
  {
    what: 'the same with a Transpose between them',
    nodes: [
      INPUT[0] ?? '',
      'xt = Transpose(xq){perm=[0,1,3,2]}',
      'xd = DequantizeLinear(xt, t, z)',
      ...WEIGHT,
      'y = Conv(xd, wd)',
    ],
    constants: [scalar('t', 0.1)],
    finds: ['accuracy pair-scales xd'],
  },
  {
    what: 'a pair whose scales differ by rounding alone',
    nodes: [INPUT[0] ?? '', 'xd = DequantizeLinear(xq, t, z)', ...WEIGHT, 'y = Conv(xd, wd)'],
    constants: [scalar('t', 0.05001)],
    finds: [],
  },
  {
    what: 'an infinite and a subnormal scale',
    nodes: BASE,
    constants: [floatsToTensor('ws', [8], Float32Array.of(Infinity, 1e-40, 1, 1, 1, 1, 1, 1))],
    finds: ['accuracy scale-infinite wd', 'accuracy scale-subnormal wd'],
  },
  {
    what: 'a scale in FP16 that keeps two digits at most',
    nodes: BASE,
    constants: [halvesToTensor('ws', [8], new Float32Array(8).fill(2 ** -22))],
    opset: 19,
    finds: ['accuracy scale-subnormal wd', 'note scale-type wq'],
  },
  {
    what: 'a small scale in FP16 of weights that are as small',
    nodes: BASE,
    constants: [
      halvesToTensor('ws', [8], new Float32Array(8).fill(2 ** -22)),
      halvesToTensor('w', [8, 8, 1, 1], new Float32Array(64).fill(127 * 2 ** -22)),
    ],
    opset: 19,
    finds: [],
  },
  ...(
    [
      ['Conv', 'y = Conv(xd, wd)', 1, 0],
      ['ConvTranspose', 'y = ConvTranspose(xd, wd)', 0, 1],
      ['Gemm', 'y = Gemm(xd, wd)', 0, 1],
      ['Gemm with transB', 'y = Gemm(xd, wd){transB=1}', 1, 0],
      ['MatMul', 'y = MatMul(xd, wd)', 0, 1],
    ] as const
  ).flatMap(([name, layer, wrong, right]) =>
    [wrong, right].map((axis) => ({
      what: `weights of ${name} with scales along axis ${axis}`,
      nodes: [...INPUT, ...WEIGHT.map((one) => one.replace('axis=0', `axis=${axis}`)), layer],
      ...(/Gemm|MatMul/.test(name) && {
        inputs: { x: [8, 8] },
        constants: [weightOf('w', 1, [8, 8])],
      }),
      finds: axis === wrong ? ['accuracy weight-axis y'] : [],
    })),
  ),
  {
    what: 'one scale for output channels of very different size',
    nodes: [...INPUT, 'wd = DequantizeLinear(wi, s, z)', 'y = Conv(xd, wd)'],
    constants: [
      int8Tensor(
        'wi',
        [8, 8, 1, 1],
        Int8Array.from({ length: 64 }, (_, i) => (i < 8 ? 127 : 2)),
      ),
    ],
    finds: ['accuracy weight-per-tensor y'],
  },
  {
    what: 'one scale for output channels of one size',
    nodes: [...INPUT, 'wd = DequantizeLinear(wi, s, z)', 'y = Conv(xd, wd)'],
    constants: [int8Tensor('wi', [8, 8, 1, 1], new Int8Array(64).fill(90))],
    finds: [],
  },
  {
    what: 'weights far beyond their range',
    nodes: [...INPUT, 'wq = QuantizeLinear(w, t, z)', 'wd = DequantizeLinear(wq, t, z)', 'y = Conv(xd, wd)'],
    constants: [scalar('t', 0.001)],
    finds: ['accuracy weight-clipped y'],
  },
  {
    what: 'a ConvTranspose of groups with a scale a channel',
    nodes: [
      ...INPUT,
      'wq = QuantizeLinear(w, ws, wz){axis=1}',
      'wd = DequantizeLinear(wq, ws, wz){axis=1}',
      'y = ConvTranspose(xd, wd){group=4}',
    ],
    constants: [
      weightOf('w', 1, [8, 2, 1, 1]),
      floatsToTensor('ws', [2], Float32Array.of(0.01, 0.01)),
      int8Tensor('wz', [2], new Int8Array(2)),
    ],
    finds: ['slow grouped-deconvolution y'],
  },
  {
    what: 'an INT8 constant that is reshaped before it is dequantized',
    nodes: [...INPUT, 'wr = Transpose(wi)', 'wd = DequantizeLinear(wr, s, z)', 'y = Conv(xd, wd)'],
    constants: [int8Tensor('wi', [1, 1, 8, 8], new Int8Array(64).fill(90))],
    finds: ['refused quantized-constant wr'],
  },
  {
    what: 'a scale in a type that says nothing of INT8',
    nodes: BASE,
    constants: [create(TensorProtoSchema, { name: 's', dataType: 24, rawData: Uint8Array.of(127) })],
    finds: ['note scale-type xq'],
  },
  {
    what: 'scales in BFLOAT16',
    nodes: BASE,
    constants: [
      create(TensorProtoSchema, {
        name: 's',
        dataType: TensorProto_DataType.BFLOAT16,
        rawData: Uint8Array.of(0, 0xbf),
      }),
    ],
    finds: [
      'refused scale-value xq',
      'refused scale-value xd',
      'note opset xq',
      'note scale-type xq',
      'note opset xd',
    ],
  },
];
