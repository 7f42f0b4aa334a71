import { keepFloat, resolvePlan, type Layer, type PrecisionPlan } from '../quantization/index.js';
import { Interrupted } from '../faults/index.js';
import type { SweepRow } from './sweep.js';

/** How a plan fared on the full set. */
export interface PlanOutcome {
  readonly passes: boolean;
  /** mAP50-95: decides which plan is best when none passes. */
  readonly score: number;
}

/** A plan that was tried: the base plan and the `floatLayers` most sensitive layers in float. */
export interface Try extends PlanOutcome {
  readonly floatLayers: number;
}

/** What the search found. */
export interface MixedSearch {
  readonly plan: PrecisionPlan;
  readonly passes: boolean;
  /** Layers kept float beside those of the base plan, most sensitive first. */
  readonly kept: readonly string[];
  readonly tries: readonly Try[];
}

/** What a search needs. */
export interface SearchInput {
  /** Worst first. */
  readonly rows: readonly SweepRow[];
  readonly layers: readonly Layer[];
  readonly basePlan: PrecisionPlan;
  readonly evaluatePlan: (plan: PrecisionPlan) => Promise<PlanOutcome>;
  readonly maxFloatLayers?: number;
  readonly signal: AbortSignal;
}

/** Evaluations that giving layers back to INT8 may cost. */
const REVERTS = 3;

/**
 * Keeps the worst k layers float, k as small as will do: 0, then doubling, then bisecting between the last that failed
 * and the first that passed. Then the least sensitive of the kept layers are given back to INT8 while it still passes.
 */
export async function searchMixed(input: SearchInput): Promise<MixedSearch> {
  const ranked = candidates(input);
  const most = fitting(ranked, input.maxFloatLayers ?? Infinity);
  const tries = new Map<number, Try>();
  const attempt = async (k: number): Promise<Try> => {
    const known = tries.get(k);
    if (known !== undefined) return known;
    if (input.signal.aborted) throw new Interrupted();
    const outcome = {
      floatLayers: ranked.slice(0, k).flat().length,
      ...(await input.evaluatePlan(keepFloat(input.basePlan, ranked.slice(0, k).flat()))),
    };
    tries.set(k, outcome);
    return outcome;
  };
  const first = await firstPassing(attempt, most);
  const all = [...tries.values()].sort((a, b) => a.floatLayers - b.floatLayers);
  if (first === undefined) {
    const best = all.reduce((a, b) => (b.score > a.score ? b : a));
    const kept = ranked.flat().slice(0, best.floatLayers);
    return { plan: keepFloat(input.basePlan, kept), passes: false, kept, tries: all };
  }
  const kept = await revert(input, ranked.slice(0, first));
  return { plan: keepFloat(input.basePlan, kept), passes: true, kept, tries: all };
}

/** A group's layers, which change precision together. */
type Names = readonly string[];

/** Groups with those of their layers that the base plan has in INT8, worst first. */
function candidates({ rows, layers, basePlan }: SearchInput): readonly Names[] {
  const precision = resolvePlan(basePlan, layers);
  return rows
    .map(({ layer, detail }) =>
      (detail?.group.layers ?? [layer])
        .map(({ name }) => name)
        .filter((name) => precision.get(name) === 'int8'),
    )
    .filter((names) => names.length > 0);
}

/** How many of the worst groups hold no more than `limit` layers. */
function fitting(ranked: readonly Names[], limit: number): number {
  let layers = 0;
  const over = ranked.findIndex((names) => (layers += names.length) > limit);
  return over < 0 ? ranked.length : over;
}

/** Smallest k that passes as far as doubling and bisecting can tell; undefined when even the most does not. */
async function firstPassing(attempt: (k: number) => Promise<Try>, most: number): Promise<number | undefined> {
  if ((await attempt(0)).passes) return 0;
  let failed = 0;
  let passed = 1;
  for (; ; passed = Math.min(passed * 2, most)) {
    if (passed > most) return undefined;
    if ((await attempt(passed)).passes) break;
    if (passed === most) return undefined;
    failed = passed;
  }
  while (passed - failed > 1) {
    const middle: number = (passed + failed) >> 1;
    if ((await attempt(middle)).passes) passed = middle;
    else failed = middle;
  }
  return passed;
}

/** Tries to do without single groups, least sensitive first; the last of the ranking is known to be needed. */
async function revert(input: SearchInput, kept: readonly Names[]): Promise<Names> {
  let current = kept;
  for (const names of kept.slice(0, -1).reverse().slice(0, REVERTS)) {
    if (input.signal.aborted) throw new Interrupted();
    const without = current.filter((one) => one !== names);
    if ((await input.evaluatePlan(keepFloat(input.basePlan, without.flat()))).passes) current = without;
  }
  return current.flat();
}
