import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { prepareImage, type Raster } from '../../src/dataset/index.js';
import {
  chooseDecoder,
  inferPreprocessing,
  refusePlugins,
  type ModelView,
} from '../../src/detection/index.js';
import { createOnnxRuntimeEngine, type Engine } from '../../src/engine/index.js';
import { buildGraph, encodeModel, type Model } from '../../src/onnx/index.js';
import type { Export } from './exports-common.js';
import { EXPORTS } from './exports.js';
import { exportOf } from './onnx-exports.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntimeEngine({ threads: 1, batch: 1 });
});
afterAll(() => engine.close());

const photo: Raster = {
  data: Uint8Array.from({ length: 128 * 96 * 3 }, (_, i) => [51, 102, 204][i % 3]!),
  width: 128,
  height: 96,
};

/** From the file to boxes, as a run does it. */
async function detect(model: Model, { size, categories, override }: Export) {
  const session = await engine.load({ name: model.name, bytes: encodeModel(model.proto) });
  const graph = buildGraph(model);
  const view: ModelView = {
    inputs: session.inputs,
    outputs: session.outputs,
    metadata: graph.metadata,
    operators: new Set(graph.nodes.map(({ opType }) => opType)),
    ...(size !== undefined && { size }),
    ...(categories !== undefined && { categories }),
  };
  const choice = chooseDecoder(view, override);
  const { spec } = inferPreprocessing(view, choice);
  const boxes: number[][] = [];
  await session.run(
    {
      count: 1,
      spec,
      image: () => Promise.resolve(prepareImage(photo, spec)),
      extras: (_, { geometry }) => choice.decoder.extras?.(geometry) ?? {},
    },
    (_, outputs) =>
      choice.decoder.decode(outputs, prepareImage(photo, spec).geometry, (...box) =>
        boxes.push(box.map((v) => Math.round(v * 100) / 100)),
      ),
  );
  await session.release();
  return { format: choice.decoder.format, spec, boxes: boxes.filter((box) => box[5]! > 0.005) };
}

describe('what exporters write is found, fed and decoded', () => {
  test.each(EXPORTS)('$title', async (words) => {
    const { format, spec, boxes } = await detect(exportOf(words), words);
    expect(format).toBe(words.format);
    expect(spec).toMatchObject(words.spec);
    expect(boxes).toEqual(words.expected);
  });
});

describe('what is no detector, or cannot be run, is refused by name', () => {
  const view = (
    outputs: readonly (readonly [string, number[]])[],
    metadata: Record<string, string> = {},
  ): ModelView => ({
    inputs: [{ name: 'images', type: 'float32', dims: [1, 3, 640, 640] }],
    outputs: outputs.map(([name, dims]) => ({ name, type: 'float32', dims })),
    metadata: new Map(Object.entries(metadata)),
  });
  test.each([
    [
      'YOLO-seg without metadata',
      view([
        ['output0', [1, 116, 8400]],
        ['output1', [1, 32, 160, 160]],
      ]),
      /output1 tells of a segmentation model/,
    ],
    [
      'Mask R-CNN of MMDeploy',
      view([
        ['dets', [1, 100, 5]],
        ['labels', [1, 100]],
        ['masks', [1, 100, 28, 28]],
      ]),
      /masks tells of a segmentation model/,
    ],
    [
      'YOLO-NAS pose',
      view([
        ['graph2_num_predictions', [1, 1]],
        ['graph2_post_nms_boxes', [1, 1000, 4]],
        ['graph2_post_nms_scores', [1, 1000]],
        ['graph2_post_nms_joints', [1, 1000, 17, 3]],
      ]),
      /post_nms_joints tells of a pose model/,
    ],
    ['YOLO-obb', view([['output0', [1, 20, 8400]]], { task: 'obb' }), /metadata task: says obb/],
  ])('%s', (_, model, message) => expect(() => chooseDecoder(model)).toThrow(message));

  test('plugins of TensorRT', () => {
    expect(() => refusePlugins('v7.onnx', ['Conv', 'EfficientNMS_TRT', 'EfficientNMS_TRT'])).toThrow(
      /^v7\.onnx: holds EfficientNMS_TRT: a plugin of TensorRT.*\n.*without `--end2end`/,
    );
    expect(() => refusePlugins('v8.onnx', ['Conv', 'NonMaxSuppression', 'Transpose'])).not.toThrow();
  });

  test('a further input that nothing can fill', () => {
    const model = view([['output0', [1, 84, 8400]]]);
    const text = { name: 'txt_feats', type: 'float32', dims: [1, 80, 512] } as const;
    expect(() => chooseDecoder({ ...model, inputs: [...model.inputs, text] })).toThrow(
      /txt_feats: it is not known what to fill in beside the image/,
    );
  });
});

describe('what more than one decoder reads is refused with the candidates', () => {
  const choose = (output: TensorWords, more: Partial<ModelView> = {}) =>
    chooseDecoder({
      inputs: [{ name: 'images', type: 'float32', dims: [1, 3, 640, 640] }],
      outputs: [{ type: 'float32', ...output }],
      metadata: new Map(),
      ...more,
    }).decoder.format;
  type TensorWords = { readonly name: string; readonly dims: readonly number[] };
  test.each([
    ['6 columns on cells: two classes of YOLOv8, or one of YOLOX', [1, 8400, 6], /yolox .*yolov8/, {}],
    ['six columns on a free number of rows', [-1, -1, 6], /yolov10 .*yolov5/, { categories: 1 }],
  ] as const)('%s', (_, dims, message, more) =>
    expect(() => choose({ name: 'output', dims }, more)).toThrow(message),
  );
  test.each([
    ['the number of categories', { categories: 2 }, 'yolov8'],
    ['the number of categories', { categories: 1 }, 'yolox'],
    ['operators', { operators: new Set(['Conv', 'Sigmoid']) }, 'yolox'],
  ] as const)('and settled by %s', (_, more, format) =>
    expect(choose({ name: 'output', dims: [1, 8400, 6] }, more)).toBe(format),
  );
});

test('YOLO-NAS leaves four pixels free at its 640, and nowhere else', () => {
  const at = (side: number, cells: number) => {
    const view: ModelView = {
      inputs: [{ name: 'input', type: 'float32', dims: [1, 3, side, side] }],
      outputs: [
        { name: '904', type: 'float32', dims: [1, cells, 4] },
        { name: '913', type: 'float32', dims: [1, cells, 80] },
      ],
      metadata: new Map(),
    };
    return inferPreprocessing(view, chooseDecoder(view)).spec.margin;
  };
  expect([at(640, 8400), at(320, 2100)]).toEqual([4, undefined]);
});
