/** Confidence intervals from bootstrap draws. */

/** `percentile`, or `bca`: bias-corrected and accelerated. */
export const INTERVAL_METHODS = ['bca', 'percentile'] as const;
export type IntervalMethod = (typeof INTERVAL_METHODS)[number];

/** The middle `confidence` of the draws. */
export function percentileInterval(sorted: Float64Array, confidence: number): [low: number, high: number] {
  return [quantile(sorted, (1 - confidence) / 2), quantile(sorted, (1 + confidence) / 2)];
}

/**
 * BCa (Efron 1987, "Better bootstrap confidence intervals", JASA 82): percentiles moved by the draws' median bias and
 * by the statistic's skewness. Equal draws, or too few left-out values, give the percentile interval.
 * @param sorted - draws, ascending
 * @param point - the statistic on the set as it is
 * @param without - the statistic with an image, or a group of equal size, left out
 */
export function bcaInterval(
  sorted: Float64Array,
  point: number,
  without: Float64Array,
  confidence: number,
): [low: number, high: number] {
  const below = share(sorted, point);
  if (without.length < 3 || below <= 0 || below >= 1) return percentileInterval(sorted, confidence);
  const bias = normalQuantile(below);
  const skew = acceleration(without);
  const at = (tail: number): number => {
    const z = bias + normalQuantile(tail);
    return quantile(sorted, normalShare(bias + z / (1 - skew * z)));
  };
  return [at((1 - confidence) / 2), at((1 + confidence) / 2)];
}

/**
 * Intervals of several figures that hold for all of them at once with the given confidence, by the maximum statistic:
 * every figure ± the quantile, over the resamples, of its largest standardized deviation from the set as it is, times its
 * standard error. The resamples carry how the figures hang together, so nothing is given away as with Bonferroni, and
 * the quantile is one that 1,000 resamples can tell, where Bonferroni's tails of 80 figures are not. (Westfall & Young
 * 1993, "Resampling-Based Multiple Testing"; Romano & Wolf 2005, "Exact and approximate stepdown methods for multiple
 * hypothesis testing", JASA 100.)
 * @param point - the figures on the set as it is
 * @param draws - the same of each resample; NaN where a resample cannot tell
 * @param family - places of the figures
 */
export function simultaneousIntervals(
  point: Float64Array,
  draws: readonly Float64Array[],
  family: readonly number[],
  confidence: number,
): ReadonlyMap<number, readonly [low: number, high: number]> {
  const errors = family.map((at) => standardError(draws, at));
  const largest = Float64Array.from(draws, (one) =>
    family.reduce((most, at, i) => {
      const deviation = Math.abs((one[at] as number) - (point[at] as number)) / (errors[i] as number);
      return deviation > most ? deviation : most;
    }, 0),
  ).sort();
  const wide = quantile(largest, confidence);
  return new Map(
    family.map((at, i) => {
      const side = wide * (errors[i] as number);
      return [at, [(point[at] as number) - side, (point[at] as number) + side]] as const;
    }),
  );
}

function standardError(draws: readonly Float64Array[], at: number): number {
  let [n, mean, squares] = [0, 0, 0];
  for (const one of draws) {
    const value = one[at] as number;
    if (!Number.isFinite(value)) continue;
    const d = value - mean;
    mean += d / ++n;
    squares += d * (value - mean);
  }
  return n < 2 ? NaN : Math.sqrt(squares / (n - 1));
}

/** Share of the draws below a value, ties counted half. */
function share(sorted: Float64Array, value: number): number {
  let sum = 0;
  for (const one of sorted) sum += one < value ? 1 : one === value ? 0.5 : 0;
  return sum / sorted.length;
}

/** Efron's a: a sixth of the skewness of the influence values. The same for groups as for single images. */
function acceleration(without: Float64Array): number {
  const mean = without.reduce((sum, value) => sum + value, 0) / without.length;
  let [squares, cubes] = [0, 0];
  for (const value of without) {
    const d = mean - value;
    squares += d * d;
    cubes += d * d * d;
  }
  return squares === 0 ? 0 : cubes / (6 * squares ** 1.5);
}

/** Linear interpolation between order statistics, as NumPy's default. */
export function quantile(sorted: Float64Array, q: number): number {
  if (sorted.length === 0) return NaN;
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const a = sorted[low] as number;
  return a + (at - low) * ((sorted[Math.min(low + 1, sorted.length - 1)] as number) - a);
}

/** Φ, by the complementary error function of Numerical Recipes (erfcc), relative error below 1.2e-7. */
export function normalShare(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.5 * x);
  const series = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
    -0.82215223, 0.17087277,
  ];
  const polynomial = series.reduceRight((sum, coefficient) => sum * t + coefficient, 0);
  const tail = 0.5 * t * Math.exp(-x * x + polynomial);
  return z >= 0 ? 1 - tail : tail;
}

/** Φ⁻¹ for 0 < p < 1: bisection on {@link normalShare}, called a few times an interval. */
export function normalQuantile(p: number): number {
  let [low, high] = [-9, 9];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (normalShare(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
