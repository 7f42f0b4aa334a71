import { describe, expect, test } from '@jest/globals';
import type { ImageGeometry } from '../../src/dataset/index.js';
import {
  chooseDecoder,
  inferPreprocessing,
  mapClasses,
  type DecoderOverride,
  type ModelView,
} from '../../src/detection/index.js';
import type { TensorSpec } from '../../src/engine/index.js';
import { CASES, decode, filled, LETTERBOX, ln, names, P, STRETCH, view } from './families.js';

describe('each family is found and decoded', () => {
  test.each(CASES)('$format', ({ format, model, data, geometry, expected, override }) => {
    expect(chooseDecoder(model, override).decoder.format).toBe(format);
    const found = decode(model, data, geometry, override);
    // Queries give a pair for every class; the pairs of almost nothing are not of interest.
    expect(found.filter((box) => (box[5] as number) > 0.005)).toEqual(expected);
  });
});

describe('raw heads of YOLOv5 and v7', () => {
  const anchors = [
    [10, 13, 16, 30, 33, 23],
    [30, 61, 62, 45, 59, 119],
    [116, 90, 156, 198, 373, 326],
  ];
  const rank5 = view([8, 4, 2].map((side) => [`head${side}`, [1, 3, side, side, 8]]));
  const rank4 = view([2, 8, 4].map((side) => [`head${side}`, [1, 24, side, side]]));

  test('are refused without anchors', () =>
    expect(() => chooseDecoder(rank5)).toThrow(
      /3 raw heads, 8 numbers for each of 3 anchors, but nothing tells the anchors\n.*anchors: \[\[10, 13/,
    ));

  test.each([
    ['settings', rank5, { anchors }],
    ['metadata', { ...rank5, metadata: new Map([['anchors', JSON.stringify(anchors)]]) }, 'auto'],
  ] as const)('are decoded with those of the %s', (_, model, override) => {
    const head = filled(3 * 16 * 8, [], P);
    // Level of stride 16, anchor 1 (62 by 45), row 1, column 2: σ(0) = ½ gives the cell's centre and the anchor's size.
    const at = (1 * 16 + 1 * 4 + 2) * 8;
    [0, 0, -ln(3), -ln(3), ln(4), P, ln(3), P].forEach((value, i) => (head[at + i] = value));
    const data = [filled(3 * 64 * 8, [], P), head, filled(3 * 4 * 8, [], P)];
    // (2·½ - ½ + 2)·16 = 40 and 24; (2·¼)² = ¼ of the anchor.
    expect(decode(model, data, { ...LETTERBOX, padY: 0 }, override)).toEqual([
      [1, 64.5, 36.75, 31, 22.5, 0.6],
    ]);
  });

  test('of rank 4 are sorted by stride', () => {
    const head = filled(24 * 16, [], P);
    [0, 0, -ln(3), -ln(3), ln(4), P, ln(3), P].forEach((value, i) => (head[(8 + i) * 16 + 6] = value));
    const data = [filled(24 * 4, [], P), filled(24 * 64, [], P), head];
    expect(decode(rank4, data, { ...LETTERBOX, padY: 0 }, { anchors })).toEqual([
      [1, 64.5, 36.75, 31, 22.5, 0.6],
    ]);
  });
});

describe('further inputs', () => {
  const deploy = CASES.find(({ format }) => format === 'rtdetr-deploy')!.model;
  const paddle = CASES.find(({ format }) => format === 'paddle')!.model;
  const extras = (model: ModelView, geometry: ImageGeometry) =>
    Object.entries(chooseDecoder(model).decoder.extras!(geometry)).map(([name, { type, dims, data }]) => [
      name,
      type,
      dims,
      [...data],
    ]);
  test.each([
    ['the size of a stretched image', deploy, STRETCH, ['orig_target_sizes', 'int64', [1, 2], [128, 96]]],
    ['the canvas of a padded one', deploy, LETTERBOX, ['orig_target_sizes', 'int64', [1, 2], [64, 64]]],
    [
      'the scale of a stretched image',
      paddle,
      STRETCH,
      ['scale_factor', 'float32', [1, 2], [Math.fround(64 / 96), 0.5]],
    ],
    ['no scale of a padded one', paddle, LETTERBOX, ['scale_factor', 'float32', [1, 2], [1, 1]]],
  ] as const)('tell %s', (_, model, geometry, expected) =>
    expect(extras(model, geometry)).toEqual([expected]),
  );
});

describe('what is not certain', () => {
  const pair = view([
    ['logits', [1, 300, 7]],
    ['pred_boxes', [1, 300, 4]],
  ]);
  test('is refused with the candidates and their evidence', () =>
    expect(() => chooseDecoder(pair)).toThrow(
      /several decoders fit: rtdetr \(.*300 queries, 7 logits each\); detr \(.*no object\)/,
    ));
  test.each([
    ['the format', { format: 'detr' }, 'detr', 6],
    ['class names', { classes: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] }, 'rtdetr', 7],
  ] as const)('is settled by %s', (_, override, format, classCount) =>
    expect(chooseDecoder(pair, override).decoder).toMatchObject({ format, classCount }),
  );
  test('two classes and six columns are told apart by operators', () => {
    const six = (operators: string[]) =>
      chooseDecoder(view([['output0', [1, 300, 6]]], { metadata: names(2), operators: new Set(operators) }));
    expect(six(['TopK']).decoder.format).toBe('yolov10');
    expect(six(['TopK', 'GridSample']).decoder.format).toBe('rtdetr-ultralytics');
  });
  test('outputs are named by the settings', () => {
    const odd = view([
      ['a', [1, 5, 4]],
      ['b', [1, 5]],
      ['c', [1, 5], 'int64'],
      ['d', [1, 1], 'int64'],
    ]);
    expect(() => chooseDecoder(odd)).toThrow(/a: float32\[1, 5, 4\]; b: .*no decoder knows these outputs/);
    const outputs = { boxes: 'a', scores: 'b', classes: 'c', count: 'd' };
    expect(chooseDecoder(odd, { format: 'efficient-nms', outputs }).decoder.format).toBe('efficient-nms');
    expect(() => chooseDecoder(odd, { outputs: { boxes: 'x' } })).toThrow(
      /decoder\.outputs\.boxes: the model has no output called x\n.*Its outputs are a: float32/,
    );
  });
  test('a model of another task is refused', () =>
    expect(() =>
      chooseDecoder(view([['o', [1, 300, 6]]], { metadata: new Map([['task', 'pose']]) })),
    ).toThrow(/metadata task: says pose/));
});

describe('classes', () => {
  const categories = [
    { id: 3, name: 'gull' },
    { id: 5, name: 'buoy' },
  ];
  const map = (format: string, override?: DecoderOverride) => {
    const { model } = CASES.find((one) => one.format === format)!;
    const { decoder } = chooseDecoder(model, override);
    return [...mapClasses(decoder, model, categories, override).index];
  };
  test('of torchvision and TF begin at 1', () => {
    expect(map('torchvision')).toEqual([-1, 0, 1]);
    expect(map('tf-od', { classes: ['buoy', 'gull'] })).toEqual([-1, 1, 0]);
    expect(map('tf-od', { classes: ['background', 'buoy', 'gull'] })).toEqual([-1, 1, 0]);
  });
  test('of RF-DETR are category ids', () => {
    const index = map('rf-detr');
    expect([index[3], index[5], index[0], index.length]).toEqual([0, 1, -1, 91]);
  });
});

test.each([
  ['rtdetr-deploy', { resize: 'stretch', interpolation: 'pil', color: 'rgb', scale: 1 / 255 }],
  ['rf-detr', { resize: 'stretch', mean: [0.485, 0.456, 0.406] }],
  ['mmdeploy', { resize: 'stretch', color: 'bgr', scale: 1, std: [57.375, 57.12, 58.395] }],
  ['tf-od', { resize: 'stretch', scale: 1 }],
  ['paddle', { resize: 'stretch', interpolation: 'opencv-cubic' }],
])('%s has the preprocessing of its family', (format, expected) => {
  const { model } = CASES.find((one) => one.format === format)!;
  expect(inferPreprocessing(model, chooseDecoder(model)).spec).toMatchObject(expected);
});

test('a free input size is taken from the settings', () => {
  const inputs: TensorSpec[] = [{ name: 'images', type: 'float32', dims: [1, 3, -1, -1] }];
  const model = view([['output0', [1, 7, 84]]], { inputs, size: { height: 64, width: 64 } });
  expect(chooseDecoder(model).decoder.format).toBe('yolov8');
});
