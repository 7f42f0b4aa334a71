import type { SearchInput } from './search.js';
import { Trials, type Draft } from './trials.js';
import { orderByWorth, unitsOf, withFloat, type Unit } from './units.js';

/** What all steps of a search share: the groups, what was tried, and what that says of what is worth trying. */
export class Hunt {
  readonly trials: Trials;
  /** Worst first, as the ranking has them. */
  readonly ranking: readonly Unit[];
  /** By noise for cost. */
  units: readonly Unit[];
  /** Least noise on the subset of a plan that failed on the whole set. */
  failedAt = Infinity;

  constructor(readonly input: SearchInput) {
    this.ranking = unitsOf(input);
    this.units = orderByWorth(this.ranking, input);
    const maxFull = 8 + 3 * Math.ceil(Math.log2(this.units.length + 1));
    this.trials = new Trials({ ...input, maxFull });
  }

  /** True when the whole set says so; the subset may rule it out before, but where `sure` is asked. */
  async passes(draft: Draft, sure = false): Promise<boolean> {
    const estimate = await this.trials.estimate(draft);
    if (!sure && estimate?.hopeless === true) return false;
    const { passes } = await this.trials.judge(draft);
    if (!passes && estimate !== undefined) this.failedAt = Math.min(this.failedAt, estimate.noise);
    return passes;
  }

  /** As {@link passes}, of plans that need not be tried: none that the subset likes less than one that failed. */
  async worthwhile(draft: Draft): Promise<boolean> {
    if (!this.trials.affordable) return false;
    const noise = await this.noise(draft);
    if (noise !== undefined && noise >= this.failedAt) return false;
    return this.passes(draft);
  }

  /** Noise on the subset; undefined where nothing is measured there. */
  async noise(draft: Draft): Promise<number | undefined> {
    return (await this.trials.estimate(draft))?.noise;
  }

  cost(draft: Draft): number {
    return this.trials.price(draft).cost;
  }

  /** What a group in float costs beside a draft. */
  dearer(draft: Draft, unit: Unit): number {
    return Math.max(0, this.cost(withFloat(draft, [unit])) - this.cost(draft));
  }

  /** Groups that may join a draft within the limits, in the same order. */
  fitting(draft: Draft, units: readonly Unit[]): readonly Unit[] {
    const { maxFloatLayers = Infinity, minInt8Share = 0 } = this.input;
    let now = draft;
    return units.filter((unit) => {
      const next = withFloat(now, [unit]);
      if (next.float.flat().length > maxFloatLayers || this.trials.price(next).int8Share < minInt8Share)
        return false;
      now = next;
      return true;
    });
  }

  /** Groups that a draft has in INT8. */
  left(draft: Draft): readonly Unit[] {
    const taken = new Set(draft.float.flat());
    return this.units.filter(({ names }) => !names.some((name) => taken.has(name)));
  }
}

/** The first of some drafts that passes, where those behind one that passes do too; undefined when none is found. */
export async function firstPassing(
  drafts: readonly Draft[],
  passes: (draft: Draft) => Promise<boolean>,
): Promise<Draft | undefined> {
  let found: Draft | undefined;
  let [low, high] = [0, drafts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const draft = drafts[middle] as Draft;
    if (await passes(draft)) [found, high] = [draft, middle];
    else low = middle + 1;
  }
  return found;
}
