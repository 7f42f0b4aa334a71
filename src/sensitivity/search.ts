import { resolvePlan, type Layer } from '../quantization/index.js';
import { steeringNoise } from './harm.js';
import type { SweepRow } from './sweep.js';
import {
  OutOfTime,
  Trials,
  type Draft,
  type PlanOutcome,
  type PlanPoint,
  type TrialsInput,
} from './trials.js';

/** Why a search ended. */
export type SearchEnd = 'cheapest' | 'none-passes' | 'minutes' | 'float-layers' | 'int8-share';

/** What the search found. */
export interface PlanSearch {
  /** The cheapest plan that passes; where none does, the one of the best score. */
  readonly best: PlanPoint;
  readonly passes: boolean;
  readonly ended: SearchEnd;
  /** Layers kept float beside those of the base plan, most sensitive first. */
  readonly kept: readonly string[];
  /** Next best, cheapest first; at most two. */
  readonly alternatives: readonly PlanPoint[];
  /** All plans that were measured, in that order. */
  readonly points: readonly PlanPoint[];
  /** When nothing passes: layers that the best plan still has in INT8 and that hurt most. */
  readonly blame: readonly string[];
  readonly evaluations: { readonly full: number; readonly subset: number; readonly cached: number };
}

/** What a search needs. */
export interface SearchInput extends Omit<TrialsInput, 'maxFull'> {
  /** Worst first. */
  readonly rows: readonly SweepRow[];
  readonly layers: readonly Layer[];
  /** Names of layers of post-processing: they go to float together, which costs little and is often all that is needed. */
  readonly behind?: ReadonlySet<string>;
  /** Calibrators that single layers may get instead of that in force, by name. */
  readonly calibrators?: readonly string[];
  /** Most layers that may be kept float beside those of the base plan. */
  readonly maxFloatLayers?: number;
  /** Least share of multiply-accumulates in INT8. */
  readonly minInt8Share?: number;
  /** Whether to spend evaluations on plans that are dearer than the best, to offer them as well. */
  readonly alternatives?: boolean;
}

/** A group of layers that the base plan has in INT8; they change precision together. */
interface Unit {
  readonly names: readonly string[];
  /** Noise over signal at the output with this group alone in INT8. */
  readonly noise: number;
  /** Post-processing. */
  readonly behind: boolean;
}

/** Share of cost that a layer without work counts as: noise decides between cheap layers. */
const CHEAP = 0.02;
/** Groups tried one by one when the ranking is made anew. */
const RERANKED = 8;
/** Worst groups that are tried with other calibrators. */
const RECALIBRATED = 6;
/** Share of the noise that another calibrator may leave: 0.25 dB must be gained. */
const WORTH = 0.944;

/**
 * Looks for the cheapest plan that passes.
 *
 * 1. The base plan itself; then other calibrators for the worst groups, as the subset likes them, which cost nothing.
 * 2. The worst groups in float: 1, 2, 4 … of them until it passes; all of post-processing is one of them. After each failure the rest is ranked anew in the
 *    presence of what is float already, since a ranking of single groups cannot know that. Then the cut is bisected.
 * 3. Taken back to INT8: halves, quarters … and single groups that turn out not to be needed, so that culprits need
 *    not stand together in the ranking.
 * 4. From the start again, by gain for cost on the subset, as long as it is cheaper than what passes.
 *
 * The subset steers: it rules out what is hopeless. Only the whole set lets a plan pass.
 */
export function searchPlan(input: SearchInput): Promise<PlanSearch> {
  return new Search(input).run();
}

class Search {
  private readonly trials: Trials;
  private units: readonly Unit[];
  /** Least noise on the subset of a plan that failed on the whole set. */
  private failedAt = Infinity;

  constructor(private readonly input: SearchInput) {
    this.units = this.order(unitsOf(input));
    const maxFull = 8 + 3 * Math.ceil(Math.log2(this.units.length + 1));
    this.trials = new Trials({ ...input, maxFull });
  }

  async run(): Promise<PlanSearch> {
    try {
      return this.result(await this.explore());
    } catch (error) {
      if (error instanceof OutOfTime) return this.result('minutes');
      throw error;
    }
  }

  private async explore(): Promise<SearchEnd> {
    const base: Draft = { float: [], calibrators: {} };
    if (await this.passes(base, true)) {
      if (this.input.alternatives === true) await this.widen(base);
      return 'cheapest';
    }
    const start = await this.recalibrated(base);
    const cut = start !== base && (await this.passes(start, true)) ? start : await this.cut(start);
    if (cut === undefined) return this.limit();
    const lean = await this.revert(cut);
    const best = await this.cheaper(start, lean);
    if (this.input.alternatives === true) await this.widen(best);
    return 'cheapest';
  }

  /** True when the whole set says so; the subset may rule it out before, but where `sure` is asked. */
  private async passes(draft: Draft, sure = false): Promise<boolean> {
    const estimate = await this.trials.estimate(draft);
    if (!sure && estimate?.hopeless === true) return false;
    const { passes } = await this.trials.judge(draft);
    if (!passes && estimate !== undefined) this.failedAt = Math.min(this.failedAt, estimate.noise);
    return passes;
  }

  /** As {@link passes}, of plans that need not be tried: none that the subset likes less than one that failed. */
  private async worthwhile(draft: Draft): Promise<boolean> {
    if (!this.trials.affordable) return false;
    const estimate = await this.trials.estimate(draft);
    if (estimate !== undefined && estimate.noise >= this.failedAt) return false;
    return this.passes(draft);
  }

  /** Other calibrators for the worst groups, one after the other, where the subset gains by it; not for post-processing, whose tensors are as wide as boxes are. */
  private async recalibrated(base: Draft): Promise<Draft> {
    const { calibrators = [] } = this.input;
    let best = base;
    let noise = await this.noise(base);
    if (noise === undefined) return base;
    const gained = new Map<Unit, number>();
    for (const unit of this.units.filter(({ behind }) => !behind).slice(0, RECALIBRATED))
      for (const calibrator of calibrators) {
        const own = Object.fromEntries(unit.names.map((name) => [name, calibrator]));
        const draft = { ...best, calibrators: { ...best.calibrators, ...own } };
        const found = (await this.noise(draft)) ?? Infinity;
        if (found > noise * WORTH) continue;
        gained.set(unit, (gained.get(unit) ?? 0) + noise - found);
        [best, noise] = [draft, found];
      }
    const left = (unit: Unit): number => Math.max(0, unit.noise - (gained.get(unit) ?? 0));
    this.units = this.order(this.units.map((unit) => ({ ...unit, noise: left(unit) })));
    return best;
  }

  /** The fewest of the worst groups in float that pass, as far as doubling and bisecting can tell. */
  private async cut(start: Draft): Promise<Draft | undefined> {
    let path = this.fitting(start, this.units);
    if (path.length === 0) return undefined;
    const first = (k: number): Draft => withFloat(start, path.slice(0, k));
    let failed = 0;
    let passed = 1;
    for (; ; passed = Math.min(2 * passed, path.length)) {
      if (await this.passes(first(passed), passed === path.length)) break;
      if (passed === path.length) return undefined;
      failed = passed;
      const done = path.slice(0, passed);
      const rest = this.units.filter((unit) => !done.includes(unit));
      path = [...done, ...this.fitting(first(passed), await this.ranked(first(passed), rest))];
    }
    while (passed - failed > 1) {
      const middle = (passed + failed) >> 1;
      if (await this.passes(first(middle))) passed = middle;
      else failed = middle;
    }
    return first(passed);
  }

  /** Groups that may join a draft within the limits, in the same order. */
  private fitting(draft: Draft, units: readonly Unit[]): readonly Unit[] {
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

  /**
   * The rest of the ranking as it is in the presence of what is float already: the first of it by what the subset gains
   * from each. Where they explain less than half of the noise, the group that halving the others leads to is among them.
   */
  private async ranked(draft: Draft, rest: readonly Unit[]): Promise<readonly Unit[]> {
    const noise = await this.noise(draft);
    if (noise === undefined || rest.length < 2) return rest;
    const gain = async (units: readonly Unit[]): Promise<number> =>
      noise - ((await this.noise(withFloat(draft, units))) ?? noise);
    const gains = new Map<Unit, number>();
    for (const unit of rest.slice(0, RERANKED)) gains.set(unit, await gain([unit]));
    const explained = [...gains.values()].reduce((sum, one) => sum + Math.max(0, one), 0);
    let half = explained < noise / 2 ? rest.slice(RERANKED) : [];
    while (half.length > 1) {
      const [a, b] = [half.slice(0, half.length >> 1), half.slice(half.length >> 1)];
      half = (await gain(a)) >= (await gain(b)) ? a : b;
    }
    for (const unit of half) gains.set(unit, await gain([unit]));
    const worth = (unit: Unit): number => (gains.get(unit) as number) / (CHEAP + this.dearer(draft, unit));
    const better = [...gains.keys()].filter((unit) => worth(unit) > 0);
    better.sort((x, y) => compare(worth(y), worth(x)));
    return [...better, ...rest.filter((unit) => !better.includes(unit))];
  }

  private async noise(draft: Draft): Promise<number | undefined> {
    return (await this.trials.estimate(draft))?.noise;
  }

  private dearer(draft: Draft, unit: Unit): number {
    return Math.max(0, this.trials.price(withFloat(draft, [unit])).cost - this.trials.price(draft).cost);
  }

  /** Gives back to INT8 what is not needed: chunks from the least sensitive on, then single groups, dearest first. */
  private async revert(cut: Draft): Promise<Draft> {
    let now = cut;
    for (let size = cut.float.length >> 1; size > 1; size >>= 1)
      for (let end = now.float.length; end > 0; end -= size) {
        const draft = { ...now, float: now.float.filter((_, i) => i < end - size || i >= end) };
        if (draft.float.length > 0 && (await this.worthwhile(draft))) now = draft;
      }
    const without = (names: readonly string[]): Draft => ({
      ...now,
      float: now.float.filter((one) => one !== names),
    });
    const saved = new Map(now.float.map((names) => [names, this.trials.price(without(names)).cost]));
    for (const names of [...now.float].reverse().sort((a, b) => (saved.get(a) ?? 0) - (saved.get(b) ?? 0)))
      if (now.float.length > 1 && (await this.worthwhile(without(names)))) now = without(names);
    return this.plain(now);
  }

  /** Without other calibrators, where the plan passes so too: what is simpler is better at the same cost. */
  private async plain(draft: Draft): Promise<Draft> {
    if (Object.keys(draft.calibrators).length === 0 || draft.float.length === 0) return draft;
    const plain = { ...draft, calibrators: {} };
    return (await this.worthwhile(plain)) ? plain : draft;
  }

  /** A cheaper plan than `lean` by gain for cost, until the subset likes it as much; `lean` when there is none. */
  private async cheaper(start: Draft, lean: Draft): Promise<Draft> {
    const goal = await this.noise(lean);
    if (goal === undefined || lean.float.length === 0) return lean;
    const reaches = async (draft: Draft): Promise<boolean> => ((await this.noise(draft)) ?? Infinity) <= goal;
    const open = (draft: Draft): readonly Unit[] => this.cheaperUnits(draft, this.trials.price(lean).cost);
    // What all of them together cannot reach, some of them need not try.
    if (!(await reaches(withFloat(start, open(start))))) return lean;
    // Gains shrink as more is float: only what looks best is measured again, until it still looks best.
    const believed = new Map(this.units.map((unit) => [unit, unit.noise]));
    for (let now = start; this.trials.affordable;) {
      const next = await this.bestOf(now, open(now), believed);
      if (next === undefined) return lean;
      now = withFloat(now, [next]);
      if (await reaches(now)) return (await this.worthwhile(now)) ? now : lean;
    }
    return lean;
  }

  /** The group of the most gain for cost; updates what is believed of those that it measures. */
  private async bestOf(
    now: Draft,
    units: readonly Unit[],
    believed: Map<Unit, number>,
  ): Promise<Unit | undefined> {
    const noise = (await this.noise(now)) ?? 0;
    const worth = (unit: Unit): number => (believed.get(unit) ?? 0) / (CHEAP + this.dearer(now, unit));
    const measured = new Set<Unit>();
    for (;;) {
      const best = units.reduce<Unit | undefined>(
        (a, b) => (a === undefined || worth(b) > worth(a) ? b : a),
        undefined,
      );
      if (best === undefined || measured.has(best) || measured.size >= RERANKED) return best;
      measured.add(best);
      believed.set(best, noise - ((await this.noise(withFloat(now, [best]))) ?? noise));
    }
  }

  /** Groups that may join a draft and leave it below a cost. */
  private cheaperUnits(draft: Draft, cost: number): readonly Unit[] {
    const taken = new Set(draft.float.flat());
    return this.units.filter(
      (unit) =>
        !unit.names.some((name) => taken.has(name)) &&
        this.fitting(draft, [unit]).length > 0 &&
        this.trials.price(withFloat(draft, [unit])).cost < cost,
    );
  }

  /** Measures two dearer plans: one and two groups more in float. */
  private async widen(best: Draft): Promise<void> {
    const taken = new Set(best.float.flat());
    const more = this.fitting(
      best,
      this.units.filter(({ names }) => !names.some((name) => taken.has(name))),
    );
    for (let k = 1; k <= Math.min(2, more.length); k++)
      if (this.trials.affordable) await this.trials.judge(withFloat(best, more.slice(0, k)));
  }

  /** By noise for cost: a dear group goes behind a cheap one that hurts about as much. */
  private order(units: readonly Unit[]): readonly Unit[] {
    const { price, basePlan } = this.input;
    const before = price(basePlan).cost;
    const worth = new Map(
      units.map((unit) => {
        const names = Object.fromEntries(unit.names.map((name) => [name, 'fp16' as const]));
        const after = price({ ...basePlan, layers: { ...basePlan.layers, ...names } }).cost;
        return [unit, unit.noise / (CHEAP + Math.max(0, after - before))];
      }),
    );
    return [...units].sort((a, b) => compare(worth.get(b) as number, worth.get(a) as number));
  }

  /** Why nothing passes. */
  private limit(): SearchEnd {
    const all = withFloat({ float: [], calibrators: {} }, this.units);
    const { maxFloatLayers = Infinity, minInt8Share = 0 } = this.input;
    if (all.float.flat().length > maxFloatLayers) return 'float-layers';
    return this.trials.price(all).int8Share < minInt8Share ? 'int8-share' : 'none-passes';
  }

  private result(ended: SearchEnd): PlanSearch {
    const points = this.trials.points();
    const full = points.filter(({ outcome }) => outcome !== undefined);
    const of = ({ outcome }: PlanPoint): PlanOutcome => outcome as PlanOutcome;
    const passing = full
      .filter((point) => of(point).passes)
      .sort((a, b) => compare(a.price.cost, b.price.cost) || compare(of(b).score, of(a).score));
    const best = passing[0] ?? full.reduce((a, b) => (of(b).score > of(a).score ? b : a));
    const passes = passing.length > 0;
    const kept = new Set(best.draft.float.flat());
    const others = passes
      ? passing.slice(1)
      : full.filter((point) => point !== best).sort((a, b) => compare(of(b).score, of(a).score));
    const blamed = this.units.filter(
      ({ names, noise }) => noise > 0 && !names.some((name) => kept.has(name)),
    );
    return {
      best,
      passes,
      ended,
      kept: this.units.flatMap(({ names }) => names.filter((name) => kept.has(name))),
      alternatives: others.slice(0, 2),
      points,
      blame: passes ? [] : blamed.slice(0, 3).flatMap(({ names }) => names),
      evaluations: { ...this.trials.counts },
    };
  }
}

function withFloat(draft: Draft, units: readonly Unit[]): Draft {
  return { ...draft, float: [...draft.float, ...units.map(({ names }) => names)] };
}

/** Groups with those of their layers that the base plan has in INT8, worst first; post-processing as one, if it may be float. */
function unitsOf({
  rows,
  layers,
  basePlan,
  behind = new Set(),
  maxFloatLayers = Infinity,
}: SearchInput): readonly Unit[] {
  const precision = resolvePlan(basePlan, layers);
  const single = rows.flatMap(({ layer, detail, sqnr, mapDrop = 0 }): Unit[] => {
    const names = (detail?.group.layers ?? [layer])
      .map(({ name }) => name)
      .filter((name) => precision.get(name) === 'int8');
    const last = names.every((name) => behind.has(name));
    return names.length === 0 ? [] : [{ names, noise: steeringNoise(sqnr, mapDrop), behind: last }];
  });
  const post = single.filter((unit) => unit.behind);
  const names = post.flatMap((unit) => unit.names);
  const noise = Math.max(0, ...post.map((unit) => unit.noise));
  // Harmless one by one: nothing to move as a whole.
  if (noise === 0 || names.length > maxFloatLayers) return single;
  return [{ names, noise, behind: true }, ...single.filter((unit) => !unit.behind)];
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
