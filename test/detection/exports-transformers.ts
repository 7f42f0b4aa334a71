import {
  BOXED,
  type Export,
  IMAGENET,
  RGB,
  STRETCH,
  STRETCHED,
  centred,
  image,
  row,
  ultralytics,
} from './exports-common.js';
import { P, filled, ln } from './families.js';
import type { Put } from './onnx-exports.js';

export const TRANSFORMERS: readonly Export[] = [
  {
    title: 'RT-DETR, D-FINE, DEIM',
    format: 'rtdetr-deploy',
    inputs: [
      ['images', ['N', 3, 64, 64]],
      ['orig_target_sizes', ['N', 2], 'int64'],
    ],
    outputs: [
      { name: 'labels', dims: ['N', 300], ran: [1, 300], type: 'int64', puts: [[0, [2]]] },
      {
        name: 'boxes',
        dims: ['N', 300, 4],
        ran: [1, 300, 4],
        puts: [[0, [0.375, 0.25, 0.625, 0.75]]],
        scaled: { by: 'orig_target_sizes', at: [0, 1, 0, 1] },
      },
      { name: 'scores', dims: ['N', 300], ran: [1, 300], seen: { at: 0, pixel: RGB, value: 0.5 } },
    ],
    spec: { ...STRETCH, interpolation: 'pil' },
    expected: [[2, ...STRETCHED, 0.5]],
  },
  {
    title: 'RT-DETR and D-FINE of Transformers',
    format: 'rtdetr',
    inputs: [['pixel_values', ['batch_size', 'num_channels', 'height', 'width']]],
    outputs: [
      {
        ...row(
          { name: 'logits', dims: ['batch_size', 'num_queries', 80], ran: [1, 300, 80], zero: P },
          80,
          0,
          [],
          5,
          RGB,
          -P + ln(3),
        ),
      },
      { name: 'pred_boxes', dims: ['batch_size', 'num_queries', 4], ran: [1, 300, 4], puts: [[0, centred]] },
    ],
    size: { height: 64, width: 64 },
    spec: { ...STRETCH, interpolation: 'pil' },
    expected: [[5, ...STRETCHED, 0.75]],
  },
  {
    title: 'RT-DETR of Ultralytics',
    format: 'rtdetr-ultralytics',
    inputs: image('images'),
    outputs: [row({ name: 'output0', dims: [1, 300, 7] }, 7, 0, [...centred, 0, 0, 0], 6, RGB)],
    metadata: ultralytics(3, { description: 'Ultralytics rtdetr-l model trained on coco.yaml' }),
    spec: { ...STRETCH, interpolation: 'opencv' },
    expected: [[2, ...STRETCHED, 0.5]],
  },
  {
    title: 'RT-DETR of Ultralytics, two classes',
    format: 'rtdetr-ultralytics',
    inputs: image('images'),
    outputs: [row({ name: 'output0', dims: [1, 300, 6] }, 6, 0, [...centred, 0, 0], 5, RGB)],
    metadata: ultralytics(2, { description: 'Ultralytics rtdetr-l model' }),
    operators: ['GridSample'],
    spec: { ...STRETCH, interpolation: 'opencv' },
    expected: [[1, ...STRETCHED, 0.5]],
  },
  {
    title: 'RT-DETR of Ultralytics with free axes',
    format: 'rtdetr-ultralytics',
    inputs: [['images', ['batch', 3, 'height', 'width']]],
    outputs: [
      row(
        { name: 'output0', dims: ['batch', 300, 'anchors'], ran: [1, 300, 7] },
        7,
        0,
        [...centred, 0, 0, 0],
        6,
        RGB,
      ),
    ],
    metadata: ultralytics(3, { description: 'Ultralytics rtdetr-l model' }),
    spec: { ...STRETCH, interpolation: 'opencv' },
    expected: [[2, ...STRETCHED, 0.5]],
  },
  {
    title: 'RT-DETR of Ultralytics with free axes, columns told',
    format: 'rtdetr-ultralytics',
    inputs: [['images', ['batch', 3, 'height', 'width']]],
    outputs: [
      row(
        { name: 'output0', dims: ['batch', 'Concat_dim_1', 7], ran: [1, 300, 7] },
        7,
        0,
        [...centred, 0, 0, 0],
        6,
        RGB,
      ),
    ],
    metadata: ultralytics(3, { description: 'Ultralytics rtdetr-l model' }),
    operators: ['GridSample', 'TopK'],
    spec: { ...STRETCH, interpolation: 'opencv' },
    expected: [[2, ...STRETCHED, 0.5]],
  },
  {
    title: 'RF-DETR',
    format: 'rf-detr',
    inputs: image('input'),
    outputs: [
      { name: 'dets', dims: [1, 300, 4], puts: [[0, centred]] },
      row({ name: 'labels', dims: [1, 300, 91], zero: P }, 91, 0, [], 17, IMAGENET, -P + ln(3)),
    ],
    spec: { resize: 'stretch', interpolation: 'pil', mean: [0.485, 0.456, 0.406] },
    expected: [[17, ...STRETCHED, 0.75]],
  },
  {
    title: 'DETR',
    format: 'detr',
    inputs: image('inputs'),
    outputs: [
      // The other queries see nothing: 0 against their last class.
      {
        name: 'pred_logits',
        dims: [1, 100, 92],
        puts: Array.from({ length: 100 }, (_, i): Put => [
          i * 92,
          filled(92, [[91, [i === 0 ? -40 : 40]]], -40),
        ]),
        seen: { at: 17, pixel: IMAGENET, value: 80 },
      },
      { name: 'pred_boxes', dims: [1, 100, 4], puts: [[0, centred]] },
    ],
    spec: { resize: 'stretch', interpolation: 'pil', mean: [0.485, 0.456, 0.406] },
    expected: [[17, ...STRETCHED, 1]],
  },
  {
    title: 'DETR of Transformers, with its mask',
    format: 'detr',
    inputs: [
      ['pixel_values', ['batch_size', 'num_channels', 'height', 'width']],
      ['pixel_mask', ['batch_size', 64, 64], 'int64'],
    ],
    outputs: [
      {
        name: 'logits',
        dims: ['batch_size', 'num_queries', 92],
        ran: [1, 1, 92],
        puts: [[0, filled(92, [], -40)]],
        seen: { at: 17, pixel: IMAGENET, value: 80 },
      },
      // Relative to the padded canvas.
      {
        name: 'pred_boxes',
        dims: ['batch_size', 'num_queries', 4],
        ran: [1, 1, 4],
        puts: [[0, [0.5, 20 / 64, 20 / 64, 16 / 64]]],
      },
    ],
    size: { height: 64, width: 64 },
    spec: { resize: 'shortest-side', shortSide: 800, longSide: 1333, interpolation: 'pil' },
    expected: [[17, ...BOXED, 1]],
  },
  {
    title: 'Deformable DETR of Transformers',
    format: 'rtdetr',
    inputs: image('pixel_values'),
    outputs: [
      row({ name: 'logits', dims: [1, 300, 91], zero: P }, 91, 0, [], 17, IMAGENET, -P + ln(3)),
      { name: 'pred_boxes', dims: [1, 300, 4], puts: [[0, centred]] },
    ],
    operators: ['GridSample'],
    spec: { resize: 'stretch', interpolation: 'pil', mean: [0.485, 0.456, 0.406] },
    expected: [[17, ...STRETCHED, 0.75]],
  },
  {
    title: 'Conditional DETR of Transformers',
    format: 'rtdetr',
    inputs: image('pixel_values'),
    outputs: [
      row({ name: 'logits', dims: [1, 300, 91], zero: P }, 91, 0, [], 17, IMAGENET, -P + ln(3)),
      { name: 'pred_boxes', dims: [1, 300, 4], puts: [[0, centred]] },
    ],
    spec: { resize: 'stretch', interpolation: 'pil', mean: [0.485, 0.456, 0.406] },
    expected: [[17, ...STRETCHED, 0.75]],
  },
];
