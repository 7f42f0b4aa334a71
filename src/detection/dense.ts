import { emitKept, finite, shapeOf, sigmoid } from './boxes.js';
import { gridOf, stridesOf, type Cell } from './grid.js';
import { CandidateTable } from './nms.js';
import { geometryOf } from './inputs.js';
import type { Decoder, DecoderOptions, Match, ModelView } from './types.js';
import { noGrid } from './yolo.js';

type Decode = Decoder['decode'];

/** Boxes `[1, n, 4]` x1 y1 x2 y2 and scores, `[1, n, classes]` (YOLO-NAS) or `[1, classes, n]` (Paddle); multi-label. */
export function boxesAndScores(
  { format, outputs: { boxes, scores } }: Match,
  options: DecoderOptions,
  view: ModelView,
): Decode {
  return (outputs, geometry, emit) => {
    const corners = finite(outputs, boxes).data;
    const tensor = finite(outputs, scores);
    const { data } = tensor;
    const n = corners.length / 4;
    const [rows = 0, columns = 0] = shapeOf(tensor, scores, 2);
    const byClass = rows === columns ? format === 'paddle-raw' : columns === n;
    const classCount = byClass ? rows : columns;
    const found = new CandidateTable();
    for (let i = 0; i < n; i++)
      for (let cls = 0; cls < classCount; cls++) {
        const score = data[byClass ? cls * n + i : i * classCount + cls] as number;
        if (score <= options.confidence) continue;
        const at = (side: number): number => corners[4 * i + side] as number;
        found.push(cls, score, at(0), at(1), at(2), at(3));
      }
    emitKept(found, options, geometryOf(format, geometry, options, view), emit);
  };
}

/** Bins of each side's distance in PicoDet: 0…7 strides. NanoDet has 8 or 11. */
const BINS = 8;

/**
 * Expected distance of each side in strides: softmax over the bins (DFL).
 * @param side - 0 left, 1 top, 2 right, 3 bottom
 */
function distance(data: ArrayLike<number>, at: number, side: number, bins: number): number {
  const start = at + side * bins;
  let most = -Infinity;
  for (let bin = 0; bin < bins; bin++) most = Math.max(most, data[start + bin] as number);
  let sum = 0;
  let weighted = 0;
  for (let bin = 0; bin < bins; bin++) {
    const e = Math.exp((data[start + bin] as number) - most);
    sum += e;
    weighted += e * bin;
  }
  return weighted / sum;
}

interface Place {
  readonly scores: ArrayLike<number>;
  readonly scoresAt: number;
  readonly distances: ArrayLike<number>;
  readonly distancesAt: number;
  readonly bins: number;
}

function pushDistances(
  found: CandidateTable,
  [x, y, stride]: Cell,
  centre: number,
  { scores, scoresAt, distances, distancesAt, bins }: Place,
  classCount: number,
  logits: boolean,
  { confidence, inputHeight, inputWidth }: DecoderOptions,
): void {
  let corners: readonly number[] | undefined;
  for (let cls = 0; cls < classCount; cls++) {
    const value = scores[scoresAt + cls] as number;
    const score = logits ? sigmoid(value) : value;
    if (score <= confidence) continue;
    corners ??= [0, 1, 2, 3].map((side) => {
      const origin = ((side % 2 === 0 ? x : y) + centre) * stride;
      const moved = distance(distances, distancesAt, side, bins) * stride;
      const most = side % 2 === 0 ? inputWidth : inputHeight;
      return Math.min(Math.max(side < 2 ? origin - moved : origin + moved, 0), most);
    });
    found.push(cls, score, ...(corners as [number, number, number, number]));
  }
}

/**
 * `[1, n, classes + 4 * bins]`: class scores and four distributions of distances (NanoDet). With four strides
 * (NanoDet-Plus) cells are taken at their corner, with three (NanoDet) at their centre. A negative score tells that
 * scores are logits.
 */
export function nanodet(
  { classCount: known, outputs: { predictions } }: Match,
  options: DecoderOptions,
): Decode {
  const { inputHeight, inputWidth } = options;
  return (outputs, geometry, emit) => {
    const tensor = finite(outputs, predictions);
    const { data } = tensor;
    const [n = 0, width = 0] = shapeOf(tensor, predictions, 2);
    const strides = stridesOf(n, inputHeight, inputWidth);
    if (strides === undefined) throw noGrid(predictions, n, options);
    const classCount = known ?? width - 4 * BINS;
    const bins = (width - classCount) / 4;
    let logits = false;
    for (let i = 0; i < n && !logits; i++)
      for (let cls = 0; cls < classCount; cls++) logits ||= (data[i * width + cls] as number) < 0;
    const found = new CandidateTable();
    gridOf(strides, inputHeight, inputWidth).forEach((cell, i) => {
      const from = i * width;
      const at = { scores: data, scoresAt: from, distances: data, distancesAt: from + classCount, bins };
      pushDistances(found, cell, strides.length === 4 ? 0 : 0.5, at, classCount, logits, options);
    });
    emitKept(found, options, geometry, emit);
  };
}

/** By level: scores `[1, cells, classes]` as probabilities and distances `[1, cells, 32]` (PicoDet without NMS). */
export function picodetHeads({ heads = [] }: Match, options: DecoderOptions): Decode {
  return (outputs, geometry, emit) => {
    const found = new CandidateTable();
    heads.forEach(([scoresName, distancesName], level) => {
      const scores = finite(outputs, scoresName);
      const distances = finite(outputs, distancesName);
      const [cells = 0, classCount = 0] = shapeOf(scores, scoresName, 2);
      const grid = gridOf([8 * 2 ** level], options.inputHeight, options.inputWidth);
      if (grid.length !== cells) throw noGrid(scoresName, cells, options);
      grid.forEach((cell, i) => {
        const at = {
          scores: scores.data,
          scoresAt: i * classCount,
          distances: distances.data,
          distancesAt: i * 4 * BINS,
          bins: BINS,
        };
        pushDistances(found, cell, 0.5, at, classCount, false, options);
      });
    });
    emitKept(found, options, geometry, emit);
  };
}
