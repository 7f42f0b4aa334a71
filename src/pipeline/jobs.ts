import { join } from 'node:path';
import { formatCalibrationCache } from '../calibration/index.js';
import type { CocoStats } from '../evaluation/index.js';
import { formatPlan, planRanges, quantize, type KeptFloat } from '../quantization/index.js';
import type { LoadedSettings } from '../settings/index.js';
import { calibrate } from './calibrate.js';
import type { Context } from './context.js';
import { flavoursOf } from './flavours.js';
import { measure } from './measure.js';
import { writeTogether } from './write-together.js';
import { startPlan } from './committed-plan.js';
import { rankLayers } from './rank.js';
import { basisOf, withBench } from './run.js';

/** What `quantize` made. */
export interface QuantizeResult {
  /** Path of the model; of the weak one where both flavours were asked for. */
  readonly model: string;
  /** Path of the strongly typed model, where it is a second file. */
  readonly strong?: string;
  readonly plan: string;
  /** The ranges as TensorRT up to 10 reads them. */
  readonly cache: string;
  readonly int8Layers: number;
  readonly floatLayers: number;
  /** Nodes that a strongly typed model keeps in FP32 for the sake of range, with the reason. */
  readonly fp32: readonly KeptFloat[];
}

/** Calibrates and writes the model with Q/DQ and its plan, without evaluating. */
export function runQuantize(loaded: LoadedSettings, context: Context): Promise<QuantizeResult> {
  return withBench(loaded, context, async (opened) => {
    const { plan } = await startPlan(opened);
    const { bench, ranges, statistics } = await calibrate(opened, plan);
    const { batch } = bench.settings.calibration;
    const quantized = quantize(bench.model, plan, planRanges(plan, bench.layers, ranges, statistics, batch));
    const { models, kept } = flavoursOf(bench, plan, quantized, statistics);
    const cache = formatCalibrationCache(ranges);
    const files = { ...models, 'plan.json': formatPlan(plan), 'calibration.cache': cache };
    await writeTogether(context.out, files);
    const [model, strong] = Object.keys(models).map((name) => join(context.out, name));
    return {
      model: model as string,
      ...(strong !== undefined && { strong }),
      plan: join(context.out, 'plan.json'),
      cache: join(context.out, 'calibration.cache'),
      int8Layers: quantized.int8Layers.length,
      floatLayers: quantized.floatLayers.length,
      fp32: kept,
    };
  });
}

/** FP32 alone on the validation set. */
export function runEvaluate(loaded: LoadedSettings, context: Context): Promise<CocoStats> {
  return withBench(
    loaded,
    context,
    async (bench) => (await measure(bench, 'FP32', bench.referenceBytes, 0)).evaluation.stats,
  );
}

/** A row of the ranking. */
export interface RankedLayer {
  readonly rank: number;
  readonly name: string;
  readonly opType: string;
  readonly sqnr: number | null;
  readonly mapDrop: number | null;
}

/** Ranks layers without judging. */
export function runSensitivity(loaded: LoadedSettings, context: Context): Promise<readonly RankedLayer[]> {
  return withBench(loaded, context, async (bench) => {
    const rows = await rankLayers(await basisOf(bench));
    return rows.map(({ layer, sqnr, mapDrop }, i) => ({
      rank: i + 1,
      name: layer.name,
      opType: layer.opType,
      sqnr: Number.isFinite(sqnr) ? sqnr : null,
      mapDrop: mapDrop ?? null,
    }));
  });
}
