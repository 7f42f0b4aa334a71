import { boxesAndScores, nanodet, picodetHeads } from './dense.js';
import { extraInputs } from './inputs.js';
import { nmsIndices, rows, separate } from './suppressed.js';
import { detr, queries, ultralyticsQueries } from './transformers.js';
import { yolov10, yolov5, yolov5Heads, yolov8, yolox } from './yolo.js';
import type { Decoder, DecoderFormat, DecoderOptions, LabelConvention, Match, ModelView } from './types.js';

type Make = (match: Match, options: DecoderOptions, view: ModelView) => Decoder['decode'];

const MAKERS: Readonly<Record<DecoderFormat, Make>> = {
  yolov5,
  'yolov5-heads': yolov5Heads,
  yolov8,
  yolov10,
  yolox,
  'yolox-decoded': yolox,
  'yolo-nas': boxesAndScores,
  'yolo-nas-batch': separate,
  'yolo-nas-flat': rows,
  'yolov7-end2end': rows,
  paddle: rows,
  'paddle-raw': boxesAndScores,
  'paddle-rows': yolov8,
  'picodet-heads': picodetHeads,
  nanodet,
  rtdetr: queries,
  'rtdetr-ultralytics': ultralyticsQueries,
  'rtdetr-deploy': separate,
  'rf-detr': queries,
  detr,
  'efficient-nms': separate,
  'nms-indices': nmsIndices,
  torchvision: separate,
  'tf-od': separate,
  mmdeploy: separate,
};

const LABELS: Readonly<Partial<Record<DecoderFormat, LabelConvention>>> = {
  'rf-detr': 'category-ids',
  detr: 'category-ids',
  torchvision: 'one-based',
  'tf-od': 'one-based',
};

/** Makes the decoder of a match. */
export function makeDecoder(match: Match, options: DecoderOptions, view: ModelView): Decoder {
  const { format, classCount, family } = match;
  const extras = extraInputs(view, options);
  return {
    format,
    options,
    classCount,
    ...(family !== undefined && { family }),
    labels: LABELS[format] ?? 'zero-based',
    ...(extras !== undefined && { extras }),
    decode: MAKERS[format](match, options, view),
  };
}
