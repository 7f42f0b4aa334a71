import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { DetectionTable, GroundTruth } from '../../src/dataset/index.js';
import { parseCoco, parseDetections } from '../../src/dataset/index.js';
import { evaluateCoco, mulberry32, pairedBootstrap } from '../../src/evaluation/index.js';
import {
  bcaInterval,
  normalQuantile,
  normalShare,
  percentileInterval,
  simultaneousIntervals,
} from '../../src/evaluation/intervals.js';
import { matchClasses, type ClassBits } from '../../src/evaluation/matching.js';
import { IOU_THRESHOLDS, RECALL_POINTS } from '../../src/evaluation/parameters.js';
import { WeightedEvaluation } from '../../src/evaluation/weighted.js';

interface Scene {
  readonly boxes: readonly {
    readonly category: number;
    readonly bbox: readonly number[];
    readonly crowd: boolean;
  }[];
  readonly found: readonly {
    readonly category: number;
    readonly bbox: readonly number[];
    readonly score: number;
  }[];
}

const bbox = fc.tuple(
  ...[40, 40].map((max) => fc.integer({ min: 0, max })),
  ...[60, 60].map((max) => fc.integer({ min: 4, max })),
);
const category = fc.integer({ min: 1, max: 3 });
/** Scores on a coarse grid, so that ties between images are common; inside an image the order of copies would differ. */
const score = fc.integer({ min: 1, max: 12 }).map((one) => one / 12);
const scene: fc.Arbitrary<Scene> = fc.record({
  boxes: fc.array(fc.record({ category, bbox, crowd: fc.boolean() }), { maxLength: 5 }),
  found: fc.uniqueArray(fc.record({ category, bbox, score }), { maxLength: 8, selector: (one) => one.score }),
});

/** A set in which each scene stands as often as its weight says, copies side by side. */
function tables(scenes: readonly Scene[], weights: readonly number[]): [GroundTruth, DetectionTable] {
  const copies = scenes.flatMap((one, i) => new Array<Scene>(weights[i] as number).fill(one));
  const truth = {
    images: copies.map((_, id) => ({ id, file_name: `${id}.jpg`, width: 100, height: 100 })),
    categories: [1, 2, 3].map((id) => ({ id, name: `class ${id}` })),
    annotations: copies
      .flatMap(({ boxes }, image) => boxes.map((one) => ({ ...one, image })))
      .map(({ image, category: cls, bbox: box, crowd }, id) => ({
        id: id + 1,
        image_id: image,
        category_id: cls,
        bbox: box,
        area: (box[2] as number) * (box[3] as number),
        iscrowd: Number(crowd),
      })),
  };
  const results = copies.flatMap(({ found }, image) =>
    found.map(({ category: cls, bbox: box, score: sure }) => ({
      image_id: image,
      category_id: cls,
      bbox: box,
      score: sure,
    })),
  );
  const parsed = parseCoco(truth, 'gt.json', '');
  return [parsed, parseDetections(results, 'dt.json', parsed)];
}

/** The figures of a class under weights, the plain way: one threshold after the other, every step a division. */
function plainFigures({ annotations }: GroundTruth, one: ClassBits, weights: Uint16Array): number[] {
  const weightOf = (image: number | undefined): number => weights[image ?? NaN] ?? NaN;
  const total = [...one.boxes]
    .filter((row) => annotations.crowd[row] === 0 && annotations.ignore[row] === 0)
    .reduce((sum, row) => sum + weightOf(annotations.image[row]), 0);
  if (total === 0) return [NaN, NaN, NaN];
  const curves = Array.from(IOU_THRESHOLDS, (_, t) => {
    const steps: { recall: number; precision: number }[] = [];
    let [found, all] = [0, 0];
    for (let i = 0; i < one.count; i++) {
      const weight = weightOf(one.image[i]);
      if (weight === 0 || (((one.ignored[i] as number) >> t) & 1) === 1) continue;
      all += weight;
      if ((((one.right[i] as number) >> t) & 1) === 0) continue;
      found += weight;
      steps.push({ recall: found / total, precision: found / (all + Number.EPSILON) });
    }
    const heights = Array.from(RECALL_POINTS, (point) =>
      steps.reduce((most, { recall, precision }) => (recall >= point ? Math.max(most, precision) : most), 0),
    );
    return { area: heights.reduceRight((sum, height) => sum + height, 0), recall: found / total };
  });
  return [
    curves.reduce((sum, { area }) => sum + area, 0) / (RECALL_POINTS.length * IOU_THRESHOLDS.length),
    (curves[0]?.area ?? NaN) / RECALL_POINTS.length,
    curves.reduce((sum, { recall }) => sum + recall, 0) / IOU_THRESHOLDS.length,
  ];
}

describe('a weight of n', () => {
  test('gives the plain way bit for bit, weights of 0 and of hundreds, crowds and ties among them', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(scene, fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 700 }))),
          {
            minLength: 1,
            maxLength: 12,
          },
        ),
        fc.integer({ min: 0, max: 3 }),
        (list, other) => {
          const [truth, found] = tables(
            list.map(([one]) => one),
            list.map(() => 1),
          );
          const classes = matchClasses(truth, found);
          const weighted = new WeightedEvaluation(truth, classes);
          const figures = new Float64Array(9);
          // Twice, so that nothing of the one is left to the next.
          for (const weights of [list.map(([, weight]) => weight), list.map((_, i) => (i + other) % 3)].map(
            (one) => Uint16Array.from(one),
          )) {
            weighted.evaluate(weights, figures);
            const plain = classes.flatMap((one) => plainFigures(truth, one, weights));
            expect([...figures]).toEqual(plain);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  test('gives the plain way bit for bit where memory has to grow', () => {
    const boxes = [{ category: 1, bbox: [0, 0, 9, 9], crowd: false }];
    const one: Scene = { boxes, found: boxes.map((box) => ({ ...box, score: 0.5 })) };
    const [truth, found] = tables([one], [1]);
    const classes = matchClasses(truth, found);
    const figures = new Float64Array(9);
    const weights = Uint16Array.of(65_535);
    new WeightedEvaluation(truth, classes).evaluate(weights, figures);
    expect([...figures]).toEqual(classes.flatMap((bits) => plainFigures(truth, bits, weights)));
    expect(figures[0]).toBe(1);
  });

  test('gives what n copies of the image in the set give', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(scene, fc.integer({ min: 0, max: 3 })), { minLength: 1, maxLength: 8 }),
        (list) => {
          const scenes = list.map(([one]) => one);
          const weights = list.map(([, weight]) => weight);
          fc.pre(weights.some((weight) => weight > 0));
          const [truth, found] = tables(
            scenes,
            scenes.map(() => 1),
          );
          const figures = new Float64Array(9);
          new WeightedEvaluation(truth, matchClasses(truth, found)).evaluate(
            Uint16Array.from(weights),
            figures,
          );
          const whole = evaluateCoco(...tables(scenes, weights)).perClass;
          whole.forEach(({ AP, AP50, AR100 }, k) => {
            const [map, map50, ar] = figures.subarray(3 * k, 3 * k + 3);
            if (AP === -1) expect([map, map50, ar]).toEqual([NaN, NaN, NaN]);
            else {
              expect(map).toBeCloseTo(AP, 12);
              expect(map50).toBeCloseTo(AP50, 12);
              expect(ar).toBeCloseTo(AR100, 12);
            }
          });
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('intervals', () => {
  const draws = Float64Array.from({ length: 1001 }, (_, i) => i / 1000);

  test('Φ and its inverse', () => {
    for (const [z, p] of [
      [0, 0.5],
      [1, 0.841344746],
      [-1.959963985, 0.025],
      [3, 0.998650102],
    ] as const) {
      expect(normalShare(z)).toBeCloseTo(p, 6);
      expect(normalQuantile(p)).toBeCloseTo(z, 4);
    }
  });

  test('percentile: the middle of the draws', () => {
    expect(percentileInterval(draws, 0.9)).toEqual([expect.closeTo(0.05, 9), expect.closeTo(0.95, 9)]);
  });

  test('BCa without bias and skewness is the percentile interval', () => {
    const symmetric = Float64Array.from([-1, 0, 1]);
    const [low, high] = bcaInterval(draws, 0.5, symmetric, 0.9);
    expect([low, high]).toEqual([expect.closeTo(0.05, 5), expect.closeTo(0.95, 5)]);
  });

  test('the maximum statistic: every figure as far as the largest deviation of all, in its own errors', () => {
    // Deviations ±1 and ±2 with standard errors √(4/3) and 2 √(4/3): the largest is √3/2 in every draw.
    const rows = [
      [1, -2],
      [-1, 2],
      [1, 2],
      [-1, -2],
    ].map((row) => Float64Array.from(row));
    const at = simultaneousIntervals(new Float64Array(2), rows, [0, 1], 0.95);
    expect(at.get(0)).toEqual([expect.closeTo(-1, 12), expect.closeTo(1, 12)]);
    expect(at.get(1)).toEqual([expect.closeTo(-2, 12), expect.closeTo(2, 12)]);
    expect(simultaneousIntervals(new Float64Array(2), rows, [1], 0.95).has(0)).toBe(false);
  });

  test('BCa as its formula says, with bias and skewness', () => {
    // z0 = Φ⁻¹(0.4); influences 2, 2, -4: a = (8 + 8 - 64) / (6 * 24^1.5).
    const without = Float64Array.from([-2, -2, 4]);
    const [z0, a] = [normalQuantile(0.4), -48 / (6 * 24 ** 1.5)];
    const at = (p: number): number => {
      const z = z0 + normalQuantile(p);
      return normalShare(z0 + z / (1 - a * z));
    };
    const [low, high] = bcaInterval(draws, 0.4, without, 0.9);
    expect([low, high]).toEqual([expect.closeTo(at(0.05), 3), expect.closeTo(at(0.95), 3)]);
  });
});

describe('the paired bootstrap', () => {
  const random = mulberry32(7);
  const scenes = Array.from({ length: 40 }, (): Scene => {
    const boxes = Array.from({ length: 3 }, (_, i) => ({
      category: 1 + Math.floor(random() * 3),
      bbox: [30 * i, 10, 20 + 5 * random(), 20],
      crowd: false,
    }));
    return { boxes, found: boxes.map((one) => ({ ...one, score: 0.3 + 0.7 * random() })) };
  });
  const [truth, reference] = tables(
    scenes,
    scenes.map(() => 1),
  );
  const worse = {
    ...reference,
    score: reference.score.map((one, i) => (i % 4 === 0 ? one * 0.1 : one)),
    bbox: reference.bbox.map((one, i) => (i % 12 === 0 ? one + 6 : one)),
  };
  const options = { truth, reference, resamples: 300, confidence: 0.95, seed: 3 };

  test.each(['bca', 'percentile'] as const)(
    '%s: the drop lies in its interval, for AR and every class too',
    (method) => {
      const found = pairedBootstrap({ ...options, candidate: worse, method });
      const [before, after] = [evaluateCoco(truth, reference), evaluateCoco(truth, worse)];
      expect(found.map.drop).toBeCloseTo(before.stats.AP - after.stats.AP, 9);
      expect(found.map50.drop).toBeCloseTo(before.stats.AP50 - after.stats.AP50, 9);
      expect(found.ar.drop).toBeCloseTo(before.stats.AR100 - after.stats.AR100, 9);
      for (const { drop, low, high } of [
        found.map,
        found.ar,
        ...found.perClass.flatMap((one) => one ?? []),
      ]) {
        expect(low).toBeLessThanOrEqual(drop);
        expect(high).toBeGreaterThanOrEqual(drop);
        expect(high).toBeGreaterThan(low);
      }
      expect(found.method).toBe(method);
    },
  );

  test('an interval for all classes at once holds each one, with every class of enough boxes in it', () => {
    const resampled = pairedBootstrap({ ...options, candidate: worse, method: 'percentile' });
    expect(resampled.family).toBe(3);
    for (const one of resampled.perClass) {
      expect(one?.images).toBeGreaterThan(20);
      const [low, high] = one?.together ?? [NaN, NaN];
      expect(high - low).toBeGreaterThan((one?.high ?? NaN) - (one?.low ?? NaN));
      expect((low + high) / 2).toBeCloseTo(one?.drop ?? NaN, 12);
    }
    const boxes = evaluateCoco(truth, reference).perClass.map((one) => one.boxes);
    const most = Math.max(...boxes);
    const alone = pairedBootstrap({ ...options, candidate: worse, minBoxes: most });
    expect(alone.family).toBe(boxes.filter((count) => count === most).length);
    expect(alone.perClass.map((one) => one?.together !== undefined)).toEqual(
      boxes.map((count) => count === most),
    );
  });

  test('is the same for the same seed, and another for another', () => {
    const first = pairedBootstrap({ ...options, candidate: worse });
    expect(pairedBootstrap({ ...options, candidate: worse })).toEqual(first);
    expect(pairedBootstrap({ ...options, candidate: worse, seed: 4 }).map).not.toEqual(first.map);
  });

  test('turned around, the drop turns its sign', () => {
    const there = pairedBootstrap({ ...options, candidate: worse, method: 'percentile' }).map;
    const back = pairedBootstrap({
      ...options,
      reference: worse,
      candidate: reference,
      method: 'percentile',
    }).map;
    expect([back.drop, back.low, back.high]).toEqual(
      [there.drop, there.high, there.low].map((one) => expect.closeTo(-one, 9) as unknown),
    );
  });
});
