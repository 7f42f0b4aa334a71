import { describe, expect, test } from '@jest/globals';
import type { ImageGeometry } from '../../src/dataset/index.js';
import {
  chooseDecoder,
  classNamesOf,
  inferPreprocessing,
  nonMaximumSuppression,
  type DecoderOverride,
  type ModelView,
} from '../../src/detection/index.js';

const view = (input: number[], output: number[], metadata: Record<string, string> = {}): ModelView => ({
  inputs: [{ name: 'images', type: 'float32', dims: input }],
  outputs: [{ name: 'output0', type: 'float32', dims: output }],
  metadata: new Map(Object.entries(metadata)),
});
const names = (n: number): string => `{${Array.from({ length: n }, (_, i) => `${i}: 'c${i}'`).join(', ')}}`;
const V10 = view([-1, 3, 192, 192], [-1, 100, 6], { end2end: 'True', names: names(8) });
const V8 = view([1, 3, 192, 192], [1, 12, 756], { names: names(8), end2end: 'False' });
const V5 = view([1, 3, 640, 640], [1, 25200, 85]);
const X = view([1, 3, 416, 416], [1, 3549, 85]);

describe('the decoder is found by evidence', () => {
  test.each([
    ['yolov10', V10],
    ['yolov10', view([1, 3, 640, 640], [1, 300, 6])],
    ['yolov8', V8],
    ['yolov8', view([1, 3, 640, 640], [1, 84, 8400])],
    ['yolov5', V5],
    ['yolox', X],
  ] as const)('%s', (format, model) => expect(chooseDecoder(model).decoder.format).toBe(format));

  test('an unknown layout is refused with the shapes and how to declare one', () => {
    expect(() => chooseDecoder(view([1, 3, 640, 640], [1, 77, 99]))).toThrow(
      /output0: float32\[1, 77, 99\]: no decoder knows these outputs\n.*decoder: \{ format: … \}/,
    );
  });

  test('an ambiguous one lists its candidates and is settled by the settings', () => {
    const both = view([1, 3, 416, 416], [1, 3549, 85], { stride: '32' });
    expect(() => chooseDecoder(both)).toThrow(/several decoders fit: yolox .*yolov5/);
    expect(chooseDecoder(both, { format: 'yolov5' }).decoder.format).toBe('yolov5');
  });
});

describe('boxes come back in pixels of the original image', () => {
  const geometry: ImageGeometry = {
    scaleX: 0.5,
    scaleY: 0.5,
    padX: 0,
    padY: 16,
    originalWidth: 384,
    originalHeight: 320,
  };
  const decode = (model: ModelView, data: number[], override?: DecoderOverride) => {
    const boxes: number[][] = [];
    const tensor = { type: 'float32', dims: model.outputs[0]!.dims, data: Float32Array.from(data) } as const;
    chooseDecoder(model, override).decoder.decode(new Map([['output0', tensor]]), geometry, (...box) =>
      boxes.push(box.map((v) => Math.round(v * 1000) / 1000)),
    );
    return boxes;
  };

  test('of rows x1 y1 x2 y2 score class, clipped to the image', () => {
    expect(decode(V10, [10, 26, 60, 76, 0.9, 3, 180, 160, 250, 190, 0.5, 0, 1, 1, 2, 2, 0, 0])).toEqual([
      [3, 20, 20, 100, 100, 0.9],
      [0, 360, 288, 24, 32, 0.5],
    ]);
  });

  test('of columns cx cy w h with class scores, after NMS', () => {
    const cells = 756;
    const data = new Array<number>(12 * cells).fill(0);
    const put = (cell: number, values: number[]): void =>
      values.forEach((value, row) => (data[row * cells + cell] = value));
    put(0, [50, 66, 20, 20, 0, 0.8]);
    put(1, [51, 66, 20, 20, 0, 0.7]);
    put(2, [51, 66, 20, 20, 0.6]);
    expect(decode(V8, data)).toEqual([
      [1, 80, 80, 40, 40, 0.8],
      [0, 82, 80, 40, 40, 0.6],
    ]);
  });

  test('of offsets on a grid', () => {
    const data = new Array<number>(3549 * 85).fill(0);
    const cell = 52 * 3 + 4; // stride 8, row 3, column 4
    [0.5, 0.25, Math.log(2), Math.log(3), 0.9].forEach((value, i) => (data[cell * 85 + i] = value));
    data[cell * 85 + 5 + 7] = 0.5;
    // centre (36, 26), 16 by 24
    expect(decode(X, data)).toEqual([[7, 56, 0, 32, 44, 0.45]]);
  });

  test.each([NaN, Infinity])('%p is a fault', (value) =>
    expect(() => decode(V10, [0, 0, 1, 1, value, 0])).toThrow(
      /output output0: the model answers (NaN|Infinity) \(element 4\)/,
    ),
  );
});

test('NMS keeps IoU equal to the limit, drops above it, by class, ties in order', () => {
  const corners = [0, 0, 10, 10, 0, 0, 10, 5, 0, 0, 10, 10, 20, 20, 30, 30];
  const candidates = { corners, classes: [0, 0, 1, 0], scores: [0.9, 0.8, 0.7, 0.8] };
  expect(nonMaximumSuppression(candidates, 0.5, 100)).toEqual([0, 1, 3, 2]);
  expect(nonMaximumSuppression(candidates, 0.49, 100)).toEqual([0, 3, 2]);
  expect(nonMaximumSuppression(candidates, 0.49, 2)).toEqual([0, 3]);
});

describe('preprocessing', () => {
  test.each([
    ['Ultralytics', V10, { resize: 'letterbox', color: 'rgb', scale: 1 / 255, width: 192, layout: 'nchw' }],
    ['YOLOX', X, { resize: 'letterbox-top-left', color: 'bgr', scale: 1, width: 416 }],
    ['NHWC', view([1, 640, 640, 3], [1, 300, 6]), { layout: 'nhwc', height: 640 }],
    ['free size', view([-1, 3, -1, -1], [-1, 300, 6], { imgsz: '[640, 480]' }), { height: 640, width: 480 }],
  ] as const)('of %s', (_, model, expected) =>
    expect(inferPreprocessing(model, chooseDecoder(model)).spec).toMatchObject(expected),
  );

  test('a size that the model cannot take is refused', () => {
    expect(() => inferPreprocessing(V8, chooseDecoder(V8), { height: 320, width: 320 })).toThrow(
      /asks for 320×320 .* fixed at \[1, 3, 192, 192\]/,
    );
  });
});

describe('classes', () => {
  test.each([
    [`{0: 'it\\'s', 1: "b"}`, ["it's", 'b']],
    ['{"0": "a", "1": "b, c"}', ['a', 'b, c']],
    [`['x', "y"]`, ['x', 'y']],
  ])('names %s', (text, expected) => expect(classNamesOf(view([], [], { names: text }))).toEqual(expected));

  test('are read from a line each, as exports of RapidAI have them', () =>
    expect(classNamesOf(view([], [], { character: 'text\ntitle\r\nfigure caption\n' }))).toEqual([
      'text',
      'title',
      'figure caption',
    ]));
});
