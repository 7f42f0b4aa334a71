import type { Evidence } from './types.js';
import { dB, listed } from './words.js';

/** A trial of the whole model must win this much before it is advised. */
export const WORTH_DB = 1;

/** What rules need to know of layers that were tried in float. */
export type Tried = Pick<Evidence, 'sqnr' | 'floatTrials'>;

/** Keeping layers in float: what it did to the whole model, and whether that is to be advised. */
export interface InFloat {
  /** Begins with a space; empty where it was not tried. */
  readonly sentence: string;
  /** What to do where it helps, without a full stop: `Keep … in float (quantization.keepFloat)`. */
  readonly keep: string;
  /** What to do where it does not help; undefined where it helps, or was not tried. */
  readonly leave: string | undefined;
  /** dB that the whole model won; undefined where it was not tried. */
  readonly gain?: number;
  readonly evidence: Record<string, number>;
}

/** What is known of keeping these layers in float. */
export function inFloat({ sqnr, floatTrials }: Tried, layers: readonly string[]): InFloat {
  const names = listed(layers);
  const keep = `Keep ${names} in float (quantization.keepFloat)`;
  const trial = floatTrials.find((one) => one.layers.join('\n') === layers.join('\n'));
  if (trial === undefined || sqnr === undefined || !Number.isFinite(sqnr))
    return { sentence: '', keep, leave: undefined, evidence: {} };
  const gain = trial.sqnr - sqnr;
  const helps = gain >= WORTH_DB;
  return {
    sentence: ` Tried: with ${names} in float the head's SQNR goes from ${dB(sqnr)} to ${dB(trial.sqnr)}.`,
    keep,
    leave: helps
      ? undefined
      : `Leave ${names} in INT8 for now: in float ${layers.length === 1 ? 'it wins' : 'they win'} the whole model next to nothing, since others cost more.`,
    gain,
    evidence: { modelSqnr: sqnr, ...(Number.isFinite(trial.sqnr) && { modelSqnrTried: trial.sqnr }) },
  };
}
