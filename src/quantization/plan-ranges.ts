import {
  CALIBRATORS,
  calibratorFor,
  type Calibrator,
  type CalibratorName,
  type Ranges,
  type TensorStatistics,
} from '../calibration/index.js';
import { planMatches } from './pattern.js';
import type { Layer, PrecisionPlan } from './types.js';

/** Percentile of `percentile` without a number. */
const PERCENTILE = 99.999;

/** The calibrator of a plan's word: its name, and behind a colon the percentile. Undefined when there is none such. */
export function calibratorOf(word: string, batch?: number): Calibrator | undefined {
  const [name, share, ...more] = word.split(':');
  if (!(CALIBRATORS as readonly string[]).includes(name ?? '') || more.length > 0) return undefined;
  if (share !== undefined && name !== 'percentile') return undefined;
  const percentile = share === undefined ? PERCENTILE : Number(share);
  if (!(percentile > 0 && percentile <= 100)) return undefined;
  return calibratorFor(name as CalibratorName, { percentile, ...(batch !== undefined && { batch }) });
}

/**
 * Ranges as a plan wants them: those in force, but for the inputs of layers under another calibrator, which are taken
 * from the same statistics. A tensor that several such layers read follows the last of them along the network.
 *
 * @param batch images that `entropy` is given at once.
 */
export function planRanges(
  plan: PrecisionPlan,
  layers: readonly Layer[],
  ranges: Ranges,
  statistics: ReadonlyMap<string, TensorStatistics>,
  batch?: number,
): Ranges {
  const asked = Object.entries(plan.calibrators ?? {});
  if (asked.length === 0) return ranges;
  const changed = new Map(ranges);
  for (const { name, activations } of layers) {
    const word = asked.findLast(([pattern]) => planMatches(pattern, name))?.[1];
    const calibrator = word === undefined ? undefined : calibratorOf(word, batch);
    for (const tensor of calibrator === undefined ? [] : activations) {
      const seen = statistics.get(tensor);
      if (seen !== undefined) changed.set(tensor, (calibrator as Calibrator).range(seen));
    }
  }
  return changed;
}
