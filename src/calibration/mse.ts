import { BINS, type TensorStatistics } from './types.js';

/** Highest code of symmetric INT8. */
const LEVELS = 127;
/** Thresholds tried: amax · k / 128 down to an eighth of amax. */
const STEPS = 128;
const LEAST = 16;

/**
 * Mean squared error that symmetric INT8 with this threshold makes: rounding to the nearest of -127 … 127 steps inside,
 * clipping beyond, values taken as evenly spread inside a bin. Zeros are exact; at threshold 0 everything becomes 0.
 */
export function quantizationError(statistics: TensorStatistics, threshold: number): number {
  return squaredError(statistics)(threshold);
}

/** Mean of the squares. */
export function meanSquare(statistics: TensorStatistics): number {
  return squaredError(statistics)(0);
}

/** The threshold of least squared error in a symmetric sweep over 113 of them. */
export function mseThreshold(statistics: TensorStatistics): number {
  const amax = Math.max(-statistics.min, statistics.max);
  const errorAt = squaredError(statistics);
  let best = Infinity;
  let at = amax;
  for (let k = STEPS; k >= LEAST; k--) {
    const threshold = (amax * k) / STEPS;
    const error = errorAt(threshold);
    if (error < best) {
      best = error;
      at = threshold;
    }
  }
  return at;
}

/** Of what lies below the lower edge of each bin, zeros left out, in units of a bin's width. */
interface Moments {
  /** Values in each bin, and none in the one past the last. */
  readonly inside: Float64Array;
  readonly count: Float64Array;
  readonly sum: Float64Array;
  readonly squares: Float64Array;
}

function momentsOf({ bins, zeros }: TensorStatistics): Moments {
  const [inside, count] = [new Float64Array(BINS + 1), new Float64Array(BINS + 1)];
  const [sum, squares] = [new Float64Array(BINS + 1), new Float64Array(BINS + 1)];
  inside.set(bins);
  inside[0] = (bins[0] as number) - zeros;
  for (let i = 0; i < BINS; i++) {
    const n = inside[i] as number;
    count[i + 1] = (count[i] as number) + n;
    sum[i + 1] = (sum[i] as number) + n * (i + 1 / 2);
    squares[i + 1] = (squares[i] as number) + n * (i * i + i + 1 / 3);
  }
  return { inside, count, sum, squares };
}

/**
 * {@link quantizationError} by threshold. What a code stands for is a stretch of bins, whose error follows from its count,
 * sum and squares: a threshold costs a walk over 128 codes and not one over all bins.
 */
function squaredError(statistics: TensorStatistics): (threshold: number) => number {
  if (last?.of !== statistics) last = { of: statistics, errorAt: errorsOf(statistics) };
  return last.errorAt;
}

/** One tensor is asked at many thresholds in a row; all tensors' moments together would be large. */
let last: { of: TensorStatistics; errorAt: (threshold: number) => number } | undefined;

function errorsOf(statistics: TensorStatistics): (threshold: number) => number {
  const { inside, count, sum, squares } = momentsOf(statistics);
  const width = statistics.limit / BINS;
  if (width === 0 || statistics.count === 0) return () => 0;
  return (threshold) => {
    const step = threshold / LEVELS / width;
    let [error, countBelow, sumBelow, squaresBelow] = [0, 0, 0, 0];
    for (let code = 0; code <= LEVELS; code++) {
      const value = code * step;
      const edge = code === LEVELS ? BINS : Math.min(BINS, value + step / 2);
      const bin = edge | 0;
      const part = edge - bin;
      const cut = (inside[bin] as number) * part;
      const countTo = (count[bin] as number) + cut;
      const sumTo = (sum[bin] as number) + cut * (bin + part / 2);
      const squaresTo = (squares[bin] as number) + cut * (bin * bin + bin * part + (part * part) / 3);
      error +=
        squaresTo - squaresBelow - 2 * value * (sumTo - sumBelow) + value * value * (countTo - countBelow);
      [countBelow, sumBelow, squaresBelow] = [countTo, sumTo, squaresTo];
    }
    return (error * width * width) / statistics.count;
  };
}
