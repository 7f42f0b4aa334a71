import type { HostTensor } from '../engine/index.js';
import { InputFault } from '../faults/index.js';
import { emitTop, finite, unscaled } from './boxes.js';
import { geometryOf } from './inputs.js';
import { CandidateTable } from './nms.js';
import type { Decoder, DecoderOptions, Match, ModelView } from './types.js';

type Decode = Decoder['decode'];
type Outputs = ReadonlyMap<string, HostTensor>;

/** Rows whose columns the layout orders; NMS is inside the model. */
const COLUMNS = {
  /** image x1 y1 x2 y2 score class. */
  'yolo-nas-flat': { width: 7, box: 1, score: 5, cls: 6 },
  /** image x1 y1 x2 y2 class score. */
  'yolov7-end2end': { width: 7, box: 1, score: 6, cls: 5 },
  /** class score x1 y1 x2 y2; a negative class fills up. */
  paddle: { width: 6, box: 2, score: 1, cls: 0 },
} as const;

/** `[n, 6]` or `[n, 7]` in the order of {@link COLUMNS}. */
export function rows(match: Match, options: DecoderOptions, view: ModelView): Decode {
  const { width, box, score, cls } = COLUMNS[match.format as keyof typeof COLUMNS];
  const { predictions, count } = match.outputs;
  return (outputs, geometry, emit) => {
    const { data } = finite(outputs, predictions);
    if (data.length % width !== 0)
      throw new InputFault({
        where: `output ${String(predictions)}`,
        what: `holds ${data.length} numbers, which are no rows of ${width}`,
        fix: 'Declare another decoder as `decoder: { format: … }`.',
      });
    const n = Math.min(data.length / width, countOf(outputs, count));
    const found = new CandidateTable();
    for (let i = 0; i < n; i++) {
      const at = (column: number): number => data[i * width + column] as number;
      if (at(cls) >= 0 && at(score) > options.confidence)
        found.push(Math.round(at(cls)), at(score), at(box), at(box + 1), at(box + 2), at(box + 3));
    }
    emitTop(found, options, geometryOf(match.format, geometry, options, view), emit);
  };
}

/** How many rows of the first image count. */
function countOf(outputs: Outputs, name: string | undefined): number {
  return name === undefined ? Infinity : (finite(outputs, name).data[0] ?? 0);
}

/**
 * Boxes, scores and classes in outputs of their own, with or without a count of valid rows (EfficientNMS, YOLO-NAS,
 * RT-DETR with its post-processing, torchvision, TF object detection, MMDeploy).
 */
export function separate(match: Match, options: DecoderOptions, view: ModelView): Decode {
  const { boxes, scores, classes, count } = match.outputs;
  const { inputHeight, inputWidth, confidence } = options;
  return (outputs, geometry, emit) => {
    const corners = finite(outputs, boxes).data;
    const labels = finite(outputs, classes).data;
    const width = match.format === 'mmdeploy' ? 5 : 4;
    const points = width === 5 ? undefined : finite(outputs, scores).data;
    const rowCount = Math.min(corners.length / width, labels.length, countOf(outputs, count));
    const tf = match.format === 'tf-od';
    const found = new CandidateTable();
    for (let i = 0; i < rowCount; i++) {
      const at = (side: number): number => corners[width * i + side] as number;
      const score = points === undefined ? at(4) : (points[i] as number);
      const label = Math.round(labels[i] as number);
      if (label < 0 || score <= confidence) continue;
      if (tf)
        found.push(
          label,
          score,
          at(1) * inputWidth,
          at(0) * inputHeight,
          at(3) * inputWidth,
          at(2) * inputHeight,
        );
      else found.push(label, score, at(0), at(1), at(2), at(3));
    }
    emitTop(found, options, geometryOf(match.format, geometry, options, view), emit);
  };
}

/**
 * Boxes `[1, n, 4]`, scores `[1, classes, n]` and the indices `[k, 3]` (image, class, box) of an ONNX NonMaxSuppression.
 * With an `image_shape` input, boxes are y1 x1 y2 x2 in pixels of the original image; else x1 y1 x2 y2 of the input.
 */
export function nmsIndices(match: Match, options: DecoderOptions, view: ModelView): Decode {
  const { boxes, scores, indices } = match.outputs;
  const turned = view.inputs.some(({ name }) => name === 'image_shape');
  return (outputs, geometry, emit) => {
    const corners = finite(outputs, boxes).data;
    const points = finite(outputs, scores).data;
    const selected = finite(outputs, indices).data;
    const n = corners.length / 4;
    const found = new CandidateTable();
    for (let i = 0; i + 2 < selected.length; i += 3) {
      const [cls, box] = [selected[i + 1] as number, selected[i + 2] as number];
      if (cls < 0 || box < 0) continue; // filled up
      const score = points[cls * n + box];
      if (score === undefined || box >= n)
        throw new InputFault({
          where: `output ${String(indices)}`,
          what: `selects class ${cls} of box ${box}; there are ${n} boxes and ${points.length / n} classes`,
          fix: 'Name the outputs as `decoder: { outputs: { boxes: …, scores: …, indices: … } }`.',
        });
      if (score <= options.confidence) continue;
      const at = (side: number): number => corners[4 * box + side] as number;
      if (turned) found.push(cls, score, at(1), at(0), at(3), at(2));
      else found.push(cls, score, at(0), at(1), at(2), at(3));
    }
    const pixels = turned ? unscaled(geometry) : geometry;
    emitTop(found, options, pixels, emit);
  };
}
