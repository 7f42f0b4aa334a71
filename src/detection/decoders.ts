import type { ImageGeometry } from '../dataset/index.js';
import type { HostTensor } from '../engine/index.js';
import { InputFault } from '../faults/index.js';
import { nonMaximumSuppression, type Candidates } from './nms.js';
import type { Decoder, DecoderFormat, DecoderOptions, Emit } from './types.js';

/** Candidates beyond this many are cut by score before NMS, as Ultralytics does. */
const BEFORE_NMS = 30000;

/** Values of an output. @throws InputFault when one is NaN or infinite. */
function finite(outputs: ReadonlyMap<string, HostTensor>, name: string): HostTensor {
  const tensor = outputs.get(name);
  if (tensor === undefined) throw new Error(`output ${name} did not come back`);
  const { data } = tensor;
  for (let i = 0; i < data.length; i++)
    if (!Number.isFinite(data[i]))
      throw new InputFault({
        where: `output ${name}`,
        what: `the model answers ${String(data[i])} (element ${i})`,
        fix: 'A model that gives NaN or infinity cannot be judged: check preprocessing and, for INT8 or FP16, overflow.',
      });
  return tensor;
}

/** Emits a box given by corners in model pixels, mapped back to the image and clipped to it. */
function emitCorners(
  g: ImageGeometry,
  emit: Emit,
  cls: number,
  score: number,
  x1: number,
  y1: number,
  x2: number,
  y2: number,
): void {
  const clip = (value: number, most: number): number => Math.min(Math.max(value, 0), most);
  const left = clip((x1 - g.padX) / g.scaleX, g.originalWidth);
  const top = clip((y1 - g.padY) / g.scaleY, g.originalHeight);
  const right = clip((x2 - g.padX) / g.scaleX, g.originalWidth);
  const bottom = clip((y2 - g.padY) / g.scaleY, g.originalHeight);
  emit(cls, left, top, Math.max(0, right - left), Math.max(0, bottom - top), score);
}

function emitKept(candidates: Candidates, options: DecoderOptions, g: ImageGeometry, emit: Emit): void {
  const trimmed = strongest(candidates);
  const { corners, classes, scores } = trimmed;
  for (const i of nonMaximumSuppression(trimmed, options.iou, options.maxDetections)) {
    const at = (side: number): number => corners[4 * i + side] as number;
    emitCorners(g, emit, classes[i] as number, scores[i] as number, at(0), at(1), at(2), at(3));
  }
}

function strongest(candidates: Candidates): Candidates {
  const { scores, corners, classes } = candidates;
  if (scores.length <= BEFORE_NMS) return candidates;
  const best = scores
    .map((_, i) => i)
    .sort((a, b) => (scores[b] as number) - (scores[a] as number))
    .slice(0, BEFORE_NMS);
  return {
    corners: best.flatMap((i) => corners.slice(4 * i, 4 * i + 4)),
    classes: best.map((i) => classes[i] as number),
    scores: best.map((i) => scores[i] as number),
  };
}

function addCentred(
  { corners, classes, scores }: Candidates,
  cls: number,
  score: number,
  cx: number,
  cy: number,
  w: number,
  h: number,
): void {
  corners.push(cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2);
  classes.push(cls);
  scores.push(score);
}

/** NMS-free `[1, n, 6]`: x1 y1 x2 y2 score class, model pixels (YOLOv10, YOLO26, exports with `nms=True`). */
function yolov10(output: string, options: DecoderOptions): Decoder {
  return {
    format: 'yolov10',
    options,
    classCount: undefined,
    decode(outputs, geometry, emit) {
      const { data } = finite(outputs, output);
      const rows = Math.min(data.length / 6, options.maxDetections);
      for (let i = 0; i < rows; i++) {
        const at = (k: number): number => data[6 * i + k] as number;
        if (at(4) > options.confidence)
          emitCorners(geometry, emit, Math.round(at(5)), at(4), at(0), at(1), at(2), at(3));
      }
    },
  };
}

/** `[1, 4 + classes, n]`: cx cy w h and class probabilities (YOLOv8, v9, 11, 12); multi-label, class-aware NMS. */
function yolov8(output: string, classCount: number, options: DecoderOptions): Decoder {
  return {
    format: 'yolov8',
    options,
    classCount,
    decode(outputs, geometry, emit) {
      const { data } = finite(outputs, output);
      const n = data.length / (4 + classCount);
      const found: Candidates = { corners: [], classes: [], scores: [] };
      for (let cls = 0; cls < classCount; cls++)
        for (let i = 0; i < n; i++) {
          const score = data[(4 + cls) * n + i] as number;
          if (score > options.confidence)
            addCentred(
              found,
              cls,
              score,
              data[i] as number,
              data[n + i] as number,
              data[2 * n + i] as number,
              data[3 * n + i] as number,
            );
        }
      emitKept(found, options, geometry, emit);
    },
  };
}

/** `[1, n, 5 + classes]`: cx cy w h objectness and class probabilities (YOLOv5, v7); multi-label. */
function yolov5(output: string, classCount: number, options: DecoderOptions): Decoder {
  return {
    format: 'yolov5',
    options,
    classCount,
    decode(outputs, geometry, emit) {
      const { data } = finite(outputs, output);
      const found: Candidates = { corners: [], classes: [], scores: [] };
      for (let at = 0; at < data.length; at += 5 + classCount) {
        const objectness = data[at + 4] as number;
        if (objectness <= options.confidence) continue;
        for (let cls = 0; cls < classCount; cls++) {
          const score = objectness * (data[at + 5 + cls] as number);
          if (score > options.confidence)
            addCentred(
              found,
              cls,
              score,
              data[at] as number,
              data[at + 1] as number,
              data[at + 2] as number,
              data[at + 3] as number,
            );
        }
      }
      emitKept(found, options, geometry, emit);
    },
  };
}

/** `[1, n, 5 + classes]` with raw offsets on a grid of strides 8, 16, 32 (YOLOX): best class only. */
function yolox(output: string, classCount: number, options: DecoderOptions): Decoder {
  const grid = gridOf(options);
  return {
    format: 'yolox',
    options,
    classCount,
    decode(outputs, geometry, emit) {
      const { data } = finite(outputs, output);
      const found: Candidates = { corners: [], classes: [], scores: [] };
      grid.forEach(([x, y, stride], i) => {
        const at = i * (5 + classCount);
        let best = 0;
        for (let cls = 1; cls < classCount; cls++)
          if ((data[at + 5 + cls] as number) > (data[at + 5 + best] as number)) best = cls;
        const score = (data[at + 4] as number) * (data[at + 5 + best] as number);
        if (score <= options.confidence) return;
        const [cx, cy] = [((data[at] as number) + x) * stride, ((data[at + 1] as number) + y) * stride];
        addCentred(
          found,
          best,
          score,
          cx,
          cy,
          Math.exp(data[at + 2] as number) * stride,
          Math.exp(data[at + 3] as number) * stride,
        );
      });
      emitKept(found, options, geometry, emit);
    },
  };
}

const STRIDES = [8, 16, 32];

/** Cells of the grid, row by row, finest stride first. */
function gridOf({
  inputHeight,
  inputWidth,
}: DecoderOptions): (readonly [x: number, y: number, stride: number])[] {
  return STRIDES.flatMap((stride) => {
    const [rows, columns] = [Math.floor(inputHeight / stride), Math.floor(inputWidth / stride)];
    return Array.from(
      { length: rows * columns },
      (_, i) => [i % columns, Math.floor(i / columns), stride] as const,
    );
  });
}

/** Predictions of a detector with strides 8, 16 and 32 and one anchor a cell. */
export function cellCount(height: number, width: number): number {
  return STRIDES.reduce((sum, stride) => sum + Math.floor(height / stride) * Math.floor(width / stride), 0);
}

/** Makes the decoder of a format. */
export function makeDecoder(
  format: DecoderFormat,
  output: string,
  classCount: number,
  options: DecoderOptions,
): Decoder {
  switch (format) {
    case 'yolov10':
      return yolov10(output, options);
    case 'yolov8':
      return yolov8(output, classCount, options);
    case 'yolov5':
      return yolov5(output, classCount, options);
    case 'yolox':
      return yolox(output, classCount, options);
  }
}
