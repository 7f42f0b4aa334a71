import type { HostTensor } from '../engine/index.js';
import { InputFault } from '../faults/index.js';
import { emitCorners, emitKept, finite, pushCentred, shapeOf, sigmoid } from './boxes.js';
import { gridOf, stridesOf } from './grid.js';
import { CandidateTable } from './nms.js';
import type { Decoder, DecoderOptions, Match } from './types.js';

type Decode = Decoder['decode'];

/** `[1, n, 6]`: x1 y1 x2 y2 score class, NMS-free (YOLOv10, YOLO26) or with NMS inside. */
export function yolov10({ outputs: { predictions } }: Match, options: DecoderOptions): Decode {
  return (outputs, geometry, emit) => {
    const { data } = finite(outputs, predictions);
    const rows = Math.min(data.length / 6, options.maxDetections);
    for (let row = 0; row < rows; row++) {
      const at = (column: number): number => data[row * 6 + column] as number;
      if (at(4) > options.confidence)
        emitCorners(geometry, emit, Math.round(at(5)), at(4), at(0), at(1), at(2), at(3));
    }
  };
}

/**
 * `[1, 4 + classes, n]` or transposed: cx cy w h (`paddle-rows`: x1 y1 x2 y2), class probabilities (YOLOv8, 9, 11, 12);
 * multi-label.
 */
export function yolov8({ format, outputs: { predictions } }: Match, options: DecoderOptions): Decode {
  const { inputHeight, inputWidth, confidence } = options;
  return (outputs, geometry, emit) => {
    const tensor = finite(outputs, predictions);
    const { data } = tensor;
    const [rows = 0, columns = 0] = shapeOf(tensor, predictions, 2);
    const isGrid = (n: number): boolean => stridesOf(n, inputHeight, inputWidth) !== undefined;
    const transposed = isGrid(columns) ? false : isGrid(rows) || rows > columns;
    const [n, width] = transposed ? [rows, columns] : [columns, rows];
    const [step, across] = transposed ? [1, width] : [n, 1]; // from one number of a box to the next, from box to box
    const found = new CandidateTable();
    const above = transposed ? undefined : columnsAbove(data, 4 * n, n, confidence);
    for (let i = 0; i < n; i++) {
      if (above?.[i] === 0) continue;
      for (let cls = 0, at = i * across; cls < width - 4; cls++) {
        const score = data[at + (4 + cls) * step] as number;
        if (score <= confidence) continue;
        const [a, b] = [data[at] as number, data[at + step] as number];
        const [c, d] = [data[at + 2 * step] as number, data[at + 3 * step] as number];
        if (format === 'paddle-rows') found.push(cls, score, a, b, c, d);
        else pushCentred(found, cls, score, a, b, c, d);
      }
    }
    emitKept(found, options, geometry, emit);
  };
}

/** 1 for each column that has a number above a limit. Read as it lies in memory: down the columns takes several times as long. */
function columnsAbove(data: HostTensor['data'], from: number, columns: number, limit: number): Uint8Array {
  const above = new Uint8Array(columns);
  for (let row = from; row < data.length; row += columns)
    for (let i = 0; i < columns; i++) if ((data[row + i] as number) > limit) above[i] = 1;
  return above;
}

/** `[1, n, 5 + classes]`: cx cy w h objectness and class probabilities (YOLOv5, 6, 7); multi-label. */
export function yolov5({ outputs: { predictions } }: Match, options: DecoderOptions): Decode {
  return (outputs, geometry, emit) => {
    const tensor = finite(outputs, predictions);
    const { data } = tensor;
    const [, width = 5] = shapeOf(tensor, predictions, 2);
    const found = new CandidateTable();
    for (let at = 0; at < data.length; at += width) {
      const objectness = data[at + 4] as number;
      if (objectness <= options.confidence) continue;
      for (let cls = 0; cls < width - 5; cls++) {
        const score = Math.fround(objectness * (data[at + 5 + cls] as number));
        if (score <= options.confidence) continue;
        const value = (i: number): number => data[at + i] as number;
        pushCentred(found, cls, score, value(0), value(1), value(2), value(3));
      }
    }
    emitKept(found, options, geometry, emit);
  };
}

/** Raw heads `[1, anchors, h, w, 5 + classes]` or `[1, anchors * (5 + classes), h, w]`, decoded as YOLOv5 and v7 do. */
export function yolov5Heads({ heads = [] }: Match, options: DecoderOptions): Decode {
  const { anchors = [] } = options;
  return (outputs, geometry, emit) => {
    const found = new CandidateTable();
    heads.forEach(([name], level) => {
      const tensor = finite(outputs, name);
      const { data } = tensor;
      const flat = tensor.dims.length === 4;
      const [a = 0, b = 0, c = 0, d = 0] = shapeOf(tensor, name, flat ? 3 : 4);
      const sizes = anchors[level] ?? [];
      const count = sizes.length / 2;
      const [rows, columns, width] = flat ? [b, c, a / count] : [b, c, d];
      if (!Number.isInteger(width) || (!flat && a !== count))
        throw new InputFault({
          where: `output ${String(name)}`,
          what: `has dimensions [${tensor.dims.join(', ')}], which ${count} anchors do not fit`,
          fix: 'Give the anchors of each head, finest first, as `decoder: { anchors: [[w, h, …], …] }`.',
        });
      const plane = rows * columns;
      for (let anchor = 0; anchor < count; anchor++)
        for (let cell = 0; cell < plane; cell++) {
          const at = (i: number): number =>
            sigmoid(
              data[
                flat ? (anchor * width + i) * plane + cell : (anchor * plane + cell) * width + i
              ] as number,
            );
          const objectness = at(4);
          if (objectness <= options.confidence) continue;
          const [sx, sy] = [options.inputWidth / columns, options.inputHeight / rows];
          const cx = (2 * at(0) - 0.5 + (cell % columns)) * sx;
          const cy = (2 * at(1) - 0.5 + Math.floor(cell / columns)) * sy;
          const w = (2 * at(2)) ** 2 * (sizes[2 * anchor] as number);
          const h = (2 * at(3)) ** 2 * (sizes[2 * anchor + 1] as number);
          for (let cls = 0; cls < width - 5; cls++) {
            const score = objectness * at(5 + cls);
            if (score > options.confidence) pushCentred(found, cls, score, cx, cy, w, h);
          }
        }
    });
    emitKept(found, options, geometry, emit);
  };
}

/** `[1, n, 5 + classes]`, best class only (YOLOX): raw offsets on the grid, or decoded by the model. */
export function yolox({ format, outputs: { predictions } }: Match, options: DecoderOptions): Decode {
  const { inputHeight, inputWidth } = options;
  return (outputs, geometry, emit) => {
    const tensor = finite(outputs, predictions);
    const { data } = tensor;
    const [n = 0, width = 5] = shapeOf(tensor, predictions, 2);
    const strides = stridesOf(n, inputHeight, inputWidth);
    if (strides === undefined && format === 'yolox') throw noGrid(predictions, n, options);
    const grid = format === 'yolox' ? gridOf(strides ?? [], inputHeight, inputWidth) : undefined;
    const top = mostOf(data, 5, width);
    const found = new CandidateTable();
    for (let i = 0; i < n; i++) {
      const start = i * width;
      const objectness = data[start + 4] as number;
      // Classes are looked at where the largest of all cells would leave the score in reach: rounding keeps order.
      if (objectness >= 0 && Math.fround(objectness * top) < options.confidence) continue;
      const best = indexOfMost(data, start + 5, width - 5);
      const score = Math.fround(objectness * (data[start + 5 + best] as number));
      // YOLOX keeps scores equal to the limit.
      if (score < options.confidence) continue;
      const at = (column: number): number => data[start + column] as number;
      const cell = grid?.[i];
      if (cell === undefined) pushCentred(found, best, score, at(0), at(1), at(2), at(3));
      else {
        const [x, y, stride] = cell;
        const [w, h] = [Math.exp(at(2)) * stride, Math.exp(at(3)) * stride];
        pushCentred(found, best, score, (at(0) + x) * stride, (at(1) + y) * stride, w, h);
      }
    }
    emitKept(found, options, geometry, emit);
  };
}

/** The largest number of all rows from a column on. */
function mostOf(data: HostTensor['data'], from: number, width: number): number {
  let most = -Infinity;
  for (let row = 0; row < data.length; row += width)
    for (let i = row + from; i < row + width; i++) if ((data[i] as number) > most) most = data[i] as number;
  return most;
}

/** Where the largest of some numbers is, the first of equal ones; counted from `start`. */
function indexOfMost(data: HostTensor['data'], start: number, count: number): number {
  let best = 0;
  for (let i = 1; i < count; i++) if ((data[start + i] as number) > (data[start + best] as number)) best = i;
  return best;
}

/** The fault of a number of cells that no set of strides has. */
export function noGrid(name: string | undefined, n: number, options: DecoderOptions): InputFault {
  return new InputFault({
    where: `output ${String(name)}`,
    what: `has ${n} cells, which no strides of a ${options.inputHeight}×${options.inputWidth} input give`,
    fix: 'Declare another decoder as `decoder: { format: … }`.',
  });
}
