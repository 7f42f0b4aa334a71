import { describe, expect, test } from '@jest/globals';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import {
  buildGraph,
  encodeModel,
  floatsToTensor,
  halvesToTensor,
  integersToTensor,
  type Model,
  type TensorProto,
} from '../../src/onnx/index.js';
import { floatModelOf, listLayers, quantize } from '../../src/quantization/index.js';
import { modelOf, noise, weightOf, type Words } from './graphs.js';

const matrix = (name: string, dims: readonly number[]): TensorProto =>
  floatsToTensor(
    name,
    dims,
    noise(
      dims.reduce((a, b) => a * b, 1),
      5,
    ),
  );
const rows = { x: [1, 4, 8] };
const shape = (values: readonly number[]): TensorProto => integersToTensor('shape', [values.length], values);

async function run({ proto }: Pick<Model, 'proto'>, dims: readonly number[]): Promise<number[]> {
  const session = await InferenceSession.create(encodeModel(proto), { logSeverityLevel: 3 });
  const x = new Tensor(
    'float32',
    noise(
      dims.reduce((a, b) => a * b, 1),
      3,
    ),
    dims,
  );
  const outputs = await session.run({ x });
  await session.release();
  return [...(Object.values(outputs)[0]?.data as Float32Array)];
}

/** Files whose exporter folded no constants. */
const UNFOLDED: readonly (readonly [name: string, words: Words, gone: readonly string[]])[] = [
  [
    'a Transpose in front of a MatMul, as of a linear layer',
    {
      inputs: rows,
      nodes: ['wt = Transpose(m){perm=[1,0]}', 'y = MatMul(x, wt)'],
      outputs: ['y'],
      constants: [matrix('m', [6, 8])],
    },
    ['wt'],
  ],
  [
    'a Transpose that names no order',
    {
      inputs: rows,
      nodes: ['wt = Transpose(m)', 'y = MatMul(x, wt)'],
      outputs: ['y'],
      constants: [matrix('m', [6, 8])],
    },
    ['wt'],
  ],
  [
    'weights stored in FP16 behind a Cast and a Transpose of rank 4',
    {
      nodes: ['t = Transpose(h){perm=[1,0,3,2]}', 'c = Cast(t){to=1}', 'y = Conv(x, c)'],
      outputs: ['y'],
      constants: [halvesToTensor('h', [8, 5, 1, 3], noise(120, 7))],
    },
    ['t', 'c'],
  ],
  [
    'a Reshape with 0 and -1, then an Unsqueeze',
    {
      nodes: ['r = Reshape(m, shape)', 'u = Unsqueeze(r, axes)', 'y = Conv(x, u)'],
      outputs: ['y'],
      constants: [matrix('m', [6, 4, 2]), shape([0, -1]), integersToTensor('axes', [2], [-1, 2])],
    },
    ['r', 'u'],
  ],
  [
    'a bias behind a Squeeze of opset 11',
    {
      opset: 11,
      nodes: ['s = Squeeze(b){axes=[0]}', 'y = Conv(x, w, s)'],
      outputs: ['y'],
      constants: [matrix('b', [1, 8])],
    },
    ['s'],
  ],
];

describe('weights that a file computes from constants', () => {
  test.each(UNFOLDED)('%s', async (_name, words, gone) => {
    const dims = Object.values(words.inputs ?? { x: [1, 8, 8, 8] })[0] as readonly number[];
    const model = modelOf(words);
    const folded = floatModelOf(model);
    const graph = buildGraph(folded);
    expect(graph.nodes.map(({ name }) => name)).toEqual(['y']);
    for (const name of gone.slice(-1)) expect(graph.initializer(name)?.dataType).toBe(1);
    expect(await run(folded, dims)).toEqual(await run(model, dims));
    const layers = listLayers(graph, 'tensorrt');
    expect(layers).toMatchObject([{ name: 'y', activations: ['x'], attention: false }]);
    const ranges = new Map([['x', { amax: 1, min: -1, max: 1, calibrator: '' }]]);
    const { scales } = quantize(
      folded,
      { version: 1, operators: 'tensorrt', default: 'int8', layers: {} },
      ranges,
    );
    expect(scales.map(({ kind }) => kind)).toEqual(['activation', 'weight']);
    expect(scales[1]?.axis).toBeDefined();
  });

  test('what another node reads too stays readable', async () => {
    const model = modelOf({
      inputs: rows,
      nodes: ['wt = Transpose(m)', 'p = MatMul(x, wt)', 'q = ReduceMax(wt){keepdims=0}', 'y = Mul(p, q)'],
      outputs: ['y'],
      constants: [matrix('m', [6, 8])],
    });
    const folded = floatModelOf(model);
    expect(buildGraph(folded).nodes.map(({ name }) => name)).toEqual(['p', 'q', 'y']);
    expect(await run(folded, [1, 4, 8])).toEqual(await run(model, [1, 4, 8]));
  });

  test.each<readonly [string, Words]>([
    ['a model that has none', { nodes: ['y = Conv(x, w)'], outputs: ['y'] }],
    [
      'weights shared through Identity, which stay shared',
      { nodes: ['i = Identity(w)', 'y = Conv(x, i)'], outputs: ['y'] },
    ],
    [
      'FP16 weights of an FP16 layer',
      {
        nodes: ['i = Transpose(h)', 'y = MatMul(x, i)'],
        outputs: ['y'],
        constants: [halvesToTensor('h', [8, 8], noise(64, 1))],
      },
    ],
  ])('%s is left as it is', (_name, words) => {
    const model = modelOf(words);
    expect(floatModelOf(model)).toBe(model);
  });
});

describe('layers of which only one operand could be INT8 are none', () => {
  const names = (words: Words): readonly string[] =>
    listLayers(buildGraph(modelOf(words)), 'tensorrt').map(({ name }) => name);

  test('a convolution with weights computed from the image', () => {
    const dynamic = {
      nodes: ['a = Conv(x, w)', 'g = GlobalAveragePool(a)', 'k = Reshape(g, shape)', 'y = Conv(a, k)'],
      outputs: ['y'],
      constants: [shape([1, 8, 1, 1])],
    };
    expect(names(dynamic)).toEqual(['a']);
  });

  test('a product with a constant on its left; a product of two activations is one', () => {
    expect(
      names({
        inputs: rows,
        nodes: ['y = MatMul(m, x)'],
        outputs: ['y'],
        constants: [weightOf('m', 1, [1, 3, 4])],
      }),
    ).toEqual([]);
    expect(names({ nodes: ['a = Relu(x)', 'y = MatMul(x, a)'], outputs: ['y'] })).toEqual(['y']);
    expect(names({ nodes: ['y = MatMul(x, x)'], outputs: ['y'] })).toEqual(['y']);
  });
});
