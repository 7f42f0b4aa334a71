import { firstPassing, type Hunt } from './hunt.js';
import type { Draft } from './trials.js';
import { CHEAP, compare, withFloat, type Unit } from './units.js';

/** Groups tried one by one when the ranking is made anew. */
export const RERANKED = 8;

/**
 * The fewest of the worst groups in float that pass: by noise for cost, doubling and bisecting, ranked anew after each
 * failure; then, where less of it would be cheaper, by the plain ranking, which may be right where the new one is not.
 * Undefined when neither passes within the limits.
 */
export async function cut(hunt: Hunt, start: Draft): Promise<Draft | undefined> {
  const found = await byWorth(hunt, start);
  return (await byRanking(hunt, start, found)) ?? found;
}

async function byWorth(hunt: Hunt, start: Draft): Promise<Draft | undefined> {
  let path = hunt.fitting(start, hunt.units);
  if (path.length === 0) return undefined;
  const first = (k: number): Draft => withFloat(start, path.slice(0, k));
  let failed = 0;
  let passed = 1;
  for (; ; passed = Math.min(2 * passed, path.length)) {
    if (await hunt.passes(first(passed), passed === path.length)) break;
    if (passed === path.length) return undefined;
    failed = passed;
    const done = path.slice(0, passed);
    const rest = hunt.units.filter((unit) => !done.includes(unit));
    path = [...done, ...hunt.fitting(first(passed), await rankedAnew(hunt, first(passed), rest))];
  }
  const between = Array.from({ length: passed - failed - 1 }, (_, k) => first(failed + 1 + k));
  return (await firstPassing(between, (draft) => hunt.passes(draft))) ?? first(passed);
}

/** The worst groups of the ranking in float, as few as pass, where that is cheaper than a plan that passes. */
async function byRanking(hunt: Hunt, start: Draft, found: Draft | undefined): Promise<Draft | undefined> {
  const limit = found === undefined ? Infinity : hunt.cost(found);
  const path = hunt.fitting(start, hunt.ranking);
  const drafts = path.map((_, k) => withFloat(start, path.slice(0, k + 1)));
  const cheaper = drafts.filter((draft) => hunt.cost(draft) < limit);
  const most = cheaper.at(-1);
  // What most of them together cannot reach, fewer need not try.
  if (most === undefined || !(await hunt.passes(most, found === undefined))) return undefined;
  return (await firstPassing(cheaper.slice(0, -1), (draft) => hunt.passes(draft))) ?? most;
}

/**
 * The rest of the ranking as it is in the presence of what is float already: the first of it by what the subset gains
 * from each. Where they explain less than half of the noise, the group that halving the others leads to is among them.
 */
async function rankedAnew(hunt: Hunt, draft: Draft, rest: readonly Unit[]): Promise<readonly Unit[]> {
  const noise = await hunt.noise(draft);
  if (noise === undefined || rest.length < 2) return rest;
  const gain = async (units: readonly Unit[]): Promise<number> =>
    noise - ((await hunt.noise(withFloat(draft, units))) ?? noise);
  const gains = new Map<Unit, number>();
  for (const unit of rest.slice(0, RERANKED)) gains.set(unit, await gain([unit]));
  const explained = [...gains.values()].reduce((sum, one) => sum + Math.max(0, one), 0);
  let half = explained < noise / 2 ? rest.slice(RERANKED) : [];
  while (half.length > 1) {
    const [a, b] = [half.slice(0, half.length >> 1), half.slice(half.length >> 1)];
    half = (await gain(a)) >= (await gain(b)) ? a : b;
  }
  for (const unit of half) gains.set(unit, await gain([unit]));
  const worth = (unit: Unit): number => (gains.get(unit) as number) / (CHEAP + hunt.dearer(draft, unit));
  const better = [...gains.keys()].filter((unit) => worth(unit) > 0);
  better.sort((x, y) => compare(worth(y), worth(x)));
  return [...better, ...rest.filter((unit) => !better.includes(unit))];
}
