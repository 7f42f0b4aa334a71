import { planMatches } from './pattern.js';
import type { PrecisionPlan } from './types.js';

/** The network that a plan is held against. */
export interface PlanNetwork {
  /** Structure digest of the model. */
  readonly structure: string;
  /** Layers along the network's depth, each with what tells it apart from its name. */
  readonly layers: readonly { readonly name: string; readonly structure: string }[];
  /** Calibrator in force. */
  readonly calibrator: string;
}

/** What of a plan no longer fits the network. */
export interface PlanAge {
  /** True when the network has another structure than the plan's. */
  readonly structure: boolean;
  /** Layers that the plan speaks of and the network lacks. */
  readonly gone: readonly string[];
  /** Layers that the plan does not know; they run as its default says, and nobody has ranked them. */
  readonly fresh: readonly string[];
  /** Layers that have another name now; the plan follows them. */
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
  /** Calibrators: the plan's, and that in force. */
  readonly calibrator: { readonly from: string; readonly to: string } | undefined;
}

/** A plan as it can be used, and why it is out of date; `age` is undefined when it is not. */
export interface FittedPlan {
  readonly plan: PrecisionPlan;
  readonly age: PlanAge | undefined;
}

/**
 * Fits a committed plan to the network as it is now. Renamed layers are followed: by their place where the structure is
 * the same, else where one lost and one new layer alone share a structure. Entries for layers that are gone are left
 * out, since they say nothing any more. A plan without `network` (written by hand) is left as it is.
 */
export function fitPlan(plan: PrecisionPlan, now: PlanNetwork): FittedPlan {
  const structure = plan.model !== undefined && plan.model !== now.structure;
  const calibrator =
    plan.calibrator !== undefined && plan.calibrator !== now.calibrator
      ? { from: plan.calibrator, to: now.calibrator }
      : undefined;
  const before = Object.entries(plan.network ?? {});
  if (before.length === 0)
    return {
      plan,
      age: structure || calibrator ? { structure, calibrator, gone: [], fresh: [], renamed: [] } : undefined,
    };
  const renames = structure || plan.model === undefined ? byStructure(before, now) : byPlace(before, now);
  const names = new Set(now.layers.map(({ name }) => name));
  const known = new Set(before.map(([name]) => renames.get(name) ?? name));
  const fresh = now.layers.flatMap(({ name }) => (known.has(name) ? [] : [name]));
  const lost = new Set(before.flatMap(([name]) => (names.has(name) || renames.has(name) ? [] : [name])));
  const entries = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(
      Object.entries(record).flatMap(([pattern, value]) => {
        // Without a layer now, but with one then: gone, not misspelt.
        if (lost.has(pattern)) return [];
        const then = before.some(([name]) => planMatches(pattern, name));
        const still = now.layers.some(({ name }) => planMatches(pattern, name));
        const moved = renames.get(pattern);
        if (moved !== undefined) return [[moved, value]];
        if (!pattern.includes('*') || still || !then) return [[pattern, value]];
        return before.flatMap(([name]) => {
          const to = planMatches(pattern, name) ? renames.get(name) : undefined;
          return to === undefined ? [] : [[to, value] as const];
        });
      }),
    );
  const spoken = [...Object.keys(plan.layers), ...Object.keys(plan.calibrators ?? {})];
  const gone = [...lost].filter((name) => spoken.some((pattern) => planMatches(pattern, name)));
  const renamed = [...renames].map(([from, to]) => ({ from, to }));
  const fitted = {
    ...plan,
    layers: entries(plan.layers),
    ...(plan.calibrators !== undefined && { calibrators: entries(plan.calibrators) }),
  };
  const fits = !structure && calibrator === undefined && fresh.length + lost.size + renamed.length === 0;
  return { plan: fitted, age: fits ? undefined : { structure, gone, fresh, renamed, calibrator } };
}

type Named = readonly (readonly [name: string, structure: string])[];

/** The same network: the layer at the same place is the same layer. */
function byPlace(before: Named, { layers }: PlanNetwork): ReadonlyMap<string, string> {
  if (before.length !== layers.length) return byStructure(before, { layers });
  return new Map(
    before.flatMap(([from], i) => {
      const to = layers[i]?.name;
      return to === undefined || to === from ? [] : [[from, to] as const];
    }),
  );
}

/** Layers that only one lost and one new layer can be. */
function byStructure(before: Named, { layers }: Pick<PlanNetwork, 'layers'>): ReadonlyMap<string, string> {
  const names = new Set(layers.map(({ name }) => name));
  const known = new Set(before.map(([name]) => name));
  const lost = before.filter(([name]) => !names.has(name));
  const fresh = layers.filter(({ name }) => !known.has(name));
  return new Map(
    lost.flatMap(([from, structure]) => {
      const alike = fresh.filter((one) => one.structure === structure);
      const rivals = lost.filter(([, other]) => other === structure);
      const [to] = alike;
      return to !== undefined && alike.length === 1 && rivals.length === 1 ? [[from, to.name] as const] : [];
    }),
  );
}
