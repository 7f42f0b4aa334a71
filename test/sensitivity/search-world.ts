/** A network in numbers, in which a test says which layers hurt, and the search in it. */
import { resolvePlan, type Layer, type PrecisionPlan } from '../../src/quantization/index.js';
import {
  rank,
  searchPlan,
  type PlanEstimate,
  type PlanSearch,
  type Price,
  type SearchInput,
  type SweepRow,
} from '../../src/sensitivity/index.js';

export const LAYERS = 40;
export const base: PrecisionPlan = { version: 1, operators: 'tensorrt', default: 'int8', layers: {} };

export const layersOf = (macs: (i: number) => number): readonly Layer[] =>
  Array.from({ length: LAYERS }, (_, i) => ({
    name: `conv${i}`,
    opType: 'Conv',
    nodes: [i],
    depth: i,
    macs: macs(i),
    parameters: 1,
    activations: [],
    head: false,
  }));

/** A detector whose noise at the output is known for every plan. */
export interface World {
  readonly macs?: (i: number) => number;
  /** Noise of a layer in INT8 by itself; 1e-4 for those not named. */
  readonly noise?: Readonly<Record<string, number>>;
  /** What the ranking believes, where it errs. */
  readonly believed?: Readonly<Record<string, number>>;
  /** Noise that arises while all of some layers are in INT8: each of them in float removes it. */
  readonly together?: readonly { readonly layers: readonly string[]; readonly noise: number }[];
  /** Noise of a layer under another calibrator. */
  readonly calibrated?: Readonly<Record<string, number>>;
  /** Layers behind the head: rounded, any of them leaves nothing of mAP, and the head's SQNR does not know. */
  readonly behind?: readonly string[];
  /** Of these, the ones whose fall a layer by itself does not show. */
  readonly hidden?: readonly string[];
  /** True: an earlier search has measured everything. */
  readonly cached?: boolean;
  /** Noise of a layer as the subset sees it, where it errs. */
  readonly steered?: Readonly<Record<string, number>>;
  /** Noise that still passes. */
  readonly allowed: number;
  /** Layers that change precision with the first of them. */
  readonly groups?: readonly (readonly string[])[];
  /** False: nothing is measured on a subset. */
  readonly subset?: boolean;
}

export const QUIET = 1e-4;

export function searchIn(
  world: World,
  options: Partial<SearchInput> = {},
): Promise<PlanSearch & { readonly tried: readonly PrecisionPlan[] }> {
  const layers = layersOf(world.macs ?? (() => 1));
  const total = layers.reduce((sum, { macs }) => sum + (macs ?? 0), 0);
  const noiseOf = (name: string): number => world.noise?.[name] ?? QUIET;
  const noise = (plan: PrecisionPlan, of = noiseOf): number => {
    const precision = resolvePlan(plan, layers);
    const int8 = (name: string): boolean => precision.get(name) === 'int8';
    const alone = layers.reduce((sum, { name }) => {
      const calibrated = plan.calibrators?.[name] === 'entropy' ? world.calibrated?.[name] : undefined;
      return sum + (int8(name) ? (calibrated ?? of(name)) : 0);
    }, 0);
    if ((world.behind ?? []).some(int8)) return alone + 0.9;
    return (world.together ?? []).reduce((sum, one) => sum + (one.layers.every(int8) ? one.noise : 0), alone);
  };
  const price = (plan: PrecisionPlan): Price => {
    const precision = resolvePlan(plan, layers);
    const int8Share =
      layers.reduce((sum, { name, macs }) => sum + (precision.get(name) === 'int8' ? (macs ?? 0) : 0), 0) /
      total;
    return { cost: 1 - int8Share, int8Share, reformats: 0, latencyMs: undefined };
  };
  const grouped = (world.groups ?? []).flat();
  const rows = rank(
    layers
      .filter(
        ({ name }) => !grouped.includes(name) || world.groups?.some(([first]) => first === name) === true,
      )
      .map((layer): SweepRow => {
        const names = world.groups?.find(([first]) => first === layer.name);
        const members = layers.filter(({ name }) => names?.includes(name) === true);
        const group = { name: layer.name, layers: members, tie: 'concat', end: '' } as const;
        return {
          layer,
          sqnr:
            world.behind?.includes(layer.name) === true
              ? Infinity
              : -10 * Math.log10(world.believed?.[layer.name] ?? noiseOf(layer.name)),
          mapDrop:
            world.behind?.includes(layer.name) === true && world.hidden?.includes(layer.name) !== true
              ? 0.9
              : 0,
          ...(names !== undefined && { detail: { group } as unknown as NonNullable<SweepRow['detail']> }),
        };
      }),
  );
  const tried: PrecisionPlan[] = [];
  const estimate = (plan: PrecisionPlan): PlanEstimate => {
    const seen = noise(plan, (name) => world.steered?.[name] ?? noiseOf(name));
    return {
      sqnr: -10 * Math.log10(seen),
      noise: seen,
      score: 1 - seen,
      images: 8,
      hopeless: seen > 10 * world.allowed,
      cached: world.cached === true,
    };
  };
  return searchPlan({
    rows,
    layers,
    basePlan: base,
    price,
    evaluatePlan: (plan) => {
      tried.push(plan);
      const passes = noise(plan) <= world.allowed;
      const drop = noise(plan);
      const verdict = passes ? ('pass' as const) : ('fail' as const);
      const measured = { score: 1 - drop, drop, low: drop, high: drop, images: 100 };
      return Promise.resolve({ passes, verdict, ...measured, cached: world.cached === true });
    },
    ...(world.subset !== false && { estimatePlan: (plan) => Promise.resolve(estimate(plan)) }),
    signal: new AbortController().signal,
    ...options,
  }).then((found) => ({ ...found, tried }));
}

export const sorted = (names: readonly string[]): string[] => [...names].sort();
export const loud = (...names: string[]): Record<string, number> =>
  Object.fromEntries(names.map((name) => [name, 1]));
