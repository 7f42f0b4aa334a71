import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType,
  NodeProtoSchema,
  type GraphProto,
} from '../../src/onnx/generated/onnx_pb.js';
import { buildGraph, encodeModel, parseModel, type Model } from '../../src/onnx/index.js';
import { floatModelOf, listLayers, quantize, tensorsToCalibrate } from '../../src/quantization/index.js';
import { modelOf, noise } from './graphs.js';

const plain = (): Model =>
  modelOf({ nodes: ['a = Conv(x, w1)', 'b = Relu(a)', 'c = Conv(b, w2)'], outputs: ['c'] });

/** The same net as another exporter would write it. */
const WAYS: Readonly<Record<string, (graph: GraphProto) => void>> = {
  'weights among the inputs': (graph) => {
    const like = graph.input[0]!;
    graph.input.push(...graph.initializer.map(({ name }) => ({ ...like, name })));
  },
  'weights among the inputs, in front of the image': (graph) => {
    const like = graph.input[0]!;
    graph.input.unshift(...graph.initializer.map(({ name }) => ({ ...like, name })));
  },
  'weights from Constant nodes': (graph) => {
    const constants = graph.initializer.map((t) =>
      create(NodeProtoSchema, {
        opType: 'Constant',
        output: [t.name],
        attribute: [
          create(AttributeProtoSchema, { name: 'value', type: AttributeProto_AttributeType.TENSOR, t }),
        ],
      }),
    );
    graph.node.unshift(...constants);
    graph.initializer.length = 0;
  },
  'nodes without names': (graph) => {
    for (const node of graph.node) node.name = '';
  },
};

/** Layers' weights, the model's inputs after quantization, and what it answers. */
async function quantized(model: Model): Promise<object> {
  const float = floatModelOf(model);
  const graph = buildGraph(float);
  const range = { amax: 1, min: -1, max: 1, calibrator: '' };
  const ranges = new Map(tensorsToCalibrate(graph, 'tensorrt').map((name) => [name, range]));
  const plan = { version: 1, operators: 'tensorrt', default: 'int8', layers: {} } as const;
  const { proto, int8Layers } = quantize(float, plan, ranges);
  const session = await InferenceSession.create(encodeModel(proto), {
    extra: { session: { disable_quant_qdq: '1' } },
  });
  const outputs = await session.run({ x: new Tensor('float32', noise(512, 7), [1, 8, 8, 8]) });
  await session.release();
  return {
    inputs: session.inputNames,
    int8: int8Layers.length,
    parameters: listLayers(graph, 'tensorrt').map(({ parameters }) => parameters),
    output: outputs.c?.data,
  };
}

describe('a model is quantized alike however its exporter wrote it', () => {
  test.each(Object.entries(WAYS))('%s', async (_way, change) => {
    const model = plain();
    change(model.proto.graph!);
    const expected = await quantized(plain());
    expect(expected).toMatchObject({ inputs: ['x'], int8: 2, parameters: [64, 64] });
    expect(await quantized(parseModel(encodeModel(model.proto), 'other.onnx'))).toEqual(expected);
  });
});
