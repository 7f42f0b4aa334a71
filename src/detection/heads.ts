import type { TensorSpec } from '../engine/index.js';
import { cellCount } from './grid.js';
import { isFloat, positive, type Add, type Sight } from './sight.js';

/** Heads by level, without anything decoded. */
export function heads(sight: Sight, add: Add): void {
  anchorHeads(sight, add);
  distanceHeads(sight, add);
}

/** Raw heads of YOLOv5 and v7: [batch, 3, h, w, 5 + classes] or [batch, 3 * (5 + classes), h, w]. */
function anchorHeads({ outputs, declared }: Sight, add: Add): void {
  const floats = outputs.filter(isFloat);
  const whole = floats.some(({ dims }) => dims.length === 3);
  const side = ({ dims }: TensorSpec): number => dims.at(dims.length === 5 ? -2 : -1) ?? 0;
  const raw = floats
    .filter(({ dims }) => dims.length === 5 || dims.length === 4)
    .sort((a, b) => side(b) - side(a));
  const [first] = raw;
  if (raw.length < 3 || first === undefined || (whole && declared !== 'yolov5-heads')) return;
  const numbers = first.dims.length === 5 ? (first.dims[4] ?? -1) : (first.dims[1] ?? -1) / 3;
  if (numbers > 5 && Number.isInteger(numbers))
    add('yolov5-heads', {
      outputs: {},
      heads: raw.map(({ name }) => [name]),
      classCount: numbers - 5,
      why: `${raw.length} raw heads, ${numbers} numbers for each of 3 anchors`,
    });
}

/** PicoDet without post-processing: scores and 4 × 8 bins of distance for each of four strides. */
function distanceHeads({ outputs, classes, height, width }: Sight, add: Add): void {
  const floats = outputs.filter(isFloat);
  const levels = [8, 16, 32, 64].map((stride) => cellCount([stride], height, width));
  const at = (cells: number, box: boolean): TensorSpec | undefined =>
    floats.find(({ dims }) => dims.length === 3 && dims[1] === cells && (dims[2] === 32) === box);
  const pairs = levels.map((cells) => [at(cells, false)?.name, at(cells, true)?.name]);
  if (outputs.length === 8 && pairs.every((pair) => !pair.includes(undefined)))
    add('picodet-heads', {
      outputs: {},
      heads: pairs as string[][],
      classCount: positive(at(levels[0] as number, false)?.dims[2]) ?? classes?.count,
      why: 'four levels of scores and of 32 distances',
    });
}
