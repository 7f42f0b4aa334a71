import type { DetectionTable, ImageGeometry } from '../dataset/index.js';
import { DetectionBuilder } from '../dataset/index.js';
import {
  evaluateCoco,
  outputDistances,
  pairedBootstrap,
  type BootstrapResult,
  type CocoEvaluation,
  type OutputDistances,
} from '../evaluation/index.js';
import { SqnrMeter, type ReferenceOutputs, type Scorer } from '../sensitivity/index.js';
import { feedOf, type Bench } from './prepare.js';
import { modelOf, tryDecode } from './detect.js';
import { detectKnown } from './remembered.js';

export { detect, decodeInto, modelOf, tryDecode } from './detect.js';

/** A model as measured on the validation set. */
export interface Measured {
  readonly detections: DetectionTable;
  /** Whether a former run had measured it on every image. */
  readonly remembered: boolean;
  readonly evaluation: CocoEvaluation;
  readonly latency: { readonly medianMs: number; readonly p99Ms: number } | undefined;
  /** Weights as deployed. */
  readonly weightBytes: number;
  /** Against FP32; absent for FP32 itself. */
  readonly distances: OutputDistances | undefined;
  /** dB over the raw head tensors of the subset; absent for FP32 itself. */
  readonly sqnr: number | undefined;
}

/**
 * How far a candidate falls below a reference, resampled as the settings say.
 * @param limits - of the classes, which are held together
 */
export function dropBetween(
  { truth, settings }: Bench,
  reference: DetectionTable,
  candidate: DetectionTable,
  limits: { readonly minBoxes: number } | undefined = settings.gate.thresholds.classAP,
): BootstrapResult {
  const { resamples, confidence, seed, interval } = settings.gate;
  return pairedBootstrap({
    truth,
    reference,
    candidate,
    resamples,
    confidence,
    seed,
    method: interval,
    minBoxes: limits?.minBoxes ?? 1,
  });
}

/** Runs a model over the whole validation set, decodes and evaluates. */
export async function measure(
  bench: Bench,
  name: string,
  bytes: Uint8Array,
  weightBytes: number,
  reference?: Reference,
): Promise<Measured> {
  const { context, engine } = bench;
  context.progress.phase(`Evaluating ${name} on ${bench.truth.images.length} images`);
  const session = await engine.load(modelOf(bench, name, bytes));
  try {
    const { detections, remembered } = await detectKnown(bench, session, name, bytes);
    const evaluation = evaluateCoco(bench.truth, detections);
    return {
      detections,
      remembered,
      evaluation,
      latency: session.latency(),
      weightBytes,
      distances: reference && outputDistances(reference.detections, detections),
      sqnr: reference && (await sqnrOf(bench, name, bytes, reference)),
    };
  } finally {
    context.progress.end();
    await session.release();
  }
}

/** What INT8 is compared with: FP32's detections, and its raw head tensors on the subset. */
export interface Reference {
  readonly detections: DetectionTable;
  readonly heads: readonly string[];
  readonly outputs: ReferenceOutputs;
}

/** dB of the raw head tensors of the subset against FP32. */
export async function sqnrOf(
  bench: Bench,
  name: string,
  bytes: Uint8Array,
  reference: Reference,
): Promise<number> {
  const session = await bench.engine.load(modelOf(bench, name, bytes), { extraOutputs: reference.heads });
  try {
    const meter = new SqnrMeter(reference.outputs);
    await session.run(feedOf(bench, bench.validation, bench.subset), (i, outputs) => meter.add(i, outputs), {
      signal: bench.context.signal,
    });
    return meter.sqnr();
  } finally {
    await session.release();
  }
}

/** Decodes and scores the subset for candidates of the sweep. */
export function subsetScorer(bench: Bench, name: string, geometries: readonly ImageGeometry[]): Scorer {
  const table = new DetectionBuilder();
  let broken = false;
  return {
    add(i, outputs) {
      // A layer that makes the output NaN is the worst of all: its SQNR says so, mAP cannot.
      broken ||= !tryDecode(bench, table, name, i, outputs, geometries[i] as ImageGeometry);
    },
    map: () => (broken ? undefined : evaluateCoco(bench.subsetTruth, table.finish()).stats.AP),
  };
}
