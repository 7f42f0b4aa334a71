import { describe, expect, test } from '@jest/globals';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import {
  convertOpset,
  encodeModel,
  floatToHalf,
  halfToFloat,
  floatsToTensor,
  integersToTensor,
  opsetOf,
  readModel,
  type ModelProto,
} from '../../src/onnx/index.js';
import { modelOf, noise, type Words } from '../quantization/graphs.js';

async function run(proto: ModelProto, dims: readonly number[] = [1, 8, 8, 8]): Promise<Float32Array[]> {
  const session = await InferenceSession.create(encodeModel(proto), { logSeverityLevel: 3 });
  const count = dims.reduce((a, b) => a * b, 1);
  const results = await session.run({ x: new Tensor('float32', noise(count, 5), [...dims]) });
  const outputs = session.outputNames.map((name) =>
    Float32Array.from((results[name] as Tensor).data as Float32Array),
  );
  await session.release();
  return outputs;
}

const CASES: readonly (Words & { readonly what: string })[] = [
  { what: 'Softmax over one axis', nodes: ['y = Softmax(x){axis=3}'], outputs: ['y'] },
  { what: 'Softmax of everything from axis 1 on', nodes: ['y = Softmax(x)'], outputs: ['y'] },
  {
    what: 'LogSoftmax of a tensor of unknown rank',
    nodes: ['r = Relu(x)', 'y = LogSoftmax(r){axis=2}'],
    outputs: ['y'],
  },
  { what: 'ReduceSum', nodes: ['y = ReduceSum(x){axes=[2,3],keepdims=0}'], outputs: ['y'] },
  { what: 'ReduceSum of everything', nodes: ['y = ReduceSum(x)'], outputs: ['y'] },
  { what: 'ReduceMax', nodes: ['y = ReduceMax(x){axes=[-1],keepdims=1}'], outputs: ['y'] },
  { what: 'ReduceMean', nodes: ['y = ReduceMean(x){axes=[1]}'], outputs: ['y'] },
  {
    what: 'Squeeze and Unsqueeze',
    nodes: ['a = Unsqueeze(x){axes=[0,2]}', 'y = Squeeze(a){axes=[0]}'],
    outputs: ['y'],
  },
  { what: 'Split with sizes', nodes: ['y, z = Split(x){axis=1,split=[2,6]}'], outputs: ['y', 'z'] },
  { what: 'Split in equal parts', nodes: ['y, z = Split(x){axis=1}'], outputs: ['y', 'z'] },
  { what: 'Dropout', nodes: ['d = Dropout(x){ratio=0.3}', 'y = Relu(d)'], outputs: ['y'] },
  {
    what: 'BatchNormalization',
    nodes: ['y = BatchNormalization(x, g, b, m, v)'],
    constants: ['g', 'b', 'm', 'v'].map((name, i) => floatsToTensor(name, [8], noise(8, i).map(Math.abs))),
    outputs: ['y'],
  },
  {
    what: 'Resize',
    nodes: [
      'y = Resize(x, roi, scales){mode=nearest,coordinate_transformation_mode=asymmetric,nearest_mode=floor}',
    ],
    constants: [
      floatsToTensor('roi', [0], new Float32Array()),
      floatsToTensor('scales', [4], Float32Array.of(1, 1, 2, 2)),
    ],
    outputs: ['y'],
  },
  {
    what: 'RoiAlign with the old default',
    nodes: ['y = RoiAlign(x, rois, of){output_height=2,output_width=2}'],
    constants: [
      floatsToTensor('rois', [1, 4], Float32Array.of(0, 0, 6, 5)),
      integersToTensor('of', [1], [0]),
    ],
    outputs: ['y'],
  },
];

describe('an older operator set, made newer, computes the same', () => {
  test.each(CASES.flatMap((words) => [13, 17, 19, 21].map((target) => ({ ...words, target }))))(
    '$what → $target',
    async ({ target, ...words }) => {
      const { proto } = modelOf({ ...words, opset: 11 });
      const newer = convertOpset(proto, target, 'old.onnx');
      expect(opsetOf(newer)).toBe(target);
      expect(await run(newer)).toEqual(await run(proto));
    },
  );

  test('GridSample of opset 16', async () => {
    const { proto } = modelOf({
      opset: 16,
      nodes: ['y = GridSample(x, grid){mode=bilinear}'],
      constants: [floatsToTensor('grid', [1, 4, 4, 2], noise(32, 1))],
      outputs: ['y'],
    });
    expect(await run(convertOpset(proto, 21, 'old.onnx'))).toEqual(await run(proto));
  });

  test('a whole detector', async () => {
    const { proto } = await readModel('fixtures/signs/models/signs-v10.onnx');
    const newer = convertOpset(proto, 21, 'signs-v10.onnx');
    const outputs = await Promise.all(
      [proto, newer].map(async (one) => {
        const session = await InferenceSession.create(encodeModel(one), { logSeverityLevel: 3 });
        const images = new Tensor('float32', noise(3 * 192 * 192, 1), [1, 3, 192, 192]);
        return ((await session.run({ images }))['output0'] as Tensor).data;
      }),
    );
    expect(outputs[1]).toEqual(outputs[0]);
  });
});

test.each([
  [
    { opset: 18, nodes: ['y = GroupNormalization(x, w1, w2){num_groups=2}'], outputs: ['y'] },
    21,
    /node y \(GroupNormalization\): cannot be converted to opset 21: its scale and bias changed/,
  ],
  [
    {
      opset: 11,
      nodes: ['y = Resize(x, w1, w2){coordinate_transformation_mode=tf_half_pixel_for_nn}'],
      outputs: ['y'],
    },
    13,
    /node y \(Resize\): cannot be converted to opset 13: .*tf_half_pixel_for_nn/,
  ],
  [{ opset: 9, nodes: ['y = Relu(x)'], outputs: ['y'] }, 13, /has opset 9, which cannot be converted to 13/],
  [
    { opset: 20, nodes: ['y = Relu(x)'], outputs: ['y'] },
    17,
    /has opset 20, which cannot be converted to 17 \(only newer ones can be reached\)/,
  ],
] satisfies [Words, number, RegExp][])('%j is refused with the reason', (words, target, message) => {
  expect(() => convertOpset(modelOf(words).proto, target, 'old.onnx')).toThrow(message);
});

describe('binary16', () => {
  test('every finite value survives the way to float and back', () => {
    for (let bits = 0; bits < 0x7c00; bits++) {
      expect(floatToHalf(halfToFloat(bits))).toBe(bits);
      if (bits > 0) expect(floatToHalf(-halfToFloat(bits))).toBe(bits | 0x8000);
    }
  });

  test.each([
    [1 + 2 ** -11, 0x3c00, 'half way, to even'],
    [1 + 3 * 2 ** -11, 0x3c02, 'half way, to even'],
    [2047.5 / 1024, 0x4000, 'carries into the exponent'],
    [65519.99, 0x7bff, 'below the last tie'],
    [65520, 0x7c00, 'infinite'],
    [2 ** -25, 0, 'half of the smallest'],
    [2 ** -24 * 1.5, 2, 'subnormal, to even'],
    [-0, 0x8000, 'negative zero'],
  ])('%d → %d (%s)', (value, bits) => {
    expect(floatToHalf(value)).toBe(bits);
  });
});
