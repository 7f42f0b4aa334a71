import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  BINS,
  RangeCollector,
  calibratorFor,
  computeRanges,
  quantizationError,
  type TensorStatistics,
} from '../../src/calibration/index.js';

// Values on the edges of bins (powers of two above all, as a saturated sigmoid's 1) are where a bin can go wrong.
const value = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }),
  fc.integer({ min: -4, max: 8 }).map((exponent) => 2 ** exponent),
  fc.integer({ min: -4096, max: 4096 }).map((edge) => edge / 1024),
);
const images = fc.array(fc.array(value, { minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 12 });

/** Images with their indexes, which need not be the order of their coming. */
type Indexed = readonly (readonly [index: number, values: readonly number[]])[];

const indexed = (list: readonly (readonly number[])[]): Indexed => list.map((values, i) => [i, values]);

/** Histograms are long to compare. */
const RUNS = { numRuns: 20 };

function collect(list: Indexed): RangeCollector {
  const collector = new RangeCollector();
  for (const [i, values] of list) collector.observe(i, 'x', Float32Array.from(values), [values.length]);
  return collector;
}

const statisticsOf = (collector: RangeCollector): TensorStatistics => ({
  ...(collector.statistics().get('x') as TensorStatistics),
  shape: [],
});

describe('statistics have the same bits', () => {
  test('when a value equals the limit before the histogram widens', () => {
    const [early, late] = [
      statisticsOf(collect(indexed([[1], [1.5]]))),
      statisticsOf(
        collect([
          [1, [1.5]],
          [0, [1]],
        ]),
      ),
    ];
    expect(early).toEqual(late);
    expect([early.limit, early.bins[BINS / 2 - 1], early.bins[0.75 * BINS - 1]]).toEqual([2, 1, 1]);
    expect([...early.maxByImage]).toEqual([1, 1.5]);
  });

  test('for any order of images', () => {
    fc.assert(
      fc.property(images, fc.infiniteStream(fc.nat()), (list, stream) => {
        const shuffled = indexed(list)
          .map((one) => [stream.next().value as number, one] as const)
          .sort((a, b) => a[0] - b[0]);
        expect(statisticsOf(collect(shuffled.map(([, one]) => one)))).toEqual(
          statisticsOf(collect(indexed(list))),
        );
      }),
      RUNS,
    );
  });

  test('for any split among workers and any tree of merges', () => {
    fc.assert(
      fc.property(images, fc.nat(11), (list, cut) => {
        const [left, right] = [collect(indexed(list).slice(0, cut)), collect(indexed(list).slice(cut))];
        const forth = new RangeCollector();
        forth.merge(left);
        forth.merge(right);
        const back = new RangeCollector();
        back.merge(RangeCollector.fromMessage(structuredClone(right.toMessage())));
        back.merge(RangeCollector.fromMessage(structuredClone(left.toMessage())));
        expect(statisticsOf(forth)).toEqual(statisticsOf(collect(indexed(list))));
        expect(statisticsOf(back)).toEqual(statisticsOf(collect(indexed(list))));
      }),
      RUNS,
    );
  });

  test('and hold every value: extremes, zeros, counts', () => {
    fc.assert(
      fc.property(images, (list) => {
        const values = list.flatMap((one) => [...Float32Array.from(one)].map((v) => v + 0));
        const { min, max, zeros, count, bins, limit, images: seen } = statisticsOf(collect(indexed(list)));
        expect([min, max]).toEqual([Math.min(...values) + 0, Math.max(...values) + 0]);
        expect(zeros).toBe(values.filter((v) => v === 0).length);
        expect(count).toBe(values.length);
        expect(bins.reduce((a, b) => a + b, 0)).toBe(values.length);
        expect(limit === 0 || (Number.isInteger(Math.log2(limit)) && limit >= Math.max(max, -min))).toBe(
          true,
        );
        expect(seen).toBe(list.length);
      }),
      RUNS,
    );
  });
});

describe('the compiled loops count as a plain loop does', () => {
  /** Values whose exponents spread over a range, zeros of both signs among them. */
  const spread = (length: number, from: number, to: number): Float32Array =>
    Float32Array.from({ length }, (_, i) =>
      i % 7 === 3 ? (i % 2 === 0 ? 0 : -0) : Math.sin(i * 1.7) * 2 ** (from + ((i * 0.37) % (to - from))),
    );

  test.each([
    ['one value', spread(1, 0, 3)],
    ['fewer than the lanes', spread(5, 0, 3)],
    ['no multiple of the lanes', spread(8 * 9 + 7, -9, 3)],
    ['one short of a block', spread(32_767, -9, 3)],
    ['a block', spread(32_768, -9, 3)],
    ['one more than a block', spread(32_769, -9, 3)],
    ['several blocks, each reaching further', spread(100_003, -3, 9).map((x, i) => x * (1 + i))],
    ['smaller than any normal float32', spread(999, -149, -127)],
    ['larger than binary16 holds', spread(999, -140, 120)],
    ['zeros alone', new Float32Array(77)],
  ])('%s', (_name, values) => {
    const collector = new RangeCollector();
    collector.observe(0, 'x', values, [values.length]);
    const { bins, limit, zeros, min, max, count } = statisticsOf(collector);
    const expected = new Float64Array(BINS);
    for (const x of values) {
      const bin = Math.max(0, Math.ceil((Math.abs(x) * BINS) / (limit || 1)) - 1);
      expected[bin] = (expected[bin] as number) + 1;
    }
    expect(bins).toEqual(expected);
    expect([count, zeros]).toEqual([values.length, values.filter((x) => x === 0).length]);
    expect([min, max]).toEqual([
      values.reduce((a, b) => Math.min(a, b)) + 0,
      values.reduce((a, b) => Math.max(a, b)) + 0,
    ]);
    const amax = Math.max(-min, max);
    expect(limit).toBe(amax === 0 ? 0 : 2 ** Math.ceil(Math.log2(amax)));
  });
});

test('a value that is not finite in a later block leaves the others counted', () => {
  const values = new Float32Array(40_000).fill(0.5);
  values[39_999] = NaN;
  values[39_998] = -Infinity;
  const collector = new RangeCollector();
  collector.observe(0, 'x', values, [values.length]);
  expect(statisticsOf(collector)).toMatchObject({ nonFinite: 2, count: 39_998, min: 0.5, max: 0.5 });
});

test('a value that is not finite is counted and named, not binned', () => {
  const collector = collect([[0, [1, NaN, -2, Infinity]]]);
  expect(statisticsOf(collector)).toMatchObject({ nonFinite: 2, count: 2, min: -2, max: 1 });
  expect(() => computeRanges(collector.statistics(), calibratorFor('minmax'))).toThrow(
    /tensor x: is NaN or infinite in 2 places/,
  );
});

test('a tensor that stays empty is named, not ranged', () => {
  const collector = collect([
    [0, []],
    [1, []],
  ]);
  expect(() => computeRanges(collector.statistics(), calibratorFor('minmax'))).toThrow(
    /tensor x: held no values on any of 2 calibration images/,
  );
});

describe('calibrators', () => {
  const uniform = collect([[0, Array.from({ length: 20000 }, (_, i) => (i + 0.5) / 20000)]])
    .statistics()
    .get('x') as TensorStatistics;
  const outlier = collect([[0, [...Array.from({ length: 50000 }, (_, i) => Math.sin(i) ** 3), 8]]])
    .statistics()
    .get('x') as TensorStatistics;
  const amax = (
    name: Parameters<typeof calibratorFor>[0],
    statistics: TensorStatistics,
    percentile = 99.999,
  ): number => calibratorFor(name, { percentile }).range(statistics).amax;

  test('minmax keeps everything', () => expect(amax('minmax', outlier)).toBe(8));

  test.each([50.5, 90, 99, 99.9])('percentile %p of a uniform tensor is that share', (percentile) => {
    expect(Math.abs(amax('percentile', uniform, percentile) - percentile / 100)).toBeLessThan(2 / BINS);
  });

  test('percentile never goes beyond the largest value', () =>
    expect(amax('percentile', uniform, 100)).toBeLessThanOrEqual(1));

  test('percentile cuts a lone outlier off', () =>
    expect(amax('percentile', outlier, 99.99)).toBeLessThan(2));

  test.each(['entropy', 'mse'] as const)('%s keeps a uniform tensor nearly whole', (name) =>
    expect(amax(name, uniform)).toBeGreaterThan(0.9),
  );

  test.each([
    ['a range that keeps everything', outlier, 8],
    ['a range that clips the outlier', outlier, 1],
    ['a range that clips half', uniform, 0.5],
    ['a step narrower than a bin', outlier, 0.01],
    ['a range beyond all values', uniform, 3],
    ['no range at all', uniform, 0],
  ] as const)(
    'the squared error of %s is that of rounding value by value',
    (_what, statistics, threshold) => {
      const width = statistics.limit / BINS;
      const points = 64;
      let error = 0;
      statistics.bins.forEach((n, bin) => {
        for (let k = 0; k < points; k++) {
          const x = (bin + (k + 0.5) / points) * width;
          const code = threshold === 0 ? 0 : Math.min(127, Math.round((x / threshold) * 127));
          error += ((n - (bin === 0 ? statistics.zeros : 0)) / points) * (x - (code * threshold) / 127) ** 2;
        }
      });
      expect(quantizationError(statistics, threshold) / (error / statistics.count)).toBeCloseTo(1, 3);
    },
  );

  test('mse answers the least squared error of 113 thresholds', () => {
    const thresholds = Array.from({ length: 113 }, (_, k) => (8 * (k + 16)) / 128);
    const least = Math.min(...thresholds.map((one) => quantizationError(outlier, one)));
    expect(quantizationError(outlier, amax('mse', outlier))).toBe(least);
    expect(amax('mse', outlier)).toBeLessThan(8);
  });

  test('entropy cuts a lone outlier off', () => expect(amax('entropy', outlier)).toBeLessThan(2));
});
