import { basename } from 'node:path';
import { planMatches, resolvePlan, withMacs, type PrecisionPlan } from '../quantization/index.js';
import type { PlanSection, SearchPoint } from '../report/index.js';
import { paretoFront, type PlanPoint, type Price } from '../sensitivity/index.js';
import { listed } from '../words/index.js';
import { ageSentence } from './committed-plan.js';
import { finite } from './layer-rows.js';
import type { Found } from './run.js';

/** Layers named where one plan is told by what it has other than another. */
const NAMED = 6;

/** Every plan that was tried, in that order. */
export function searchSection({ found, int8 }: Found): readonly SearchPoint[] | undefined {
  if (found === undefined) return undefined;
  const { points } = found.search;
  const front = paretoFront(points);
  return points.map((point) => {
    const { draft, outcome, estimate, plan } = point;
    const kept = draft.float.flat();
    return {
      floatLayers: kept.length,
      passes: outcome?.passes ?? false,
      score: (outcome ?? estimate)?.score ?? 0,
      ...priceOf(point.price),
      kept,
      recalibrated: recalibratedIn(plan, int8.plan),
      full: outcome !== undefined,
      images: (outcome ?? estimate)?.images ?? 0,
      ...(outcome !== undefined && { verdict: outcome.verdict, ...fallOf(point) }),
      ...(estimate !== undefined && { sqnr: finite(estimate.sqnr) }),
      pareto: front.has(point),
    };
  });
}

/** The judged plan: where it comes from, what it costs, and why each layer is as it is. */
export function planSectionOf(run: Found): PlanSection {
  const { bench, found, int8, mixed, age, price } = run;
  const { settings, model, subset } = bench;
  const judged = settings.gate.candidate === 'int8' ? int8 : (mixed ?? int8);
  const committed = settings.quantization.plan;
  const search = found?.search;
  return {
    source:
      committed !== undefined ? 'committed' : search !== undefined && judged === mixed ? 'found' : 'default',
    ...(committed !== undefined && { file: basename(committed) }),
    ...priceOf(price(judged.plan)),
    costBy: settings.sensitivity.profile === undefined ? 'macs' : 'latency',
    layers: layersOf(run, judged.plan),
    ...(found !== undefined && {
      search: {
        passes: found.search.passes,
        ended: found.search.ended,
        fullEvaluations: found.search.evaluations.full,
        subsetEvaluations: found.search.evaluations.subset,
        cachedEvaluations: found.search.evaluations.cached,
        subsetImages: subset.length,
        seconds: found.seconds,
      },
    }),
    ...halfOf(run),
    alternatives: (search?.alternatives ?? []).map((point) => alternativeOf(point, search?.best, int8.plan)),
    blame: [...(search?.blame ?? [])],
    ...(age !== undefined &&
      committed !== undefined && {
        stale: {
          gone: [...age.gone],
          fresh: [...age.fresh],
          renamed: age.renamed.map((one) => ({ ...one })),
          ...(age.calibrator !== undefined && { calibrator: { ...age.calibrator } }),
          sentence: ageSentence(basename(committed), model.name, judged.plan, age),
        },
      }),
  };
}

function halfOf({ found, fp32, bench }: Found): Pick<PlanSection, 'half'> {
  const { measured } = found?.half ?? {};
  if (found === undefined || measured === undefined) return {};
  const precision = resolvePlan(found.variant.plan, bench.layers);
  const score = measured.evaluation.stats.AP;
  return {
    half: {
      layers: [...precision.values()].filter((one) => one === 'fp16').length,
      score,
      drop: finite(fp32.evaluation.stats.AP - score),
    },
  };
}

function priceOf({
  cost,
  int8Share,
  reformats,
  latencyMs,
}: Price): Pick<PlanSection, 'cost' | 'int8Share' | 'reformats' | 'latencyMs'> {
  return { cost, int8Share, reformats, latencyMs: latencyMs ?? null };
}

function fallOf({ outcome }: PlanPoint): { drop: number | null; low: number | null; high: number | null } {
  const of = (value: number | undefined): number | null => (value === undefined ? null : finite(value));
  return { drop: of(outcome?.drop), low: of(outcome?.low), high: of(outcome?.high) };
}

function recalibratedIn(plan: PrecisionPlan, base: PrecisionPlan): string[] {
  return Object.entries(plan.calibrators ?? {}).flatMap(([name, word]) =>
    base.calibrators?.[name] === word ? [] : [`${name} (${word})`],
  );
}

function alternativeOf(
  point: PlanPoint,
  best: PlanPoint | undefined,
  base: PrecisionPlan,
): PlanSection['alternatives'][number] {
  const kept = point.draft.float.flat();
  const own = new Set(best?.draft.float.flat());
  const more = kept.filter((name) => !own.has(name));
  const less = [...own].filter((name) => !kept.includes(name));
  const words = [
    ...(more.length > 0 ? [`${listed(more, NAMED)} in float as well`] : []),
    ...(less.length > 0 ? [`${listed(less, NAMED)} in INT8`] : []),
    ...calibratorWords(point.plan, best?.plan ?? base, base, new Set([...kept, ...own])),
  ].join(', ');
  return {
    ...priceOf(point.price),
    passes: point.outcome?.passes ?? false,
    score: point.outcome?.score ?? 0,
    ...fallOf(point),
    kept,
    recalibrated: recalibratedIn(point.plan, base),
    why: words === '' ? 'other calibrators' : words,
  };
}

/** How calibrators of a plan differ from the best one's, layers aside that either has in float. */
function calibratorWords(
  plan: PrecisionPlan,
  best: PrecisionPlan,
  base: PrecisionPlan,
  float: ReadonlySet<string>,
): readonly string[] {
  const of = ({ calibrators = {} }: PrecisionPlan): string =>
    Object.entries(calibrators)
      .filter(([name, word]) => !float.has(name) && base.calibrators?.[name] !== word)
      .map((pair) => pair.join())
      .sort()
      .join();
  if (of(plan) === of(best)) return [];
  return [of(plan) === '' ? 'the calibrator of the settings for all' : 'other calibrators'];
}

/** Every layer that is not in INT8 under the calibrator of the settings, those of the search first. */
function layersOf(run: Found, plan: PrecisionPlan): PlanSection['layers'] {
  const { bench, statistics, found } = run;
  const layers = withMacs(bench.layers, bench.graph, statistics);
  const total = layers.reduce((sum, { macs }) => sum + (macs ?? 0), 0);
  const precision = resolvePlan(plan, bench.layers);
  const kept = found?.search.kept ?? [];
  const place = (name: string): number => (kept.includes(name) ? kept.indexOf(name) : kept.length);
  return layers
    .flatMap((layer): PlanSection['layers'] => {
      const own = precision.get(layer.name) ?? plan.default;
      const calibrator = Object.entries(plan.calibrators ?? {}).findLast(([pattern]) =>
        planMatches(pattern, layer.name),
      )?.[1];
      const recalibrated = own === 'int8' && calibrator !== undefined;
      if (own === 'int8' && !recalibrated) return [];
      return [
        {
          name: layer.name,
          precision: own,
          ...(recalibrated && { calibrator }),
          macShare: layer.macs === undefined || total === 0 ? null : layer.macs / total,
          why: whyOf(run, layer, recalibrated),
        },
      ];
    })
    .sort((a, b) => place(a.name) - place(b.name));
}

function whyOf(
  { bench, found }: Found,
  { name, head, attention }: { readonly name: string; readonly head: boolean; readonly attention?: boolean },
  recalibrated: boolean,
): string {
  const { keepFloat, plan } = bench.settings.quantization;
  const fp32 = found?.half?.fp32.get(name);
  if (fp32 !== undefined) return `FP32: ${fp32}`;
  if (found?.search.kept.includes(name) === true) return 'found by the search';
  if (recalibrated && plan === undefined) return 'found by the search: loses less under this calibrator';
  if (plan !== undefined) return 'the committed plan';
  if (keepFloat.some((pattern) => planMatches(pattern, name))) return 'quantization.keepFloat';
  if (bench.model.quantized !== undefined) return 'no Q/DQ in the file';
  return head ? 'head, by rule' : attention === true ? 'attention, by rule' : 'by rule';
}
