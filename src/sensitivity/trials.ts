import { Interrupted } from '../faults/index.js';
import { formatPlan, keepFloat, recalibrate, type PrecisionPlan } from '../quantization/index.js';
import type { Price } from './price.js';

/** How a plan fared on the whole validation set. */
export interface PlanOutcome {
  /** True when the thresholds hold, with the confidence that the settings ask for. */
  readonly passes: boolean;
  readonly verdict: 'pass' | 'fail' | 'inconclusive';
  /** mAP50-95: decides which plan is best when none passes. */
  readonly score: number;
  readonly drop: number;
  readonly low: number;
  readonly high: number;
  readonly images: number;
  /** True when an earlier run had measured it. */
  readonly cached?: boolean;
}

/** How a plan fared on the subset: what steers the search, and never lets a plan pass. */
export interface PlanEstimate {
  /** dB of the head's tensors against FP32: they lie in front of post-processing, and know nothing of what it rounds. */
  readonly sqnr: number;
  /** What steers: noise over signal of the head, and the fall of mAP where the head does not see all that is in INT8. */
  readonly noise: number;
  /** mAP50-95 on the subset. */
  readonly score: number;
  readonly images: number;
  /** True when even here the fall is above a limit beyond doubt: measuring the plan on the whole set is a waste. */
  readonly hopeless: boolean;
  readonly cached?: boolean;
}

/** A plan as the search changes it: groups in float, and layers with another calibrator. */
export interface Draft {
  /** Names of layers kept float beside those of the base plan, as they were added. */
  readonly float: readonly (readonly string[])[];
  /** Calibrator by layer name, for while the layer is in INT8. */
  readonly calibrators: Readonly<Record<string, string>>;
}

/** A plan with all that is known of it. */
export interface PlanPoint {
  readonly draft: Draft;
  readonly plan: PrecisionPlan;
  readonly price: Price;
  readonly outcome: PlanOutcome | undefined;
  readonly estimate: PlanEstimate | undefined;
}

/** Evaluations on the subset after which only what is needed to pass is still tried. */
const MOST_SUBSET = 100;

/** Thrown inside a search when its time is over; what was found so far stands. */
export class OutOfTime extends Error {}

/** What trying plans needs. */
export interface TrialsInput {
  readonly basePlan: PrecisionPlan;
  readonly price: (plan: PrecisionPlan) => Price;
  /** Measures a plan on the whole validation set. */
  readonly evaluatePlan: (plan: PrecisionPlan) => Promise<PlanOutcome>;
  /** Measures a plan on the subset; without it every step is measured on the whole set. */
  readonly estimatePlan?: (plan: PrecisionPlan) => Promise<PlanEstimate>;
  /** Most evaluations on the whole set, for what may be left undone: taking layers back, cheaper plans, alternatives. */
  readonly maxFull: number;
  /** True when the time is over. */
  readonly expired?: () => boolean;
  readonly signal: AbortSignal;
}

interface Entry {
  readonly draft: Draft;
  readonly plan: PrecisionPlan;
  readonly price: Price;
  outcome: PlanOutcome | undefined;
  estimate: PlanEstimate | undefined;
}

/** Every plan that was tried, each measured once. */
export class Trials {
  private readonly entries = new Map<string, Entry>();
  /** Of this search; those of an earlier one count as cached. */
  readonly counts = { full: 0, subset: 0, cached: 0 };
  /** Asked for, wherever the answer came from: a search that is made again goes the same way. */
  private readonly asked = { full: 0, subset: 0 };

  constructor(private readonly input: TrialsInput) {}

  points(): readonly PlanPoint[] {
    return [...this.entries.values()].filter(
      ({ outcome, estimate }) => outcome !== undefined || estimate !== undefined,
    );
  }

  price(draft: Draft): Price {
    return this.entry(draft).price;
  }

  /** True while evaluations that only make a passing plan cheaper may go on. */
  get affordable(): boolean {
    return this.asked.full < this.input.maxFull && this.asked.subset < MOST_SUBSET;
  }

  /** On the whole set. @throws OutOfTime, Interrupted */
  async judge(draft: Draft): Promise<PlanOutcome> {
    const entry = this.entry(draft);
    if (entry.outcome !== undefined) return entry.outcome;
    // The plan that everything starts from is measured whatever the time.
    this.stopWhenOver(this.asked.full > 0);
    entry.outcome = await this.input.evaluatePlan(entry.plan);
    this.asked.full++;
    if (entry.outcome.cached === true) this.counts.cached++;
    else this.counts.full++;
    return entry.outcome;
  }

  /** On the subset; undefined where there is no measuring on a subset. @throws OutOfTime, Interrupted */
  async estimate(draft: Draft): Promise<PlanEstimate | undefined> {
    const entry = this.entry(draft);
    if (entry.estimate !== undefined || this.input.estimatePlan === undefined) return entry.estimate;
    this.stopWhenOver(true);
    entry.estimate = await this.input.estimatePlan(entry.plan);
    this.asked.subset++;
    if (entry.estimate.cached === true) this.counts.cached++;
    else this.counts.subset++;
    return entry.estimate;
  }

  private stopWhenOver(timed: boolean): void {
    if (this.input.signal.aborted) throw new Interrupted();
    if (timed && this.input.expired?.() === true) throw new OutOfTime();
  }

  private entry(draft: Draft): Entry {
    const float = new Set(draft.float.flat());
    // A calibrator of a layer in float means nothing; it comes back when the layer goes back to INT8.
    const calibrators = Object.entries(draft.calibrators).filter(([name]) => !float.has(name));
    const kept = keepFloat(this.input.basePlan, [...float]);
    const plan = recalibrate(kept, Object.fromEntries(calibrators));
    // The order in which layers were added is no part of a plan.
    const key = formatPlan({
      ...plan,
      layers: sorted(plan.layers),
      calibrators: sorted(plan.calibrators ?? {}),
    });
    const known = this.entries.get(key);
    if (known !== undefined) return known;
    const entry = { draft, plan, price: this.input.price(plan), outcome: undefined, estimate: undefined };
    this.entries.set(key, entry);
    return entry;
  }
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Points of the whole set that no other one beats in both cost and score. */
export function paretoFront(points: readonly PlanPoint[]): ReadonlySet<PlanPoint> {
  const full = points.filter(({ outcome }) => outcome !== undefined);
  const beats = (a: PlanPoint, b: PlanPoint): boolean => {
    const [x, y] = [a.outcome as PlanOutcome, b.outcome as PlanOutcome];
    if (a.price.cost > b.price.cost || x.score < y.score) return false;
    return a.price.cost < b.price.cost || x.score > y.score;
  };
  return new Set(full.filter((one) => !full.some((other) => beats(other, one))));
}
