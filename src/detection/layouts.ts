import type { TensorSpec } from '../engine/index.js';
import type { DecoderFormat } from './types.js';

/** Formats with the layout that each expects, as messages show them. */
export const LAYOUTS: Readonly<Record<DecoderFormat, string>> = {
  yolov5: '[batch, n, 5 + classes]: cx cy w h objectness, class probabilities (also YOLOv6, v7)',
  'yolov5-heads': 'raw heads of three anchors each, with `anchors`',
  yolov8: '[batch, 4 + classes, n] or transposed: cx cy w h, class probabilities (also YOLOv9, 11, 12)',
  yolov10: '[batch, n, 6]: x1 y1 x2 y2 score class, no NMS needed (also YOLO26, and exports with NMS)',
  yolox: '[batch, n, 5 + classes]: offsets on the grid of strides 8, 16, 32',
  'yolox-decoded': '[batch, n, 5 + classes]: cx cy w h in pixels',
  'yolo-nas': 'boxes [batch, n, 4] x1 y1 x2 y2 and scores [batch, n, classes]',
  'yolo-nas-batch': 'count, boxes [batch, n, 4], scores and classes [batch, n]',
  'yolo-nas-flat': '[n, 7]: image x1 y1 x2 y2 score class',
  'yolov7-end2end': '[n, 7]: image x1 y1 x2 y2 class score',
  paddle: '[n, 6]: class score x1 y1 x2 y2, and a count (PP-YOLOE, PicoDet, RT-DETR of Paddle)',
  'paddle-raw': 'boxes [batch, n, 4] x1 y1 x2 y2 and scores [batch, classes, n]',
  'paddle-rows':
    '[batch, n, 4 + classes]: x1 y1 x2 y2, class probabilities (PP-YOLOE without post-processing)',
  'picodet-heads': 'by level, scores [batch, cells, classes] and distances [batch, cells, 32]',
  nanodet: '[batch, n, classes + 32 or 44]: class scores and distributions of distances',
  rtdetr: 'logits [batch, queries, classes] and boxes cx cy w h, 0…1 (also D-FINE)',
  'rtdetr-ultralytics':
    '[batch, 300, 4 + classes]: cx cy w h, 0…1, class probabilities; or [batch, 300, 6]: score, class',
  'rtdetr-deploy': 'labels, boxes, scores; input orig_target_sizes (RT-DETR, D-FINE)',
  'rf-detr': 'dets [batch, queries, 4] cx cy w h, 0…1, and labels [batch, queries, classes + 1] as logits',
  detr: 'logits [batch, queries, classes + 1] with a last class of no object, and boxes cx cy w h, 0…1',
  'efficient-nms': 'num_dets, det_boxes x1 y1 x2 y2, det_scores, det_classes',
  'nms-indices': 'boxes [1, n, 4], scores [1, classes, n] and selected indices [k, 3]',
  torchvision: 'boxes [n, 4] x1 y1 x2 y2, labels [n] with 0 as background, scores [n]',
  'tf-od':
    'detection_boxes ymin xmin ymax xmax, 0…1, detection_classes from 1, detection_scores, num_detections',
  mmdeploy: 'dets [batch, n, 5]: x1 y1 x2 y2 score, and labels [batch, n]',
};

/** An output as messages show it. */
export function shown({ name, type, dims }: TensorSpec): string {
  return `${name}: ${type}[${dims.map((dim) => (dim < 0 ? '?' : dim)).join(', ')}]`;
}
