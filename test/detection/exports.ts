import {
  BOXED,
  type Export,
  LETTERBOX,
  MMDET,
  N,
  RGB,
  RGB255,
  STRETCHED,
  corners,
  image,
  row,
  stretched,
} from './exports-common.js';
import { nanodet, PADDLE } from './exports-paddle.js';
import { TRANSFORMERS } from './exports-transformers.js';
import { YOLO } from './exports-yolo.js';

const OTHERS: readonly Export[] = [
  {
    title: 'torchvision, one image without a batch',
    format: 'torchvision',
    inputs: [['images', [3, 64, 64]]],
    outputs: [
      { name: 'boxes', dims: ['d', 4], ran: [1, 4], puts: [[0, [22, 12, 42, 28]]] },
      { name: 'labels', dims: ['d'], ran: [1], type: 'int64', puts: [[0, [17]]] },
      { name: 'scores', dims: ['d'], ran: [1], seen: { at: 0, pixel: RGB, value: 0.5 } },
    ],
    spec: { ...LETTERBOX, resize: 'letterbox-top-left', pad: 0, batchless: true },
    expected: [[17, ...BOXED, 0.5]],
  },
  {
    title: 'torchvision, names left to the exporter',
    format: 'torchvision',
    inputs: image('images'),
    outputs: [
      { name: '3438', dims: ['d', 4], ran: [1, 4], puts: [[0, [22, 12, 42, 28]]] },
      { name: '3440', dims: ['d'], ran: [1], type: 'int64', puts: [[0, [17]]] },
      { name: '3439', dims: ['d'], ran: [1], seen: { at: 0, pixel: RGB, value: 0.5 } },
    ],
    spec: { ...LETTERBOX, resize: 'letterbox-top-left', pad: 0 },
    expected: [[17, ...BOXED, 0.5]],
  },
  {
    title: 'TensorFlow object detection',
    format: 'tf-od',
    inputs: [['input_tensor', [1, 64, 64, 3], 'uint8']],
    outputs: [
      { name: 'detection_anchor_indices', dims: [1, 2] },
      { name: 'detection_boxes', dims: [1, 2, 4], puts: [[0, [0.25, 0.375, 0.75, 0.625]]] },
      { name: 'detection_classes', dims: [1, 2], puts: [[0, [17, 1]]] },
      { name: 'detection_multiclass_scores', dims: [1, 2, 91], zero: 0.9 },
      { name: 'detection_scores', dims: [1, 2], seen: { at: 0, pixel: RGB255, value: 0.5 } },
      { name: 'num_detections', dims: [1], puts: [[0, [1]]] },
      { name: 'raw_detection_boxes', dims: [1, 5, 4], zero: 0.9 },
      { name: 'raw_detection_scores', dims: [1, 5, 91], zero: 0.9 },
    ],
    spec: { resize: 'stretch', scale: 1, dtype: 'uint8', layout: 'nhwc' },
    expected: [[17, ...STRETCHED, 0.5]],
  },
  {
    title: 'MMDeploy, fixed input',
    format: 'mmdeploy',
    inputs: image('input'),
    outputs: [
      row({ name: 'dets', dims: [1, 'num_dets', 5], ran: [1, 2, 5] }, 5, 0, stretched, 4, MMDET),
      { name: 'labels', dims: [1, 'num_dets'], ran: [1, 2], type: 'int64', puts: [[0, [2]]] },
    ],
    spec: { resize: 'stretch', color: 'bgr', scale: 1 },
    expected: [[2, ...STRETCHED, 0.5]],
  },
  {
    title: 'MMDeploy, free axes',
    format: 'mmdeploy',
    inputs: [['input', ['batch', 3, 'height', 'width']]],
    outputs: [
      row({ name: 'dets', dims: ['batch', 'num_dets', 5], ran: [1, 2, 5] }, 5, 0, [22, 12, 42, 28], 4, MMDET),
      { name: 'labels', dims: ['batch', 'num_dets'], ran: [1, 2], type: 'int64', puts: [[0, [2]]] },
    ],
    size: { height: 64, width: 64 },
    spec: { resize: 'letterbox-top-left', color: 'bgr', scale: 1 },
    expected: [[2, ...BOXED, 0.5]],
  },
  {
    title: 'EfficientNMS by onnxruntime’s operators, as MMYOLO and YOLOv6 write it',
    format: 'efficient-nms',
    inputs: image('images'),
    outputs: [
      { name: 'num_dets', dims: [1, 1], type: 'int64', puts: [[0, [1]]] },
      corners({ name: 'boxes', dims: [1, 100, 4], zero: 9 }),
      { name: 'scores', dims: [1, 100], puts: [[1, [0.9]]], seen: { at: 0, pixel: RGB, value: 0.5 } },
      { name: 'labels', dims: [1, 100], type: 'int64', puts: [[0, [2]]] },
    ],
    spec: LETTERBOX,
    expected: [[2, ...BOXED, 0.5]],
  },
  {
    title: 'YOLOv3 of the ONNX model zoo',
    format: 'nms-indices',
    inputs: [
      ['input_1', ['unk__576', 3, 64, 64]],
      ['image_shape', ['unk__577', 2]],
    ],
    outputs: [
      // y1 x1 y2 x2 in pixels of the original image.
      {
        name: 'yolonms_layer_1/ExpandDims_1:0',
        dims: ['a', 'b', 4],
        ran: [1, 3, 4],
        puts: [[4, [24, 44, 56, 84]]],
      },
      {
        name: 'yolonms_layer_1/ExpandDims_3:0',
        dims: ['a', 80, 'b'],
        ran: [1, 80, 3],
        seen: { at: 17 * 3 + 1, pixel: RGB, value: 0.5 },
      },
      {
        name: 'yolonms_layer_1/concat_2:0',
        dims: ['c', 3],
        ran: [1, 3],
        type: 'int32',
        puts: [[0, [0, 17, 1]]],
      },
    ],
    spec: LETTERBOX,
    expected: [[17, ...BOXED, 0.5]],
  },
];

export const EXPORTS: readonly Export[] = [
  ...YOLO,
  ...PADDLE,
  // One stride to each side: from (32, 24) or, before Plus, from (36, 28) on the letterboxed canvas.
  nanodet('NanoDet-Plus', N + 1, 8, { resize: 'stretch' }, [48, 24, 32, 24]),
  nanodet('NanoDet', N, 8, { resize: 'letterbox', pad: 0 }, [56, 24, 32, 32]),
  nanodet(
    'NanoDet with 11 bins (g, RepVGG, EfficientNet-Lite)',
    N,
    11,
    { resize: 'letterbox' },
    [56, 24, 32, 32],
  ),
  ...TRANSFORMERS,
  ...OTHERS,
];
