import { counted, listed } from '../words/index.js';
import { change, percent, rate } from './numbers.js';
import type { PlanSection, Report, SearchPoint } from './types.js';

/** Layers named in a sentence. */
const NAMED = 6;

const SOURCES: Readonly<Record<PlanSection['source'], string>> = {
  default: 'by rule',
  found: 'found by search',
  committed: 'committed',
};

const ENDS: Readonly<Record<NonNullable<PlanSection['search']>['ended'], string>> = {
  cheapest: 'nothing cheaper that passes was found',
  'none-passes': 'no plan passes',
  minutes: 'sensitivity.maxMinutes ended it',
  'float-layers': 'sensitivity.maxFloatLayers ended it',
  'int8-share': 'sensitivity.minInt8Share ended it',
};

/** What the plan is, in sentences: source, cost, layers, search, staleness. Names are raw: the caller escapes. */
export function planSentences({ plan }: Report): readonly string[] {
  if (plan === undefined) return [];
  const { source, file, search, half, stale, alternatives, blame } = plan;
  const float = plan.layers.filter(({ precision }) => precision !== 'int8');
  const other = plan.layers.filter(({ precision }) => precision === 'int8');
  return [
    `${SOURCES[source][0]?.toUpperCase()}${SOURCES[source].slice(1)}${file === undefined ? '' : ` (${file})`}: ${costWords(plan)}.`,
    ...(float.length === 0
      ? []
      : [
          `In float: ${listed(
            float.map(({ name, why }) => `${name} (${why})`),
            NAMED,
          )}.`,
        ]),
    ...(other.length === 0
      ? []
      : [
          `Recalibrated: ${listed(
            other.map(({ name, calibrator }) => `${name} (${calibrator})`),
            NAMED,
          )}.`,
        ]),
    ...(half === undefined
      ? []
      : [`With ${half.layers} layers rounded to FP16 (sums in FP32): mAP50-95 ${rate(half.score)}.`]),
    ...(search === undefined ? [] : [searchWords(search)]),
    ...alternatives.map(
      (one) =>
        `${one.passes ? 'Next best' : 'Then'}: ${one.why}: mAP50-95 ${rate(one.score)}, ${costWords(one)}.`,
    ),
    ...(blame.length === 0 ? [] : [`Most of what is lost, still in INT8: ${listed(blame, NAMED)}.`]),
    ...(stale === undefined ? [] : [stale.sentence]),
  ];
}

function costWords({
  int8Share,
  reformats,
  latencyMs,
}: Pick<PlanSection, 'int8Share' | 'reformats' | 'latencyMs'>): string {
  const time = latencyMs === null ? '' : `, ${latencyMs.toFixed(3)} ms by the profile`;
  return `${percent(int8Share)} of the MACs in INT8, ${counted(reformats, 'conversion')} between precisions${time}`;
}

function searchWords(search: NonNullable<PlanSection['search']>): string {
  const cached = search.cachedEvaluations > 0 ? `, ${search.cachedEvaluations} from the cache` : '';
  return `Searched ${search.seconds.toFixed(0)} s: ${counted(search.fullEvaluations, 'plan')} on the whole set, ${search.subsetEvaluations} on ${search.subsetImages} images${cached}; ${ENDS[search.ended]}.`;
}

/** The curve of accuracy against cost as rows, cheapest first: points of the whole set that no other beats in both. */
export function curveRows({ search = [] }: Report): readonly (readonly string[])[] {
  return search
    .filter(({ pareto }) => pareto === true)
    .sort((a, b) => (a.cost ?? 0) - (b.cost ?? 0))
    .map((point) => [
      percent(point.int8Share ?? null),
      ...(timed(search) ? [point.latencyMs?.toFixed(3) ?? ''] : []),
      rate(point.score),
      fall(point),
      point.verdict ?? '',
      describe(point),
    ]);
}

/** Titles of {@link curveRows}. */
export function curveHeader({ search = [] }: Report): readonly string[] {
  return ['MACs in INT8', ...(timed(search) ? ['ms'] : []), 'mAP50-95', 'change', 'verdict', 'more in float'];
}

function timed(search: readonly SearchPoint[]): boolean {
  return search.some(({ latencyMs }) => latencyMs !== undefined && latencyMs !== null);
}

function fall({ drop, low, high }: SearchPoint): string {
  return drop === undefined || drop === null ? '' : change({ drop, low: low ?? null, high: high ?? null });
}

function describe({ kept = [], recalibrated = [], floatLayers }: SearchPoint): string {
  const few =
    kept.length <= 3 ? kept.join(', ') : `${kept.slice(0, 2).join(', ')} and ${floatLayers - 2} more`;
  const other =
    recalibrated.length === 0 ? '' : `${kept.length > 0 ? '; ' : ''}recalibrated: ${recalibrated.length}`;
  return `${few}${other}` || '–';
}
