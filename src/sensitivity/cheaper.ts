import { RERANKED } from './cut.js';
import { firstPassing, type Hunt } from './hunt.js';
import type { Draft } from './trials.js';
import { CHEAP, NOTICED, withFloat, type Unit } from './units.js';

/** Gives back to INT8 what is not needed: chunks from the least sensitive on, then single groups, dearest first. */
export async function revert(hunt: Hunt, cut: Draft): Promise<Draft> {
  let now = cut;
  for (let size = cut.float.length >> 1; size > 1; size >>= 1)
    for (let end = now.float.length; end > 0; end -= size) {
      const draft = { ...now, float: now.float.filter((_, i) => i < end - size || i >= end) };
      if (draft.float.length > 0 && (await hunt.worthwhile(draft))) now = draft;
    }
  const without = (names: readonly string[]): Draft => ({
    ...now,
    float: now.float.filter((one) => one !== names),
  });
  const saved = new Map(now.float.map((names) => [names, hunt.cost(without(names))]));
  for (const names of [...now.float].reverse().sort((a, b) => (saved.get(a) ?? 0) - (saved.get(b) ?? 0)))
    if (now.float.length > 1 && (await hunt.worthwhile(without(names)))) now = without(names);
  return plain(hunt, now);
}

/** Without other calibrators, where the plan passes so too: what is simpler is better at the same cost. */
async function plain(hunt: Hunt, draft: Draft): Promise<Draft> {
  if (Object.keys(draft.calibrators).length === 0 || draft.float.length === 0) return draft;
  const simple = { ...draft, calibrators: {} };
  return (await hunt.worthwhile(simple)) ? simple : draft;
}

/**
 * A cheaper plan than `lean`, which passes; `lean` when there is none. From the start on, groups go to float by gain
 * for cost, until the subset likes it as much as `lean`. Where on that way the whole set begins to let it pass lies
 * behind the noise of what failed, and is bisected.
 */
export async function cheaper(hunt: Hunt, start: Draft, lean: Draft): Promise<Draft> {
  const goal = await hunt.noise(lean);
  if (goal === undefined || lean.float.length === 0) return lean;
  const noise = async (draft: Draft): Promise<number> => (await hunt.noise(draft)) ?? Infinity;
  const limit = hunt.cost(lean);
  const open = (draft: Draft): readonly Unit[] =>
    hunt
      .left(draft)
      .filter((unit) => hunt.fitting(draft, [unit]).length > 0)
      .filter((unit) => hunt.cost(withFloat(draft, [unit])) < limit);
  const quiet = async (draft: Draft): Promise<boolean> => (await noise(draft)) < hunt.failedAt * NOTICED;
  // What all of them together cannot reach, some of them need not try.
  if (!(await quiet(withFloat(start, open(start))))) return lean;
  // Gains shrink as more is float: only what looks best is measured again, until it still looks best.
  const believed = new Map(hunt.units.map((unit) => [unit, unit.noise]));
  const way: Draft[] = [];
  for (let now = start; hunt.trials.affordable;) {
    const next = await bestOf(hunt, now, open(now), believed);
    if (next === undefined) break;
    now = withFloat(now, [next]);
    if (await quiet(now)) way.push(now);
    if ((await noise(now)) <= goal) break;
  }
  return (await firstPassing(way, (draft) => hunt.worthwhile(draft))) ?? lean;
}

/** The group of the most gain for cost; updates what is believed of those that it measures. */
async function bestOf(
  hunt: Hunt,
  now: Draft,
  units: readonly Unit[],
  believed: Map<Unit, number>,
): Promise<Unit | undefined> {
  const noise = (await hunt.noise(now)) ?? 0;
  const worth = (unit: Unit): number => (believed.get(unit) ?? 0) / (CHEAP + hunt.dearer(now, unit));
  const measured = new Set<Unit>();
  for (;;) {
    const best = units.reduce<Unit | undefined>(
      (a, b) => (a === undefined || worth(b) > worth(a) ? b : a),
      undefined,
    );
    if (best === undefined || measured.has(best) || measured.size >= RERANKED) return best;
    measured.add(best);
    believed.set(best, noise - ((await hunt.noise(withFloat(now, [best]))) ?? noise));
  }
}
