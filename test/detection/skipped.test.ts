import { describe, expect, test } from '@jest/globals';
import { chooseDecoder, nonMaximumSuppression } from '../../src/detection/index.js';
import { mulberry32 } from '../../src/evaluation/index.js';
import { STRETCH, names, view } from './families.js';

const CELLS = 84;
const CLASSES = 6;
const CONFIDENCE = 0.25;
const IOU = 0.65;
type Candidate = readonly [cls: number, score: number, cx: number, cy: number, w: number, h: number];

/** Class values beyond 1, objectness below 0, scores at the limit and ties: what cells may be left out must not show. */
function numbers(seed: number, length: number, highest: number): Float32Array {
  const random = mulberry32(seed);
  return Float32Array.from({ length }, () => {
    const kind = random();
    if (kind < 0.1) return CONFIDENCE;
    if (kind < 0.2) return 0.5;
    if (kind < 0.3) return -random();
    return random() * (kind < 0.4 ? highest : 1);
  });
}

/** Every class of every cell is looked at. */
function yolox(data: Float32Array): Candidate[] {
  return Array.from({ length: CELLS }, (_, i): Candidate => {
    const row = [...data.subarray(i * (5 + CLASSES), (i + 1) * (5 + CLASSES))];
    const best = row.slice(5).reduce((most, value, cls, all) => (value > all[most]! ? cls : most), 0);
    const score = Math.fround(row[4]! * row[5 + best]!);
    return [best, score, row[0]!, row[1]!, row[2]!, row[3]!];
  }).filter(([, score]) => score >= CONFIDENCE);
}

function yolov8(data: Float32Array): Candidate[] {
  const at = (row: number, i: number): number => data[row * CELLS + i]!;
  return Array.from({ length: CELLS * CLASSES }, (_, k): Candidate => {
    const [i, cls] = [Math.floor(k / CLASSES), k % CLASSES];
    return [cls, at(4 + cls, i), at(0, i), at(1, i), at(2, i), at(3, i)];
  }).filter(([, score]) => score > CONFIDENCE);
}

function kept(candidates: readonly Candidate[]): number[][] {
  const corners = candidates.flatMap(([, , cx, cy, w, h]) => [
    cx - w / 2,
    cy - h / 2,
    cx + w / 2,
    cy + h / 2,
  ]);
  const table = {
    corners,
    classes: candidates.map(([cls]) => cls),
    scores: candidates.map(([, score]) => score),
  };
  return nonMaximumSuppression(table, IOU, 300).map((i) => [table.classes[i]!, table.scores[i]!]);
}

describe.each([
  ['yolox-decoded', yolox, [1, CELLS, 5 + CLASSES], new Set(['Exp'])],
  ['yolov8', yolov8, [1, 4 + CLASSES, CELLS], new Set(['Sigmoid'])],
] as const)('%s leaves cells out that cannot be kept, and no other', (format, plain, dims, operators) => {
  const model = view([['output0', [...dims]]], { metadata: names(CLASSES), operators });
  const { decoder } = chooseDecoder(model, { format, confidence: CONFIDENCE, iou: IOU, maxDetections: 300 });
  test.each([0.3, 1, 1.7])('with class values up to %d', (highest) => {
    for (let seed = 1; seed <= 20; seed++) {
      const data = numbers(seed, dims[1] * dims[2], highest);
      const outputs = new Map([['output0', { type: 'float32' as const, dims, data }]]);
      const found: number[][] = [];
      decoder.decode(outputs, STRETCH, (cls, _x, _y, _w, _h, score) => found.push([cls, score]));
      const expected = kept(plain(data));
      expect(expected.length).toBeGreaterThan(0);
      expect(found).toEqual(expected);
    }
  });
});

test('cells of a grid stay those of their size', () => {
  const model = view([['output0', [1, CELLS, 5 + CLASSES]]], { metadata: names(CLASSES) });
  const wide = view([['output0', [1, CELLS, 5 + CLASSES]]], { metadata: names(CLASSES) }, [32, 128]);
  const data = new Float32Array(CELLS * (5 + CLASSES));
  // The ninth cell: first of the second row of an image 64 wide, in the first row of one 128 wide.
  data.set([0, 0, 0, 0, 1, 1], 8 * (5 + CLASSES));
  const outputs = new Map([['output0', { type: 'float32' as const, dims: [1, CELLS, 5 + CLASSES], data }]]);
  const geometry = { scaleX: 1, scaleY: 1, padX: 0, padY: 0, originalWidth: 128, originalHeight: 128 };
  const boxOf = (one: typeof model): number[] => {
    let box: number[] = [];
    chooseDecoder(one, { format: 'yolox' }).decoder.decode(
      outputs,
      geometry,
      (_cls, ...rest) => (box = rest),
    );
    return box;
  };
  expect([model, wide, model].map(boxOf)).toEqual([
    [0, 4, 4, 8, 1],
    [60, 0, 8, 4, 1],
    [0, 4, 4, 8, 1],
  ]);
});
