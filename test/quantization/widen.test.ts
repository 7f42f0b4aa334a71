import { expect, test } from '@jest/globals';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import {
  TensorProto_DataType,
  buildGraph,
  encodeModel,
  floatToHalf,
  halfToFloat,
  halvesToTensor,
  integersToTensor,
  parseModel,
  type ModelProto,
} from '../../src/onnx/index.js';
import { widened } from '../../src/quantization/index.js';
import { modelOf, noise } from './graphs.js';

const { FLOAT, FLOAT16 } = TensorProto_DataType;

/** A model that is fed and read in FP16, with FP16 weights and a shape made as exporters make them. */
function half(): ModelProto {
  const { proto } = modelOf({
    nodes: [
      'c = Conv(x, wh)',
      'up = Cast(c){to=1}',
      's = Sigmoid(up)',
      'down = Cast(s){to=10}',
      'shape = Shape(c)',
      'sizes = Cast(shape){to=10}',
      'first = Gather(sizes, at)',
      'm = Mul(down, first)',
      'y = Add(m, c)',
    ],
    constants: [halvesToTensor('wh', [8, 8, 1, 1], noise(64, 1)), integersToTensor('at', [], [1])],
    outputs: ['y', 'm'],
  });
  for (const { type } of [...(proto.graph?.input ?? []), ...(proto.graph?.output ?? [])])
    if (type?.value.case === 'tensorType') type.value.value.elemType = FLOAT16;
  return parseModel(encodeModel(proto), 'half.onnx').proto;
}

async function run(proto: ModelProto): Promise<readonly number[][]> {
  const session = await InferenceSession.create(encodeModel(proto), { logSeverityLevel: 3 });
  const bits = Uint16Array.from(noise(512, 3), floatToHalf);
  const result = await session.run({ x: new Tensor('float16', bits, [1, 8, 8, 8]) });
  await session.release();
  return ['y', 'm'].map((name) => {
    const { data, type } = result[name] as Tensor;
    expect(type).toBe('float16');
    const { buffer, byteOffset, length } = data as Uint16Array;
    return Array.from(new Uint16Array(buffer, byteOffset, length), halfToFloat);
  });
}

test('a model in FP16 computes the same in FP32, and is fed and read as before', async () => {
  const source = half();
  const full = widened(source);
  const graph = buildGraph({ proto: full });
  const inside = graph.nodes.flatMap(({ outputs }) => outputs).filter((name) => !['y', 'm'].includes(name));
  expect(inside.filter((name) => graph.elementType(name) === FLOAT16)).toEqual([]);
  expect(graph.constant('wh')?.dataType).toBe(FLOAT);
  // Casts between FP16 and FP32 have nothing to do; the one from integers has.
  expect(graph.nodes.filter(({ opType }) => opType === 'Cast').map(({ name }) => name)).toEqual([
    'x_widened_Cast',
    'sizes',
    'y_Cast',
    'm_Cast',
  ]);
  const [before, after] = [await run(source), await run(full)];
  for (const [k, values] of before.entries())
    for (const [i, value] of values.entries())
      expect(Math.abs(value - (after[k]?.[i] ?? NaN))).toBeLessThan(0.01 * Math.max(1, Math.abs(value)));
});

test('what has no FP16 is left alone, and nothing is done twice', () => {
  const { proto } = modelOf({ nodes: ['y = Conv(x, w)'], outputs: ['y'] });
  expect(widened(proto)).toBe(proto);
  const source = half();
  expect(widened(source)).toBe(widened(source));
});
