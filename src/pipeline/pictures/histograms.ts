import { BINS, CALIBRATORS, calibratorFor, type TensorStatistics } from '../../calibration/index.js';
import { amaxOf, calibratorWords, tensorSqnr, type QuantizedTensor } from '../../diagnosis/index.js';
import type { TensorHistogram } from '../../report/index.js';
import { finite } from '../layer-rows.js';

/** Bins of a histogram in the report. */
const SHOWN = 64;

/**
 * What calibration saw of each INT8 tensor, and what each calibrator makes of it; those with least signal left first.
 * @param percentile - in percent, of the settings
 * @param batch - images that TensorRT's calibrator would be given at once
 */
export function histogramsOf(
  tensors: readonly QuantizedTensor[],
  { percentile, batch }: { readonly percentile: number; readonly batch?: number },
): TensorHistogram[] {
  const calibrators = CALIBRATORS.map((name) => ({
    words: calibratorWords(name, percentile),
    calibrator: calibratorFor(name, { percentile, ...(batch !== undefined && { batch }) }),
  }));
  return tensors
    .map(({ name, layers, amax, calibration }): TensorHistogram => {
      const { min, max, zeros, count } = calibration;
      const known = new Map<number, number | null>();
      const sqnrAt = (range: number): number | null => {
        const sqnr = known.has(range)
          ? (known.get(range) as number | null)
          : rounded(tensorSqnr(calibration, range));
        known.set(range, sqnr);
        return sqnr;
      };
      return {
        tensor: name,
        layers: [...layers],
        elements: count,
        zeros,
        min,
        max,
        ...fewerBins(calibration),
        amax,
        sqnr: sqnrAt(amax),
        clips: calibrators.map(({ words, calibrator }) => {
          const range = calibrator.range(calibration).amax;
          return { calibrator: words, amax: range, sqnr: sqnrAt(range) };
        }),
      };
    })
    .sort((a, b) => (a.sqnr ?? Infinity) - (b.sqnr ?? Infinity) || 0);
}

function rounded(sqnr: number): number | null {
  return finite(Math.round(sqnr * 100) / 100);
}

/** The histogram up to the largest |x| in at most {@link SHOWN} bins, whole bins merged so that counts stay exact. */
function fewerBins(statistics: TensorStatistics): Pick<TensorHistogram, 'binWidth' | 'counts'> {
  const { bins, limit } = statistics;
  if (limit === 0) return { binWidth: 0, counts: [statistics.count] };
  const used = Math.max(1, Math.min(BINS, Math.ceil((amaxOf(statistics) * BINS) / limit)));
  const merged = Math.ceil(used / SHOWN);
  const counts = Array.from({ length: Math.ceil(used / merged) }, (_, i) =>
    bins.subarray(i * merged, (i + 1) * merged).reduce((sum, count) => sum + count, 0),
  );
  return { binWidth: (merged * limit) / BINS, counts };
}
