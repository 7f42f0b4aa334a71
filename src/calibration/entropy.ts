import { BINS, type TensorStatistics } from './types.js';

/** Bins in which TensorRT's entropy calibrator 2 counts |x|. */
const COUNTED = 2048;
/** Innermost of all loops. */
const { log } = Math;
/** Levels that INT8 has for |x|. */
const LEVELS = 128;
/** Stands for the probability of an empty bin that the clipped tail falls on. */
const NOTHING = 1e-12;

/**
 * Threshold of TensorRT's entropy calibrator 2, as its published form says and its calibration caches show:
 *
 * - 2048 bins of |x| over [0, L]; L is the largest |x| of the first batch, doubled (pairs of bins merged) until it holds
 *   what came later; the first bin takes the count of the second.
 * - For i = 128 … 2048: P is the first i bins with the tail added to the last; Q the same bins without the tail, bin j in
 *   level ⌊128 j / i⌋, each level spread evenly over its bins that are not empty, normalised by its own mass.
 * - The last i with the least KL(P‖Q) wins; T = (i + ½) L / 2048, which may lie beyond the largest |x|.
 *
 * @param batch images of the first batch.
 */
export function entropyThreshold(statistics: TensorStatistics, batch: number): number {
  const limit = limitOf(statistics, batch);
  if (limit === 0) return 0;
  const bins = rebinned(statistics, limit);
  bins[0] = bins[1] as number;
  return ((leastDivergence(bins) + 0.5) * limit) / COUNTED;
}

/** Largest |x| of the first batch that is not all zeros, doubled until it holds every |x|. */
function limitOf({ min, max, minByImage, maxByImage }: TensorStatistics, batch: number): number {
  let limit = 0;
  for (let start = 0; start < minByImage.length && limit === 0; start += batch)
    for (let i = start; i < Math.min(start + batch, minByImage.length); i++)
      // NaN of an image that was not seen compares false.
      for (const one of [Math.abs(minByImage[i] as number), Math.abs(maxByImage[i] as number)])
        if (one > limit) limit = one;
  const amax = Math.max(-min, max);
  while (limit > 0 && limit < amax) limit *= 2;
  return limit;
}

/** The histogram over [0, limit] in 2048 bins; a bin of ours that crosses an edge is shared out by its length. */
function rebinned({ bins, limit: ours }: TensorStatistics, limit: number): Float64Array {
  const below = new Float64Array(BINS + 1);
  for (let i = 0; i < BINS; i++) below[i + 1] = (below[i] as number) + (bins[i] as number);
  const at = (edge: number): number => {
    const place = Math.min(BINS, (edge * limit * BINS) / (COUNTED * ours));
    const whole = Math.floor(place);
    return (below[whole] as number) + (place - whole) * (bins[whole] ?? 0);
  };
  return Float64Array.from({ length: COUNTED }, (_, i) => Math.max(0, at(i + 1) - at(i)));
}

function leastDivergence(bins: Float64Array): number {
  const sums = prefixSums(bins);
  let best = Infinity;
  let winner = COUNTED;
  for (let kept = LEVELS; kept <= COUNTED; kept++) {
    const divergence = divergenceAt(bins, sums, kept);
    if (divergence <= best) {
      best = divergence;
      winner = kept;
    }
  }
  return winner;
}

/** Of the first i bins: mass, Σ n ln n, and how many are not empty. */
interface PrefixSums {
  readonly mass: Float64Array;
  readonly nLogN: Float64Array;
  readonly filled: Int32Array;
}

function prefixSums(bins: Float64Array): PrefixSums {
  const [mass, nLogN] = [new Float64Array(COUNTED + 1), new Float64Array(COUNTED + 1)];
  const filled = new Int32Array(COUNTED + 1);
  for (let i = 0; i < COUNTED; i++) {
    const n = bins[i] as number;
    mass[i + 1] = (mass[i] as number) + n;
    nLogN[i + 1] = (nLogN[i] as number) + xLogX(n);
    filled[i + 1] = (filled[i] as number) + (n > 0 ? 1 : 0);
  }
  return { mass, nLogN, filled };
}

function xLogX(x: number): number {
  return x > 0 ? x * log(x) : 0;
}

/** KL(P‖Q) with the first `kept` bins; sums over bins come from prefix sums, so that only levels are walked. */
function divergenceAt(bins: Float64Array, { mass, nLogN, filled }: PrefixSums, kept: number): number {
  const total = mass[COUNTED] as number;
  const inside = mass[kept] as number;
  const tail = total - inside;
  if (inside === 0) return Infinity;
  const last = bins[kept - 1] as number;
  let pLogQ = 0;
  let from = 0;
  for (let level = 1; level <= LEVELS; level++) {
    // Bin j belongs to level ⌊128 j / kept⌋, so a level ends before ⌈level · kept / 128⌉.
    const to = ((level * kept + LEVELS - 1) / LEVELS) | 0;
    const count = (filled[to] as number) - (filled[from] as number);
    if (count > 0) {
      const inLevel = (mass[to] as number) - (mass[from] as number);
      const tailHere = level === LEVELS && last > 0 ? tail : 0;
      pLogQ += (inLevel + tailHere) * log(inLevel / count / inside);
    }
    from = to;
  }
  if (last === 0) pLogQ += tail * log(NOTHING);
  const pLogP = (nLogN[kept] as number) - xLogX(last) + xLogX(last + tail) - total * log(total);
  return (pLogP - pLogQ) / total;
}
