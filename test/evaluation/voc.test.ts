import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { parseCoco, parseDetections } from '../../src/dataset/index.js';
import { evaluateVoc } from '../../src/evaluation/index.js';

interface Case {
  readonly truth: object;
  readonly detections: object[];
  readonly iou: number;
  readonly voc07: readonly number[];
  readonly voc: readonly number[];
}

const cases = JSON.parse(gunzipSync(readFileSync('test/evaluation/golden/voc.json.gz')).toString()) as Case[];

describe.each(['voc07', 'voc'] as const)('%s equals voc_eval.py', (metric) => {
  test.each([0.3, 0.5, 0.75])('above an IoU of %p', (iou) => {
    const mine = cases.filter((one) => one.iou === iou);
    expect(mine.length).toBeGreaterThan(10);
    for (const { truth: json, detections, ...expected } of mine) {
      const truth = parseCoco(json, 'gt.json', '');
      const { mAP, perClass } = evaluateVoc(
        truth,
        parseDetections(detections, 'dt.json', truth),
        metric,
        iou,
      );
      expected[metric].forEach((AP, k) =>
        expect(Math.abs((perClass[k]?.AP ?? NaN) - AP)).toBeLessThan(1e-12),
      );
      expect(mAP).toBeCloseTo((expected[metric][0]! + expected[metric][1]!) / 2, 12);
    }
  });
});

const truth = parseCoco(
  {
    images: [{ id: 1, file_name: '1' }],
    categories: [
      { id: 1, name: 'cat' },
      { id: 2, name: 'dog' },
    ],
    annotations: [
      { id: 1, image_id: 1, category_id: 1, bbox: [0, 0, 10, 10] },
      { id: 2, image_id: 1, category_id: 1, bbox: [50, 0, 10, 10], iscrowd: 1 },
    ],
  },
  'gt.json',
  '',
);
const evaluate = (...found: readonly (readonly [category: number, bbox: number[], score: number])[]) =>
  evaluateVoc(
    truth,
    parseDetections(
      found.map(([category_id, bbox, score]) => ({ image_id: 1, category_id, bbox, score })),
      'dt.json',
      truth,
    ),
    'voc',
  );

describe('corners', () => {
  test('a class without boxes has no AP and is no part of the mean', () =>
    expect(evaluate([1, [0, 0, 10, 10], 1], [2, [0, 0, 10, 10], 1])).toMatchObject({
      mAP: 1,
      perClass: [
        { AP: 1, boxes: 1 },
        { AP: -1, boxes: 0, detections: 1 },
      ],
    }));
  test('an overlap of exactly the limit is none', () => expect(evaluate([1, [0, 0, 10, 20], 1]).mAP).toBe(0));
  test('what hits a difficult box is left aside', () =>
    expect(evaluate([1, [50, 0, 10, 10], 1], [1, [0, 0, 10, 10], 0.5]).mAP).toBe(1));
  test('nothing found at all is 0', () => expect(evaluate().mAP).toBe(0));
});
