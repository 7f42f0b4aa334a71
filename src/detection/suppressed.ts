import type { ImageGeometry } from '../dataset/index.js';
import type { HostTensor, TensorSpec } from '../engine/index.js';
import { InputFault } from '../faults/index.js';
import { emitTop, finite, unscaled } from './boxes.js';
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
    emitTop(found, options, pixelsOf(match, geometry, options, view), emit);
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
    emitTop(found, options, pixelsOf(match, geometry, options, view), emit);
  };
}

/**
 * Boxes `[1, n, 4]`, scores `[1, classes, n]` and the indices `[k, 3]` (image, class, box) of an ONNX NonMaxSuppression.
 * With an `image_shape` input, boxes are y1 x1 y2 x2 in pixels of the original image; else x1 y1 x2 y2 of the input.
 */
export function nmsIndices(match: Match, options: DecoderOptions, view: ModelView): Decode {
  const { boxes, scores, indices } = match.outputs;
  const turned = inputNamed(view, 'image_shape') !== undefined;
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

function inputNamed(view: ModelView, name: string): TensorSpec | undefined {
  return view.inputs.find((input) => input.name === name);
}

/** True when the image fills the canvas, so that its own size says how boxes are scaled. */
function stretched(g: ImageGeometry, { inputHeight, inputWidth }: DecoderOptions): boolean {
  const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-6 * b;
  return (
    g.padX === 0 &&
    g.padY === 0 &&
    near(g.originalWidth * g.scaleX, inputWidth) &&
    near(g.originalHeight * g.scaleY, inputHeight)
  );
}

/** Where the boxes of a model that is told the image's size or scale lie; agrees with {@link extraInputs}. */
function pixelsOf(
  { format }: Match,
  geometry: ImageGeometry,
  options: DecoderOptions,
  view: ModelView,
): ImageGeometry {
  const told =
    format === 'paddle'
      ? inputNamed(view, 'scale_factor') !== undefined
      : format === 'rtdetr-deploy' && inputNamed(view, 'orig_target_sizes') !== undefined;
  return told && stretched(geometry, options) ? unscaled(geometry) : geometry;
}

/**
 * What a model wants to know of an image beside its pixels: `orig_target_sizes` (width, height of the original),
 * `scale_factor` (of y, x), `im_shape` (height, width of the input), `image_shape` (height, width of the original).
 * Where the image was padded, a model is told the canvas instead, and its boxes are mapped back like any others.
 */
export function extraInputs(
  view: ModelView,
  options: DecoderOptions,
): ((geometry: ImageGeometry) => Readonly<Record<string, HostTensor>>) | undefined {
  const { inputHeight, inputWidth } = options;
  const known = view.inputs.filter(({ name }) =>
    ['orig_target_sizes', 'scale_factor', 'im_shape', 'image_shape'].includes(name),
  );
  if (known.length === 0) return undefined;
  return (g) =>
    Object.fromEntries(
      known.map(({ name, type }) => {
        const whole = stretched(g, options);
        const original: readonly [number, number] = [g.originalHeight, g.originalWidth];
        const values = {
          orig_target_sizes: whole ? [g.originalWidth, g.originalHeight] : [inputWidth, inputHeight],
          scale_factor: whole ? [g.scaleY, g.scaleX] : [1, 1],
          im_shape: [inputHeight, inputWidth],
          image_shape: original,
        }[name] as readonly number[];
        const data =
          type === 'int64'
            ? Float64Array.from(values)
            : type === 'int32'
              ? Int32Array.from(values)
              : Float32Array.from(values);
        const kind = type === 'int64' || type === 'int32' ? type : 'float32';
        return [name, { type: kind, dims: [1, 2], data } satisfies HostTensor];
      }),
    );
}
