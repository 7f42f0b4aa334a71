import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseCoco, parseDetections } from '../../src/dataset/index.js';
import { evaluateCoco, prepareMatches } from '../../src/evaluation/index.js';
import { literalCoco } from './literal-port.js';

/** Boxes on a coarse grid: overlaps, equal IoUs and areas on the limits come often. */
const box = fc
  .tuple(
    fc.constantFrom(0, 8, 16, 32, 40),
    fc.constantFrom(0, 8, 16),
    fc.constantFrom(0, 16, 32, 48, 96, 100),
    fc.constantFrom(16, 32, 96, 120),
  )
  .map((numbers) => [...numbers]);
const image = fc.integer({ min: 0, max: 3 });
const category = fc.integer({ min: 0, max: 2 });
const annotation = fc.record({
  image_id: image,
  category_id: category,
  bbox: box,
  iscrowd: fc.constantFrom(0, 0, 0, 1),
});
const detection = fc.record({
  image_id: image,
  category_id: category,
  bbox: box,
  score: fc.oneof(fc.constantFrom(0.1, 0.5, 0.9, 0, -0), fc.double({ min: -2, max: 2, noNaN: true })),
});
const set = fc.record({
  annotations: fc.array(annotation, { maxLength: 24 }),
  detections: fc.array(detection, { maxLength: 60 }),
  // Marks every n-th box as one that neither counts nor hurts, as VOC's difficult.
  ignoreEvery: fc.integer({ min: 2, max: 9 }),
});

type Made = typeof set extends fc.Arbitrary<infer T> ? T : never;

function tables({ annotations, detections, ignoreEvery }: Made) {
  const ids = [0, 1, 2, 3];
  const truth = parseCoco(
    {
      images: ids.map((id) => ({ id, file_name: `${id}.jpg` })),
      categories: [0, 1, 2].map((id) => ({ id, name: `${id}` })),
      annotations: annotations.map((one, id) => ({ ...one, id })),
    },
    'gt.json',
    '',
  );
  truth.annotations.ignore.forEach((_, i, all) => (all[i] = i % ignoreEvery === 0 ? 1 : 0));
  return { truth, detections: parseDetections(detections, 'dt.json', truth) };
}

describe('any set', () => {
  test('has the tensors of a literal port of COCOeval', () =>
    fc.assert(
      fc.property(set, (made) => {
        const { truth, detections } = tables(made);
        const { precision, recall } = evaluateCoco(truth, detections);
        const literal = literalCoco(truth, detections);
        expect(Buffer.from(precision.buffer).equals(Buffer.from(literal.precision.buffer))).toBe(true);
        expect(Buffer.from(recall.buffer).equals(Buffer.from(literal.recall.buffer))).toBe(true);
      }),
      { numRuns: 150 },
    ));

  test('keeps its numbers when images and classes of other names stand between', () =>
    fc.assert(
      fc.property(set, (made) => {
        const { truth, detections } = tables(made);
        const wider = {
          ...truth,
          categories: [...truth.categories, { id: 99, name: 'none' }],
          images: [...truth.images, { id: 99, name: 'x', file: 'x', width: 0, height: 0 }],
        };
        expect(evaluateCoco(wider, detections).stats).toEqual(evaluateCoco(truth, detections).stats);
      }),
      { numRuns: 50 },
    ));

  test('has as many right detections as recall says, at every threshold', () =>
    fc.assert(
      fc.property(set, (made) => {
        const { truth, detections } = tables(made);
        const evaluation = evaluateCoco(truth, detections);
        const K = truth.categories.length;
        prepareMatches(truth, detections).classes.forEach((list, a) =>
          list.forEach(({ outcome, count, total, positives }, k) => {
            expect(positives.reduce((sum, n) => sum + n, 0)).toBe(total);
            for (let t = 0; t < 10 && total > 0; t++) {
              const right = outcome.subarray(t * count, (t + 1) * count).filter((one) => one === 1).length;
              expect(evaluation.recall[((t * K + k) * 4 + a) * 3 + 2]).toBe(right / total);
            }
          }),
        );
      }),
      { numRuns: 50 },
    ));
});
