import type { DetectionTable } from '../dataset/index.js';
import type { EngineDetails, TensorRtEngine } from '../engine/index.js';
import { evaluateCoco, outputDistances, type BootstrapResult } from '../evaluation/index.js';
import { encodeModel } from '../onnx/index.js';
import { toStrong } from '../quantization/index.js';
import { flavoursOf } from './flavours.js';
import type { Gpu } from './gpu.js';
import { detect, dropBetween, modelOf, type Measured } from './measure.js';
import { feedOf, type Bench } from './prepare.js';
import type { Basis, Variant } from './run.js';

/** The engines that are built: two of float to compare with, and what ships. */
export type EngineVariant = 'fp32' | 'fp16' | 'int8' | 'mixed';

/** A real engine, measured on the whole validation set. */
export interface Confirmed {
  readonly variant: EngineVariant;
  readonly measured: Measured;
  readonly details: EngineDetails;
  /** Against the FP32 engine; undefined for that itself. */
  readonly drop: BootstrapResult | undefined;
  /** mAP50-95 of the same file in simulation; undefined where nothing was simulated. */
  readonly simulated: number | undefined;
  /** The plan's layers that were asked to run in INT8, by ONNX node. */
  readonly asked: readonly string[];
}

/** What the real engines showed. */
export interface Confirmation {
  readonly gpu: Gpu;
  readonly engines: readonly Confirmed[];
}

interface Job {
  readonly variant: EngineVariant;
  readonly bytes: Uint8Array;
  readonly precision: 'fp32' | 'fp16' | 'int8';
  readonly simulation: Measured | undefined;
  readonly asked: readonly string[];
}

/**
 * Builds FP32, FP16, INT8 and the mixed engine and measures each. The layers were ranked and the plan was found by
 * simulation, since a build takes a minute; here it is seen whether that holds.
 */
export async function confirmOnGpu(
  basis: Basis,
  gpu: Gpu,
  int8: Variant,
  mixed: Variant | undefined,
): Promise<Confirmation> {
  const engines: Confirmed[] = [];
  for (const job of jobsOf(basis, gpu.engine, int8, mixed))
    engines.push(await measureEngine(basis, gpu.engine, job, engines[0]?.measured.detections));
  return { gpu, engines };
}

function jobsOf(
  { bench, fp32, statistics }: Basis,
  { typing }: TensorRtEngine,
  int8: Variant,
  mixed: Variant | undefined,
): readonly Job[] {
  const reach = new Map([...statistics].map(([tensor, { min, max }]) => [tensor, Math.max(-min, max)]));
  const half = (): Uint8Array =>
    typing === 'weak'
      ? bench.bytes
      : encodeModel(toStrong(bench.model.proto, { name: bench.model.name, fp32: new Set(), reach }).proto);
  const quantized = (variant: EngineVariant, one: Variant): Job => ({
    variant,
    bytes: inFlavour(bench, one, statistics, typing),
    precision: 'int8',
    simulation: one.measured,
    asked: one.model.int8Layers.map(({ name }) => name),
  });
  return [
    { variant: 'fp32', bytes: bench.referenceBytes, precision: 'fp32', simulation: fp32, asked: [] },
    { variant: 'fp16', bytes: half(), precision: 'fp16', simulation: undefined, asked: [] },
    quantized('int8', int8),
    ...(mixed !== undefined && mixed !== int8 ? [quantized('mixed', mixed)] : []),
  ];
}

function inFlavour(
  bench: Bench,
  { plan, model, bytes }: Variant,
  statistics: Basis['statistics'],
  typing: 'weak' | 'strong',
): Uint8Array {
  if (typing === 'weak') return bytes;
  const quantization = { ...bench.settings.quantization, flavour: 'strong' as const };
  const strong = { ...bench, settings: { ...bench.settings, quantization } };
  return Object.values(flavoursOf(strong, plan, model, statistics).models)[0] as Uint8Array;
}

async function measureEngine(
  { bench }: Basis,
  engine: TensorRtEngine,
  { variant, bytes, precision, simulation, asked }: Job,
  reference: DetectionTable | undefined,
): Promise<Confirmed> {
  const { context, truth } = bench;
  const name = `${variant.toUpperCase()} engine`;
  context.progress.phase(`Building the ${name} with TensorRT ${engine.version}`);
  const session = await engine.load({ ...modelOf(bench, name, bytes), precision });
  try {
    context.progress.phase(`Evaluating the ${name} on ${truth.images.length} images`);
    const detections = await detect(bench, session, name, feedOf(bench, bench.validation));
    const details = await session.details(context.signal);
    const { medianMs, p99Ms } = details.graphTiming ?? details.timing;
    return {
      variant,
      details,
      asked,
      simulated: simulation?.evaluation.stats.AP,
      measured: {
        detections,
        evaluation: evaluateCoco(truth, detections),
        latency: { medianMs: medianMs / details.batch, p99Ms: p99Ms / details.batch },
        weightBytes: simulation?.weightBytes ?? 0,
        distances: reference && outputDistances(reference, detections),
        sqnr: simulation?.sqnr,
      },
      drop: reference && dropBetween(bench, reference, detections),
    };
  } finally {
    context.progress.end();
    await session.release();
  }
}
