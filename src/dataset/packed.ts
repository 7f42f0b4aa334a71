import type { DetectionBuilder } from './table.js';
import type { DetectionTable } from './types.js';

/** Numbers that one detection takes: category, x, y, width, height, score. */
const WIDTH = 6;

/** Detections of one image in a row of numbers, for keeping; the image itself is not named. */
export function detectionNumbers({ count, category, bbox, score }: DetectionTable): Float64Array {
  const numbers = new Float64Array(count * WIDTH);
  for (let i = 0; i < count; i++) {
    numbers[i * WIDTH] = category[i] as number;
    numbers.set(bbox.subarray(4 * i, 4 * i + 4), i * WIDTH + 1);
    numbers[i * WIDTH + 5] = score[i] as number;
  }
  return numbers;
}

/** Adds what {@link detectionNumbers} made as detections of an image. */
export function pushNumbers(table: DetectionBuilder, image: number, numbers: Float64Array): void {
  for (let i = 0; i + WIDTH <= numbers.length; i += WIDTH) {
    const [category, x, y, w, h, score] = numbers.subarray(i, i + WIDTH) as unknown as Row;
    table.push(image, category, x, y, w, h, score);
  }
}

type Row = [category: number, x: number, y: number, w: number, h: number, score: number];
