import type { ImageGeometry } from '../dataset/index.js';
import type { HostTensor } from '../engine/index.js';
import { InputFault } from '../faults/index.js';
import { byFallingScore, nonMaximumSuppression, type CandidateTable } from './nms.js';
import type { DecoderOptions, Emit } from './types.js';

/** Candidates beyond this many are cut by score before NMS, as Ultralytics does. */
const BEFORE_NMS = 30000;

/** An output with its dimensions. @throws InputFault when a value is NaN or infinite. */
export function finite(outputs: ReadonlyMap<string, HostTensor>, name: string | undefined): HostTensor {
  const tensor = name === undefined ? undefined : outputs.get(name);
  if (tensor === undefined) throw new Error(`output ${String(name)} did not come back`);
  const { data } = tensor;
  if (areFinite(data)) return tensor;
  const odd = data.findIndex((value) => !Number.isFinite(value));
  throw new InputFault({
    where: `output ${String(name)}`,
    what: `the model answers ${String(data[odd])} (element ${odd})`,
    fix: 'A model that gives NaN or infinity cannot be judged: check preprocessing and, for INT8 or FP16, overflow.',
  });
}

/** Floats have a loop of their own: one that has seen several types of arrays takes twenty times as long. */
function areFinite(data: HostTensor['data']): boolean {
  return data instanceof Float32Array ? floatsAreFinite(data) : data.every(Number.isFinite);
}

/** Without a branch for each of a million numbers: x − x is 0, but NaN where x is NaN or infinite. */
function floatsAreFinite(data: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += (data[i] as number) - (data[i] as number);
  return sum === 0;
}

/** The last `rank` dimensions. @throws InputFault when an output that ran has another shape than its format. */
export function shapeOf(tensor: HostTensor, name: string | undefined, rank: number): readonly number[] {
  const { dims } = tensor;
  if (dims.length >= rank && dims.slice(0, -rank).every((dim) => dim === 1)) return dims.slice(-rank);
  throw new InputFault({
    where: `output ${String(name)}`,
    what: `came with dimensions [${dims.join(', ')}]; ${rank} dimensions for each image are expected`,
    fix: 'Declare another decoder as `decoder: { format: … }`.',
  });
}

/** Emits a box given by corners in model pixels, mapped back to the image and clipped to it. */
export function emitCorners(
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

/** The geometry of boxes that the model gives in pixels of the original image. */
export function unscaled(g: ImageGeometry): ImageGeometry {
  return { ...g, scaleX: 1, scaleY: 1, padX: 0, padY: 0 };
}

/** Non-maximum suppression, then {@link emitTop}'s work on what is left. */
export function emitKept(found: CandidateTable, options: DecoderOptions, g: ImageGeometry, emit: Emit): void {
  const kept = nonMaximumSuppression(found, options.iou, options.maxDetections, found.count, BEFORE_NMS);
  emitAll(found, kept, g, emit);
}

/** The best candidates, without suppression. */
export function emitTop(found: CandidateTable, options: DecoderOptions, g: ImageGeometry, emit: Emit): void {
  emitAll(found, byFallingScore(found.scores, found.count).subarray(0, options.maxDetections), g, emit);
}

function emitAll(
  { corners, classes, scores }: CandidateTable,
  kept: Iterable<number>,
  g: ImageGeometry,
  emit: Emit,
): void {
  for (const i of kept) {
    const at = (side: number): number => corners[4 * i + side] as number;
    emitCorners(g, emit, classes[i] as number, scores[i] as number, at(0), at(1), at(2), at(3));
  }
}

/** Adds a box given by its centre and size. */
export function pushCentred(
  found: CandidateTable,
  cls: number,
  score: number,
  cx: number,
  cy: number,
  w: number,
  h: number,
): void {
  found.push(cls, score, cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2);
}

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
