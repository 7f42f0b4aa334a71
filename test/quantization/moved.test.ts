import { describe, expect, test } from '@jest/globals';
import { buildGraph, floatsToTensor } from '../../src/onnx/index.js';
import { elementsMoved, listLayers, withMacs } from '../../src/quantization/index.js';
import { modelOf } from './graphs.js';

const weights = (name: string, dims: number[]) =>
  floatsToTensor(name, dims, new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.5));

describe('elements that a layer moves are weights, what it reads, and what it gives', () => {
  test.each([
    ['a convolution', 'y = Conv(x, w)', [16, 8, 1, 1], 128 + 512 + 16 * 64],
    ['with stride', 'y = Conv(x, w){strides=[2,2]; pads=[1,1,1,1]}', [16, 8, 3, 3], 1152 + 512 + 16 * 16],
    ['by channel', 'y = Conv(x, w){pads=[1,1,1,1]; group=8}', [8, 1, 3, 3], 72 + 512 + 512],
    ['turned round', 'y = ConvTranspose(x, w){strides=[2,2]}', [8, 4, 2, 2], 128 + 512 + 4 * 256],
    ['a product', 'y = MatMul(x, w)', [8, 5], 40 + 512 + 8 * 8 * 5],
    ['a product of activations', 'y = MatMul(x, x)', [], 512 + 512],
  ])('%s', (_what, node, dims, expected) => {
    const model = modelOf({
      outputs: ['z'],
      nodes: [node, 'z = Relu(y)'],
      constants: dims.length === 0 ? [] : [weights('w', dims)],
    });
    const graph = buildGraph(model);
    const shapes = new Map([['x', { shape: [1, 8, 8, 8] }]]);
    const [layer] = withMacs(listLayers(graph, 'tensorrt'), graph, shapes);
    if (layer === undefined) throw new Error('there is no layer');
    expect(elementsMoved(layer, graph, shapes)).toBe(expected);
    expect(elementsMoved(layer, graph, new Map())).toBeUndefined();
  });
});
