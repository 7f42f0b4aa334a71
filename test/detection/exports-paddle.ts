import {
  type Export,
  IMAGENET,
  MMDET,
  N,
  RGB,
  STRETCH,
  STRETCHED,
  distances,
  image,
  pico,
  row,
  stretched,
} from './exports-common.js';
import type { OutputWords, Put } from './onnx-exports.js';

export const PADDLE: readonly Export[] = [
  {
    title: 'PP-YOLOE+',
    format: 'paddle',
    inputs: [
      ['image', ['p2o.DynamicDimension.0', 3, 64, 64]],
      ['scale_factor', ['p2o.DynamicDimension.1', 2]],
    ],
    outputs: [
      {
        ...row(
          { name: 'multiclass_nms3_0.tmp_0', dims: ['n', 6], ran: [2, 6] },
          6,
          0,
          [2, 0, ...stretched, -1],
          1,
          RGB,
        ),
        // height, width: x by the second, y by the first.
        scaled: { by: 'scale_factor', at: [2, 2, 1, 0, 1, 0], divide: true },
      },
      { name: 'multiclass_nms3_0.tmp_2', dims: ['m'], ran: [1], type: 'int32', puts: [[0, [2]]] },
    ],
    spec: { ...STRETCH, interpolation: 'opencv-cubic' },
    expected: [[2, ...STRETCHED, 0.5]],
  },
  {
    title: 'RT-DETR of Paddle',
    format: 'paddle',
    inputs: [
      ['im_shape', ['p2o.DynamicDimension.0', 2]],
      ['image', ['p2o.DynamicDimension.1', 3, 64, 64]],
      ['scale_factor', ['p2o.DynamicDimension.2', 2]],
    ],
    outputs: [
      {
        ...row({ name: 'reshape2_83.tmp_0', dims: [300, 6] }, 6, 0, [2, 0, ...stretched], 1, RGB),
        scaled: { by: 'scale_factor', at: [2, 2, 1, 0, 1, 0], divide: true },
      },
      { name: 'tile_3.tmp_0', dims: [1], type: 'int32', puts: [[0, [300]]] },
    ],
    spec: { ...STRETCH, interpolation: 'opencv-cubic' },
    expected: [[2, ...STRETCHED, 0.5]],
  },
  {
    title: 'PP-YOLOE, exclude_nms',
    format: 'paddle-raw',
    inputs: [
      ['image', [1, 3, 64, 64]],
      ['scale_factor', [1, 2]],
    ],
    outputs: [
      {
        name: 'tmp_20',
        dims: [1, N, 4],
        puts: [[36, stretched]],
        scaled: { by: 'scale_factor', at: [1, 0, 1, 0], divide: true },
      },
      { name: 'concat_14.tmp_0', dims: [1, 3, N], seen: { at: 2 * N + 9, pixel: RGB, value: 0.5 } },
    ],
    spec: { ...STRETCH, interpolation: 'opencv-cubic' },
    expected: [[2, ...STRETCHED, 0.5]],
  },
  {
    title: 'PP-YOLOE, exclude_post_process',
    format: 'paddle-rows',
    inputs: image('image'),
    outputs: [row({ name: 'concat_15.tmp_0', dims: [1, N, 7] }, 7, 9, stretched, 5, RGB)],
    categories: 3,
    spec: { ...STRETCH, interpolation: 'opencv-cubic' },
    expected: [[1, ...STRETCHED, 0.5]],
  },
  {
    title: 'PicoDet without post-processing',
    format: 'picodet-heads',
    inputs: image('image'),
    outputs: [
      ...pico.map((cells, level): OutputWords => ({
        name: `transpose_${2 * level}.tmp_0`,
        dims: [1, cells, 3],
        ...(level === 0 && { seen: { at: 28 * 3 + 1, pixel: IMAGENET, value: 0.5 } }),
      })),
      ...pico.map((cells, level): OutputWords => ({
        name: `transpose_${2 * level + 1}.tmp_0`,
        dims: [1, cells, 32],
        ...(level === 0 && { puts: distances(8, 32) }),
      })),
    ],
    spec: { resize: 'stretch', interpolation: 'opencv-cubic', color: 'rgb' },
    expected: [[1, 56, 30, 32, 24, 0.5]],
  },
  {
    title: 'PicoDet without NMS',
    format: 'paddle-raw',
    inputs: image('image'),
    outputs: [
      { name: 'tmp_16', dims: [1, N + 1, 4], puts: [[36, stretched]] },
      { name: 'concat_4.tmp_0', dims: [1, 3, N + 1], seen: { at: 2 * (N + 1) + 9, pixel: RGB, value: 0.5 } },
    ],
    spec: { ...STRETCH, interpolation: 'opencv-cubic' },
    expected: [[2, ...STRETCHED, 0.5]],
  },
];

export const nanodet = (
  title: string,
  cells: number,
  bins: number,
  spec: Export['spec'],
  box: readonly number[],
): Export => ({
  title,
  format: 'nanodet',
  inputs: image('data'),
  outputs: [
    {
      name: 'output',
      dims: [1, cells, 3 + 4 * bins],
      puts: distances(bins, 3 + 4 * bins).map(([at, values]): Put => [at + 3, values]),
      seen: { at: 28 * (3 + 4 * bins) + 1, pixel: MMDET, value: 0.5 },
    },
  ],
  categories: 3,
  spec: { color: 'bgr', scale: 1, mean: [103.53, 116.28, 123.675], ...spec },
  expected: [[1, ...box, 0.5]],
});
