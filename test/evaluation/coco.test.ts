import { describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { makeSet, type SetSize } from '../../bench/coco-set.js';
import { parseCoco, parseDetections } from '../../src/dataset/index.js';
import {
  type CocoEvaluation,
  evaluateCoco,
  outputDistances,
  pairedBootstrap,
} from '../../src/evaluation/index.js';

interface Case {
  readonly corner: string;
  readonly truth: {
    readonly images: object[];
    readonly annotations: { image_id: number }[];
    readonly categories: object[];
  };
  readonly detections: readonly { image_id: number; score: number }[];
  readonly stats: readonly number[];
  readonly precision: string;
  readonly recall: string;
  /** How ids of annotations were understood; absent where that makes no difference. */
  readonly ids?: 'distinct' | 'pycocotools';
}

interface LargeCase extends Pick<Case, 'stats' | 'precision' | 'recall'> {
  readonly size: SetSize;
}

const cases = JSON.parse(
  gunzipSync(readFileSync('test/evaluation/golden/coco.json.gz')).toString(),
) as Case[];
const digest = (data: Float64Array): string =>
  createHash('sha256').update(new Uint8Array(data.buffer)).digest('hex');

/** The generated truths have no file names, which our reader asks for. */
function tables({ truth, detections, ids }: Pick<Case, 'truth' | 'detections' | 'ids'>) {
  const images = truth.images.map((image, i) => ({ ...image, file_name: `${i}.jpg` }));
  const parsed = parseCoco({ ...truth, images }, 'gt.json', '', {
    repeatedIds: ids === 'pycocotools' ? 'last' : 'refuse',
  });
  return { truth: parsed, detections: parseDetections(detections, 'dt.json', parsed) };
}

describe('equal to pycocotools', () => {
  const corners = [...new Set(cases.map(({ corner }) => corner))];
  test.each(corners)('%s', (corner) => {
    for (const one of cases.filter((c) => c.corner === corner)) {
      const { truth, detections } = tables(one);
      expectEqual(evaluateCoco(truth, detections, { ids: one.ids ?? 'distinct' }), one);
    }
  });
  test('over 372 cases', () => expect(cases).toHaveLength(372));

  const large = JSON.parse(readFileSync('test/evaluation/golden/coco-large.json', 'utf8')) as LargeCase[];
  test.each(large.map((one) => [JSON.stringify(one.size), one] as const))('a large set: %s', (_, one) => {
    const made = makeSet(one.size);
    const truth = parseCoco(made.truth, 'gt.json', '');
    expectEqual(evaluateCoco(truth, parseDetections(made.detections, 'dt.json', truth)), one);
  });
});

/** Tensors to the bit, means within 1e-12. */
function expectEqual(
  { stats, precision, recall }: CocoEvaluation,
  expected: Pick<Case, 'stats' | 'precision' | 'recall'>,
): void {
  expect(digest(precision)).toBe(expected.precision);
  expect(digest(recall)).toBe(expected.recall);
  Object.values(stats).forEach((value, i) =>
    expect(Math.abs(value - (expected.stats[i] as number))).toBeLessThan(1e-12),
  );
}

test('a score that is not a number is a fault, not a rank', () => {
  const { truth, detections } = tables(cases[0] as Case);
  detections.score[3] = NaN;
  expect(() => evaluateCoco(truth, detections)).toThrow(/detection 3: has the score NaN/);
});

describe('paired bootstrap', () => {
  const { truth, detections } = tables(cases.find((c, i) => i >= 230 && c.corner === 'plain') as Case);
  const options = { truth, reference: detections, resamples: 200, confidence: 0.95, seed: 5 };
  const worse = {
    ...detections,
    score: detections.score.map((score, i) => (i % 3 === 0 ? score * 0.2 : score)),
  };

  test('finds no drop where nothing differs', () => {
    expect(pairedBootstrap({ ...options, candidate: detections }).map).toEqual({ drop: 0, low: 0, high: 0 });
  });

  test('gives the drop of the whole set inside its interval, the same for the same seed', () => {
    const first = pairedBootstrap({ ...options, candidate: worse });
    const drop = evaluateCoco(truth, detections).stats.AP - evaluateCoco(truth, worse).stats.AP;
    expect(first.map.drop).toBeCloseTo(drop, 9);
    expect(first.map.low).toBeLessThanOrEqual(drop);
    expect(first.map.high).toBeGreaterThanOrEqual(drop);
    expect(first.map.high - first.map.low).toBeGreaterThan(0);
    expect(pairedBootstrap({ ...options, candidate: worse })).toEqual(first);
  });
});

describe('distances between outputs', () => {
  const { detections } = tables(cases.find(({ corner }) => corner === 'perfect') as Case);
  const none = {
    count: 0,
    image: new Int32Array(0),
    category: new Int32Array(0),
    bbox: new Float64Array(0),
    score: new Float64Array(0),
  };

  test('are zero for the same detections', () => {
    expect(outputDistances(detections, detections)).toMatchObject({
      scoreDivergence: 0,
      detectionRatio: 1,
      scoreShift: 0,
    });
  });

  test('are finite and largest when nothing is detected', () => {
    expect(outputDistances(detections, none)).toEqual({
      scoreDivergence: 1,
      detectionRatio: 0,
      boxShift: 1,
      scoreShift: 0,
      unmatched: 1,
    });
  });
});
