/** Layouts that decoders read. */
export const DECODER_FORMATS = [
  'yolov5',
  'yolov5-heads',
  'yolov8',
  'yolov10',
  'yolox',
  'yolox-decoded',
  'yolo-nas',
  'yolo-nas-batch',
  'yolo-nas-flat',
  'yolov7-end2end',
  'paddle',
  'paddle-raw',
  'paddle-rows',
  'picodet-heads',
  'nanodet',
  'rtdetr',
  'rtdetr-ultralytics',
  'rtdetr-deploy',
  'rf-detr',
  'detr',
  'efficient-nms',
  'nms-indices',
  'torchvision',
  'tf-od',
  'mmdeploy',
] as const;

export const decoderFormat = {
  enum: ['auto', ...DECODER_FORMATS],
  description: 'Layout of the outputs.',
} as const;

export const decoderOutputs = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  description: 'Outputs by name, where they are not found by themselves.',
  properties: {
    predictions: { type: 'string', description: 'Boxes and scores in one.' },
    boxes: { type: 'string', description: 'Boxes.' },
    scores: { type: 'string', description: 'Scores or logits.' },
    classes: { type: 'string', description: 'Class of each box.' },
    count: { type: 'string', description: 'Number of valid boxes.' },
    indices: { type: 'string', description: 'What NonMaxSuppression selected.' },
  },
} as const;

export const decoderAnchors = {
  type: 'array',
  minItems: 1,
  items: {
    type: 'array',
    minItems: 2,
    items: { type: 'number', exclusiveMinimum: 0 },
  },
  description:
    'Anchors of raw YOLOv5 and v7 heads: a list for each head, finest first, of width and height in turn, in pixels.',
} as const;
