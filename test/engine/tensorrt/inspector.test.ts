import { describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { parseInspector, withTimes, type EngineLayer } from '../../../src/engine/index.js';

const read = async (name: string): Promise<readonly EngineLayer[] | undefined> =>
  parseInspector(JSON.parse(await readFile(`test/engine/tensorrt/${name}`, 'utf8')));

describe('the inspector of TensorRT 10.6, on signs', () => {
  test('is read whole: which nodes are in a layer, and what it computes in', async () => {
    const layers = await read('inspector-10.json');
    expect(
      layers?.map(({ name, nodes, precision, reformat }) => ({ name, nodes, precision, reformat })),
    ).toMatchSnapshot();
  });
});

describe('the inspector of TensorRT 11', () => {
  test('has types and formats apart', () => {
    const layers = parseInspector({
      Layers: [
        {
          Name: 'conv',
          LayerType: 'CaskConvolution',
          ParameterType: 'Convolution',
          Weights: { Type: 'Half', Count: 9 },
          Inputs: [{ Name: 'x', Format: 'Channel-last', DataType: 'Half' }],
          Outputs: [{ Name: 'y', Format: 'Channel-last', DataType: 'Half' }],
          Metadata: '[ONNX Layer: /a[0]/Conv]\u001e[ONNX Layer: /a/act]\u001e[ONNX Layer: /a/act]',
        },
        { Name: 'r', LayerType: 'Reformat', Inputs: [{ DataType: 'Int8' }], Outputs: [{ DataType: 'Half' }] },
        { Name: 'm', LayerType: 'kgen', Inputs: [], Outputs: [{ DataType: 'Float' }] },
        { Name: 's', LayerType: 'kgen', Inputs: [{ DataType: 'Int64' }], Outputs: [] },
      ],
    });
    expect(layers?.map(({ nodes, precision, reformat }) => [nodes, precision, reformat])).toEqual([
      [['/a[0]/Conv', '/a/act'], 'fp16', false],
      [[], 'int8', true],
      [[], 'fp32', false],
      [[], 'other', false],
    ]);
  });
});

test.each([
  ['no detail, only names', { Layers: ['conv', 'relu'] }],
  ['something else', { layers: [] }],
  ['nothing', null],
])('%s is no detail', (_, json) => {
  expect(parseInspector(json)).toBeUndefined();
});

test('times stand beside their layers; one without a time stays without', () => {
  const [a, b] = ['a', 'b'].map((name): EngineLayer => ({
    name,
    type: 'kgen',
    nodes: [],
    precision: 'int8',
    reformat: false,
  })) as [EngineLayer, EngineLayer];
  expect(withTimes([a, b], [{ name: 'a', ms: 0.25 }])).toEqual([{ ...a, ms: 0.25 }, b]);
});
