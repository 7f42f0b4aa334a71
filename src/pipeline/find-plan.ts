import { InputFault } from '../faults/index.js';
import { exitStatusOf, wantsOnlyImages } from '../gate/index.js';
import { calibratorOf, formatPlan, withMacs, type PrecisionPlan } from '../quantization/index.js';
import {
  layersBehind,
  pricer,
  searchPlan,
  type LatencyProfile,
  type PlanOutcome,
  type PlanSearch,
  type Price,
  type SweepRow,
} from '../sensitivity/index.js';
import { calibratorWord, networkOf } from './committed-plan.js';
import { subsetEstimator } from './subset-estimate.js';
import { checkHalf, type HalfCheck } from './half-check.js';
import { profileFor, readProfile } from './profile.js';
import { judgePoint, judgeVariant } from './judging.js';
import { buildVariant, type Basis, type Variant } from './run.js';

/** The plan that is judged as mixed precision, and how it was found. */
export interface MixedPlan {
  readonly variant: Variant;
  readonly search: PlanSearch;
  /** What FP16 does to it; undefined where nothing was found that FP16 could do something to. */
  readonly half: HalfCheck | undefined;
  readonly seconds: number;
}

/** How a plan is looked for. */
export interface FindOptions {
  /** Spend evaluations on dearer plans too, to offer them. */
  readonly alternatives: boolean;
}

/** Prices the plans of a network, by the settings' profile where they name one. */
export async function pricerOf({
  bench,
  statistics,
}: Pick<Basis, 'bench' | 'statistics'>): Promise<(plan: PrecisionPlan) => Price> {
  const { graph, layers, settings } = bench;
  const { profile: file } = settings.sensitivity;
  const profile: LatencyProfile | undefined =
    file === undefined ? undefined : profileFor(layers, await readProfile(file), file);
  const shapeOf = (tensor: string): readonly number[] | undefined => {
    const shape = statistics.get(tensor)?.shape ?? graph.shape(tensor);
    return shape?.every((length) => length > 0) === true ? shape : undefined;
  };
  return pricer({
    graph,
    scope: settings.quantization.operators,
    layers: withMacs(layers, graph, statistics),
    elements: (tensor) => shapeOf(tensor)?.reduce((a, b) => a * b, 1),
    ...(profile !== undefined && { profile }),
  });
}

/**
 * Holds what the settings ask of a search against the network and the plan that it starts from, before layers are ranked.
 * @throws InputFault for a profile of another network, a calibrator that is none, or a share of INT8 that no plan can have
 */
export async function checkSearch(
  basis: Pick<Basis, 'bench' | 'statistics'>,
  start: PrecisionPlan,
): Promise<void> {
  const { loaded, settings } = basis.bench;
  const { enabled, minInt8Share } = settings.sensitivity;
  if (!enabled || settings.gate.candidate === 'int8' || settings.quantization.plan !== undefined) return;
  otherCalibrators(basis.bench);
  const { int8Share } = (await pricerOf(basis))(start);
  if (minInt8Share === undefined || int8Share >= minInt8Share) return;
  throw new InputFault({
    where: loaded.place('/sensitivity/minInt8Share'),
    what: `asks for ${minInt8Share}, and the plan that the search starts from has ${shareBelow(int8Share)} of the multiply-accumulates in INT8`,
    fix: 'Ask for less, or let more of the start run in INT8: `quantization.head`, `keepFloat` and, with `operators: tensorrt`, attention keep layers float.',
  });
}

/** Three decimals, never more than the share is: what is told can be asked for. */
function shareBelow(share: number): string {
  return (Math.floor(1000 * share) / 1000).toFixed(3);
}

/** Looks for the cheapest plan that passes, from the INT8 variant on. */
export async function findPlan(
  basis: Basis,
  int8: Variant,
  rows: readonly SweepRow[],
  { alternatives }: FindOptions,
): Promise<MixedPlan> {
  const { bench } = basis;
  const { settings, context, layers } = bench;
  const started = Date.now();
  const { maxFloatLayers, minInt8Share, maxMinutes = Infinity } = settings.sensitivity;
  const expired = (): boolean => Date.now() - started > maxMinutes * 60_000;
  // Kept whole is only what may become the answer: a model takes megabytes.
  let kept = int8;
  const build = (plan: PrecisionPlan): Promise<Variant> | Variant => {
    if (formatPlan(plan) === formatPlan(int8.plan)) return int8;
    if (formatPlan(plan) === formatPlan(kept.plan)) return kept;
    const extra = Object.keys(plan.layers).length - Object.keys(int8.plan.layers).length;
    return buildVariant(basis, `mixed precision with ${extra} more in float`, plan);
  };
  const price = await pricerOf(basis);
  let best: PlanOutcome | undefined;
  // Told once in a row: there are dozens.
  let told = false;
  const steering = (): void => {
    if (!told) context.progress.phase(`Steering the search for a plan on ${bench.subset.length} images`);
    told = true;
  };
  const search = await searchPlan({
    rows,
    layers,
    behind: layersBehind(bench.graph, layers, basis.reference.heads),
    basePlan: int8.plan,
    price,
    evaluatePlan: async (plan) => {
      told = false;
      const variant = await build(plan);
      const outcome = outcomeOf(basis, variant);
      const better =
        best === undefined ||
        (outcome.passes
          ? !best.passes || price(plan).cost <= price(kept.plan).cost
          : !best.passes && outcome.score > best.score);
      if (better) [best, kept] = [outcome, variant];
      return outcome;
    },
    estimatePlan: subsetEstimator(basis, steering),
    calibrators: otherCalibrators(bench),
    alternatives,
    ...(maxFloatLayers !== undefined && { maxFloatLayers }),
    ...(minInt8Share !== undefined && { minInt8Share }),
    expired,
    signal: context.signal,
  });
  const variant = await build(search.best.plan);
  const holds = (one: Variant): boolean => outcomeOf(basis, one).passes;
  const half =
    search.kept.length > 0 || alternatives ? await checkHalf(basis, variant, holds, expired) : undefined;
  context.progress.end();
  return {
    variant: { ...variant, plan: signed(basis, half?.plan ?? search.best.plan) },
    search,
    half,
    seconds: (Date.now() - started) / 1000,
  };
}

/**
 * Calibrators that single layers may get: none for a model that brings its scales along, nor where the best one was
 * chosen for each scale already.
 */
function otherCalibrators({ model, settings, loaded }: Basis['bench']): readonly string[] {
  const { calibrators } = settings.sensitivity;
  const wrong = calibrators.find((word) => calibratorOf(word) === undefined);
  if (wrong !== undefined)
    throw new InputFault({
      where: loaded.place('/sensitivity/calibrators'),
      what: `${wrong} is no calibrator`,
      fix: 'A percentile lies between 0 and 100, for example percentile:99.99.',
    });
  if (model.quantized !== undefined || settings.calibration.calibrator === 'best') return [];
  return calibrators.filter((word) => word !== calibratorWord(settings));
}

/** The plan with what tells later whether it still fits. */
function signed({ bench }: Basis, plan: PrecisionPlan): PrecisionPlan {
  const { structure, calibrator, layers } = networkOf(bench);
  return {
    ...plan,
    model: structure,
    calibrator,
    network: Object.fromEntries(layers.map(({ name, structure: own }) => [name, own])),
  };
}

/**
 * A plan holds when the gate would let it pass and its fall itself is within the limits: where the settings let an
 * interval that straddles a limit pass, a fall beyond the limit is still nothing to look for. Where only the number of
 * images keeps the gate from passing, no plan can do more than clear the limits.
 */
export function outcomeOf({ bench, fp32 }: Basis, variant: Variant): PlanOutcome {
  const verdict = judgeVariant(bench, fp32, variant);
  const plain = judgePoint(bench, fp32, variant);
  const { drop, low, high } = variant.drop.map;
  return {
    passes: (exitStatusOf(verdict) === 0 || wantsOnlyImages(verdict)) && plain.kind === 'pass',
    verdict: verdict.kind,
    score: variant.measured.evaluation.stats.AP,
    drop,
    low,
    high,
    images: bench.truth.images.length,
    cached: variant.measured.remembered,
  };
}
