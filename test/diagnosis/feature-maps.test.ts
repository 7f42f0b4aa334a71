/** Where in the image a value lies is told of feature maps alone. */
import { expect, test } from '@jest/globals';
import { featureMaps, diagnose } from '../../src/diagnosis/index.js';
import { buildGraph, int8Tensor, readModel, type TensorProto } from '../../src/onnx/index.js';
import { TensorProto_DataType } from '../../src/onnx/generated/onnx_pb.js';
import { modelOf } from '../quantization/graphs.js';
import { bell, evidence, tensor } from './evidence.js';

const whole = (name: string, ...values: number[]): TensorProto =>
  Object.assign(int8Tensor(name, [values.length], new Int8Array()), {
    dataType: TensorProto_DataType.INT64,
    rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
  });

test('convolutions, pooling, activations and joined channels stay in their place; attention does not', async () => {
  const graph = buildGraph(await readModel('fixtures/signs/models/signs-v10.onnx'));
  const maps = featureMaps(graph);
  for (const name of [
    'images',
    '/b0/act/Mul_output_0',
    '/b8/Split_output_0',
    '/Concat_3_output_0',
    '/up/Resize_output_0',
  ])
    expect([name, graph.producerOf(name) !== undefined || name === 'images', maps.has(name)]).toEqual([
      name,
      true,
      true,
    ]);
  // [1, heads, channels, places]: four dimensions, and the last two are no place in the image.
  for (const name of ['/b10/attn/Split_output_2', '/b10/attn/MatMul_output_0'])
    expect([name, graph.producerOf(name) !== undefined, maps.has(name)]).toEqual([name, true, false]);
});

test.each([
  ['Focus', [1, 3, 8, 8], ['y = Slice(x, starts, ends, axes, steps)', 'z = Concat(y, y){axis=1}'], true],
  ['a crop', [1, 3, 8, 8], ['y = Slice(x, crop, ends, axes, steps)', 'z = Relu(y)'], false],
  ['an image with its channels last', [1, 8, 8, 3], ['z = Relu(x)'], false],
  ['the same, turned', [1, 8, 8, 3], ['y = Transpose(x){perm=[0,3,1,2]}', 'z = Relu(y)'], true],
  ['a map turned', [1, 3, 8, 8], ['y = Transpose(x){perm=[0,1,3,2]}', 'z = Relu(y)'], false],
  ['maps joined side by side', [1, 3, 8, 8], ['z = Concat(x, x){axis=3}'], false],
  ['what channels are weighed by', [1, 3, 8, 8], ['y = GlobalAveragePool(x)', 'z = Sigmoid(y)'], false],
  ['channels weighed', [1, 3, 8, 8], ['y = GlobalAveragePool(x)', 'z = Mul(x, y)'], true],
])('%s', (_, dims, nodes, is) => {
  const huge = 2 ** 31 - 1;
  const constants = [
    whole('starts', 0, 1),
    whole('crop', 4, 0),
    whole('ends', huge, huge),
    whole('axes', 2, 3),
    whole('steps', 2, 2),
  ];
  const graph = buildGraph(modelOf({ inputs: { x: dims }, outputs: ['z'], nodes, constants }));
  expect(featureMaps(graph).has('z')).toBe(is);
});

test.each([
  [
    '/b0/act/Mul_output_0',
    /largest value being 60 in 300017\.jpg around x \d+…\d+, y \d+…\d+ of that image\./,
  ],
  ['/b10/attn/Split_output_2', /largest value being 60 in 300017\.jpg\. With/],
])('the outlier of %s is told with what is known of its place', (name, says) => {
  const spike = Array.from({ length: 64 }, (_, i) =>
    i === 3 ? [...bell(16_383, 1, 18), 60] : bell(16_384, 1, i + 1),
  );
  const geometry = { scaleX: 1, scaleY: 1, padX: 0, padY: 0, originalWidth: 64, originalHeight: 64 };
  const found = diagnose(
    evidence({
      tensors: [tensor(name, { images: spike, shape: [1, 4, 64, 64] })],
      peaks: new Map([[3, { name: '300017.jpg', geometry }]]),
    }),
  );
  expect(found.map(({ sentence }) => sentence).join('\n')).toMatch(says);
});
