import type { Layer } from '../quantization/index.js';
import { cheaper, revert } from './cheaper.js';
import { cut } from './cut.js';
import { Hunt } from './hunt.js';
import type { SweepRow } from './sweep.js';
import { OutOfTime, type Draft, type PlanOutcome, type PlanPoint, type TrialsInput } from './trials.js';
import { NOTICED, compare, orderByWorth, withFloat, type Unit } from './units.js';

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

/** Worst groups that are tried with other calibrators. */
const RECALIBRATED = 6;

/**
 * Looks for the cheapest plan that passes.
 *
 * 1. The base plan itself; then other calibrators for the worst groups, as the subset likes them, which cost nothing.
 * 2. The worst groups in float: 1, 2, 4 … of them until it passes; all of post-processing is one of them. After each failure the rest is ranked anew in the
 *    presence of what is float already, since a ranking of single groups cannot know that. Then the cut is bisected. Where
 *    fewer of the plain ranking would be cheaper, these are tried as well.
 * 3. Taken back to INT8: halves, quarters … and single groups that turn out not to be needed, so that culprits need
 *    not stand together in the ranking.
 * 4. From the start again, by gain for cost on the subset, as long as it is cheaper than what passes.
 *
 * The subset steers: it rules out what is hopeless. Only the whole set lets a plan pass.
 */
export async function searchPlan(input: SearchInput): Promise<PlanSearch> {
  const hunt = new Hunt(input);
  try {
    return result(hunt, await explore(hunt));
  } catch (error) {
    if (error instanceof OutOfTime) return result(hunt, 'minutes');
    throw error;
  }
}

async function explore(hunt: Hunt): Promise<SearchEnd> {
  const base: Draft = { float: [], calibrators: {} };
  let best = base;
  if (!(await hunt.passes(base, true))) {
    const start = await recalibrated(hunt, base);
    const passing = start !== base && (await hunt.passes(start, true)) ? start : await cut(hunt, start);
    if (passing === undefined) return limit(hunt);
    best = await cheaper(hunt, start, await revert(hunt, passing));
  }
  if (hunt.input.alternatives === true) await widen(hunt, best);
  return 'cheapest';
}

/** Other calibrators for the worst groups, one after the other, where the subset gains by it; not for post-processing, whose tensors are as wide as boxes are. */
async function recalibrated(hunt: Hunt, base: Draft): Promise<Draft> {
  const { calibrators = [] } = hunt.input;
  let best = base;
  let noise = await hunt.noise(base);
  if (noise === undefined) return base;
  const gained = new Map<Unit, number>();
  for (const unit of hunt.units.filter(({ behind }) => !behind).slice(0, RECALIBRATED))
    for (const calibrator of calibrators) {
      const own = Object.fromEntries(unit.names.map((name) => [name, calibrator]));
      const draft = { ...best, calibrators: { ...best.calibrators, ...own } };
      const found = (await hunt.noise(draft)) ?? Infinity;
      if (found > noise * NOTICED) continue;
      gained.set(unit, (gained.get(unit) ?? 0) + noise - found);
      [best, noise] = [draft, found];
    }
  const left = (unit: Unit): number => Math.max(0, unit.noise - (gained.get(unit) ?? 0));
  hunt.units = orderByWorth(
    hunt.units.map((unit) => ({ ...unit, noise: left(unit) })),
    hunt.input,
  );
  return best;
}

/** Measures two dearer plans: one and two groups more in float. */
async function widen(hunt: Hunt, best: Draft): Promise<void> {
  const more = hunt.fitting(best, hunt.left(best));
  for (let k = 1; k <= Math.min(2, more.length); k++)
    if (hunt.trials.affordable) await hunt.trials.judge(withFloat(best, more.slice(0, k)));
}

/** Why nothing passes. */
function limit({ units, trials, input }: Hunt): SearchEnd {
  const all = withFloat({ float: [], calibrators: {} }, units);
  const { maxFloatLayers = Infinity, minInt8Share = 0 } = input;
  if (all.float.flat().length > maxFloatLayers) return 'float-layers';
  return trials.price(all).int8Share < minInt8Share ? 'int8-share' : 'none-passes';
}

function result({ trials, units }: Hunt, ended: SearchEnd): PlanSearch {
  const points = trials.points();
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
  const blamed = units.filter(({ names, noise }) => noise > 0 && !names.some((name) => kept.has(name)));
  return {
    best,
    passes,
    ended,
    kept: units.flatMap(({ names }) => names.filter((name) => kept.has(name))),
    alternatives: others.slice(0, 2),
    points,
    blame: passes ? [] : blamed.slice(0, 3).flatMap(({ names }) => names),
    evaluations: { ...trials.counts },
  };
}
