/** The scores that objects get, compared image by image. */
import { expect, test } from '@jest/globals';
import { DetectionBuilder, type AnnotationTable, type GroundTruth } from '../../src/dataset/index.js';
import { compareFound } from '../../src/evaluation/index.js';

/** One object of 10 × 10 at 0, 0 of class 0 in each image; `crowd` and `ignore` by image. */
function truthOf(count: number, crowd: readonly number[] = [], ignore: readonly number[] = []) {
  const flags = (list: readonly number[]) => Uint8Array.from({ length: count }, (_, i) => list[i] ?? 0);
  const annotations: AnnotationTable = {
    count,
    image: Int32Array.from({ length: count }, (_, i) => i),
    category: new Int32Array(count),
    bbox: Float64Array.from({ length: 4 * count }, (_, i) => (i % 4 < 2 ? 0 : 10)),
    area: new Float64Array(count).fill(100),
    crowd: flags(crowd),
    ignore: flags(ignore),
    id: new Float64Array(count),
  };
  const images = Array.from({ length: count }, (_, id) => ({
    id,
    file: '',
    name: '',
    width: 20,
    height: 20,
  }));
  return { images, annotations } as Pick<GroundTruth, 'images' | 'annotations'>;
}

/** Rows of image, category, width (of 10: 5 is an IoU of 0.5) and score. */
function detections(...rows: readonly (readonly [number, number, number, number])[]) {
  const table = new DetectionBuilder();
  for (const [image, category, width, score] of rows) table.push(image, category, 0, 0, width, 10, score);
  return table.finish();
}

test('the best score among detections of the class that overlap counts; others do not', () => {
  const before = detections([0, 0, 10, 0.25], [0, 0, 5, 0.5], [0, 0, 4, 0.9], [0, 1, 10, 0.9], [1, 0, 10, 1]);
  const { before: mean, after, objects } = compareFound(truthOf(2), before, detections());
  expect([mean, after, objects]).toEqual([0.75, 0, 2]);
});

test('crowds and what is to be ignored are no objects', () => {
  const all = detections([0, 0, 10, 0.4], [1, 0, 10, 0.8], [2, 0, 10, 0.8]);
  expect(compareFound(truthOf(3, [0, 1], [0, 0, 1]), all, all)).toEqual({
    before: 0.4,
    after: 0.4,
    objects: 1,
    z: 0,
  });
});

test('differences that agree are sure, those that do not are not', () => {
  const scores = (each: (i: number) => number) =>
    detections(...Array.from({ length: 16 }, (_, i) => [i, 0, 10, each(i)] as const));
  const truth = truthOf(16);
  const half = scores(() => 0.5);
  // 16 equal differences: 16 d / sqrt(16 d²).
  expect(
    compareFound(
      truth,
      half,
      scores(() => 0.625),
    ).z,
  ).toBeCloseTo(4, 12);
  expect(
    compareFound(
      truth,
      half,
      scores(() => 0.375),
    ).z,
  ).toBeCloseTo(-4, 12);
  expect(
    compareFound(
      truth,
      half,
      scores((i) => (i % 2 === 0 ? 0.75 : 0.25)),
    ).z,
  ).toBe(0);
});
