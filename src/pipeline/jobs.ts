import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CocoStats } from '../evaluation/index.js';
import { SurroundingsFault, messageOf } from '../faults/index.js';
import { writeModel } from '../onnx/index.js';
import { formatPlan, quantize } from '../quantization/index.js';
import type { LoadedSettings } from '../settings/index.js';
import type { Context } from './context.js';
import { measure } from './measure.js';
import { basisOf, calibrate, planOf, rankLayers, withBench } from './run.js';

/** What `quantize` made. */
export interface QuantizeResult {
  readonly model: string;
  readonly plan: string;
  readonly int8Layers: number;
  readonly floatLayers: number;
}

/** Calibrates and writes the model with Q/DQ and its plan, without evaluating. */
export function runQuantize(loaded: LoadedSettings, context: Context): Promise<QuantizeResult> {
  return withBench(loaded, context, async (bench) => {
    const { ranges } = await calibrate(bench);
    const plan = await planOf(bench);
    const { proto, int8Layers, floatLayers } = quantize(bench.model, plan, ranges);
    const [model, planFile] = [join(context.out, 'int8.onnx'), join(context.out, 'plan.json')];
    try {
      await mkdir(context.out, { recursive: true });
      await writeFile(planFile, formatPlan(plan));
    } catch (cause) {
      throw new SurroundingsFault(
        {
          where: context.out,
          what: `cannot be written: ${messageOf(cause)}`,
          fix: 'Name another folder with `--out`.',
        },
        { cause },
      );
    }
    await writeModel(proto, model);
    return { model, plan: planFile, int8Layers: int8Layers.length, floatLayers: floatLayers.length };
  });
}

/** FP32 alone on the validation set. */
export function runEvaluate(loaded: LoadedSettings, context: Context): Promise<CocoStats> {
  return withBench(
    loaded,
    context,
    async (bench) => (await measure(bench, 'FP32', bench.bytes, 0)).evaluation.stats,
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
