import { resolvePlan } from '../quantization/index.js';
import { harmOf } from './harm.js';
import type { SearchInput } from './search.js';
import type { Draft } from './trials.js';

/** A group of layers that the base plan has in INT8; they change precision together. */
export interface Unit {
  readonly names: readonly string[];
  /** What this group alone does in INT8, as the ranking has it: noise over signal of the head, or the fall of mAP behind it. */
  readonly noise: number;
  /** Post-processing. */
  readonly behind: boolean;
}

/** Share of cost that a layer without work counts as: noise decides between cheap layers. */
export const CHEAP = 0.02;
/** Share of the noise that may be left for a plan to count as quieter: by 0.25 dB. */
export const NOTICED = 0.944;

/** Groups with those of their layers that the base plan has in INT8, worst first; post-processing as one, if it may be float. */
export function unitsOf({
  rows,
  layers,
  basePlan,
  behind = new Set(),
  maxFloatLayers = Infinity,
}: SearchInput): readonly Unit[] {
  const precision = resolvePlan(basePlan, layers);
  const single = rows.flatMap((row): Unit[] => {
    const names = (row.detail?.group.layers ?? [row.layer])
      .map(({ name }) => name)
      .filter((name) => precision.get(name) === 'int8');
    const last = names.every((name) => behind.has(name));
    return names.length === 0 ? [] : [{ names, noise: harmOf(row), behind: last }];
  });
  const post = single.filter((unit) => unit.behind);
  const names = post.flatMap((unit) => unit.names);
  const noise = Math.max(0, ...post.map((unit) => unit.noise));
  // Harmless one by one: nothing to move as a whole.
  if (noise === 0 || names.length > maxFloatLayers) return single;
  return [{ names, noise, behind: true }, ...single.filter((unit) => !unit.behind)];
}

/** By noise for cost: a dear group goes behind a cheap one that hurts about as much. */
export function orderByWorth(
  units: readonly Unit[],
  { price, basePlan }: Pick<SearchInput, 'price' | 'basePlan'>,
): readonly Unit[] {
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

/** A draft with more groups in float. */
export function withFloat(draft: Draft, units: readonly Unit[]): Draft {
  return { ...draft, float: [...draft.float, ...units.map(({ names }) => names)] };
}

/** For sorting: of equal numbers, infinite ones too, none comes first. */
export function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
