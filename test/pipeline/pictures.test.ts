import { describe, expect, test } from '@jest/globals';
import { parseCoco, parseDetections, type DetectionTable } from '../../src/dataset/index.js';
import { evaluateCoco } from '../../src/evaluation/index.js';
import { curvesOf } from '../../src/pipeline/pictures/curves.js';
import { distributionsOf } from '../../src/pipeline/pictures/distributions.js';
import { histogramsOf } from '../../src/pipeline/pictures/histograms.js';
import { boxesOf, lossesOf } from '../../src/pipeline/pictures/worst-images.js';
import { bell, statisticsOf } from '../diagnosis/evidence.js';

const CLASSES = ['stop', 'give way'];
/** Three images with two signs each, one a class. */
const truth = parseCoco(
  {
    images: [1, 2, 3].map((id) => ({ id, file_name: `${id}.jpg`, width: 100, height: 100 })),
    categories: CLASSES.map((name, i) => ({ id: i + 1, name })),
    annotations: [1, 2, 3].flatMap((image_id) =>
      [1, 2].map((category_id) => ({
        id: 10 * image_id + category_id,
        image_id,
        category_id,
        bbox: [10 * category_id, 10, 8, 8],
        area: 64,
        iscrowd: 0,
      })),
    ),
  },
  'truth.json',
  'images',
);

/** Detections as `[image, class, x, score]`; x = 10 × class is right. */
function found(
  ...rows: readonly (readonly [image: number, category: number, x: number, score: number])[]
): DetectionTable {
  return parseDetections(
    rows.map(([image_id, category_id, x, score]) => ({ image_id, category_id, bbox: [x, 10, 8, 8], score })),
    'found.json',
    truth,
  );
}

const ALL = [1, 2, 3].flatMap(
  (image) =>
    [
      [image, 1, 10, 0.9],
      [image, 2, 20, 0.8],
    ] as const,
);

describe('images that lose most', () => {
  const losses = (int8: DetectionTable, fp32 = found(...ALL)) =>
    lossesOf(3, evaluateCoco(truth, fp32), evaluateCoco(truth, int8));

  test.each([
    { name: 'equal detections lose nothing', int8: found(...ALL), losses: [] },
    {
      name: 'what is not found is lost, most first',
      int8: found([1, 1, 10, 0.9], [2, 1, 10, 0.9], [2, 2, 20, 0.8]),
      losses: [
        { image: 2, lost: 2, added: 0 },
        { image: 0, lost: 1, added: 0 },
      ],
    },
    {
      name: 'a score below 0.25 is as good as none',
      int8: found(...ALL.slice(0, 5), [3, 2, 20, 0.2]),
      losses: [{ image: 2, lost: 1, added: 0 }],
    },
    {
      name: 'a box elsewhere is lost and added',
      int8: found(...ALL.slice(0, 5), [3, 2, 70, 0.8]),
      losses: [{ image: 2, lost: 1, added: 1 }],
    },
    {
      name: 'another class is lost in one and added in the other',
      int8: found(...ALL.slice(0, 5), [3, 1, 20, 0.8]),
      losses: [{ image: 2, lost: 1, added: 1 }],
    },
  ])('$name', ({ int8, losses: expected }) => expect(losses(int8)).toEqual(expected));

  test('what INT8 finds more is no loss', () => {
    expect(losses(found(...ALL), found(...ALL.slice(0, 3)))).toEqual([]);
  });

  test('boxes of one image, confident ones, surest first', () => {
    const int8 = found([2, 1, 10, 0.5], [2, 2, 20, 0.7], [2, 2, 60, 0.1], [1, 1, 10, 0.9]);
    const boxes = boxesOf(truth, found(...ALL), int8, 1);
    expect(boxes.int8).toEqual([
      { class: 'give way', box: [20, 10, 8, 8], score: 0.7 },
      { class: 'stop', box: [10, 10, 8, 8], score: 0.5 },
    ]);
    expect(boxes.truth).toEqual([
      { class: 'stop', box: [10, 10, 8, 8] },
      { class: 'give way', box: [20, 10, 8, 8] },
    ]);
  });
});

test('the mean curve at IoU 0.5 is what AP50 is the mean of, and so is that of a class', () => {
  const evaluation = evaluateCoco(truth, found(...ALL.slice(0, 4), [3, 1, 50, 0.95]));
  const curves = curvesOf([{ variant: 'int8', evaluation }]);
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, one) => sum + one, 0) / values.length;
  expect(mean(curves[0]!.precision)).toBeCloseTo(evaluation.stats.AP50, 4);
  const stop = curves.find((one) => one.class === 'stop')!;
  expect(mean(stop.precision)).toBeCloseTo(evaluation.perClass[0]!.AP50, 4);
  expect(curves.map(({ iou }) => iou)).toEqual([0.5, 0.75, 0.5, 0.5]);
});

test('distributions count every score, and the sizes of confident boxes', () => {
  const detections = found([1, 1, 10, 1], [1, 1, 10, 0.26], [1, 1, 10, 0.01], [1, 1, 10, 0.01]);
  const { scoreEdges, sizeEdges, variants } = distributionsOf([{ variant: 'fp32', detections }]);
  const [{ scores, sizes }] = variants as [(typeof variants)[number]];
  expect(scores).toHaveLength(scoreEdges.length - 1);
  expect([scores[0], scores[5], scores.at(-1)]).toEqual([2, 1, 1]);
  // 8 pixels wide and high: the bin that begins at 8.
  expect(sizes[sizeEdges.indexOf(8)]).toBe(2);
});

describe('histograms', () => {
  const quantized = (name: string, values: readonly number[], amax: number) => {
    const { statistics, extremes } = statisticsOf(name, { images: [values] });
    return { name, layers: ['/conv'], amax, ownAmax: amax, calibration: statistics, extremes };
  };

  test('keep every count up to the largest value, in at most 64 bins', () => {
    const values = bell(5000);
    const [one] = histogramsOf([quantized('x', values, 3)], { percentile: 99.9 });
    const reach = Math.max(...values.map(Math.abs));
    expect(one!.counts.reduce((sum, count) => sum + count, 0)).toBe(5000);
    expect(one!.counts.length).toBeLessThanOrEqual(64);
    expect(one!.counts.length * one!.binWidth).toBeGreaterThanOrEqual(reach);
    expect((one!.counts.length - 1) * one!.binWidth).toBeLessThanOrEqual(reach);
    expect(one!.clips.map(({ calibrator }) => calibrator)).toContain('percentile 99.9');
  });

  test('come with the tensor first that has least signal left', () => {
    const values = bell(500);
    const tensors = [quantized('fits', values, 3), quantized('far too wide', values, 300)];
    expect(histogramsOf(tensors, { percentile: 99.9 }).map(({ tensor }) => tensor)).toEqual([
      'far too wide',
      'fits',
    ]);
  });

  test('a tensor of zeros has one bin', () => {
    const [one] = histogramsOf([quantized('zeros', [0, 0, 0], 0)], { percentile: 99.9 });
    expect(one).toMatchObject({ counts: [3], binWidth: 0, sqnr: null, zeros: 3 });
  });
});
