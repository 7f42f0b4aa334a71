import type { DetectionTable, ImageGeometry } from '../dataset/index.js';
import { DetectionBuilder } from '../dataset/index.js';
import type { HostTensor, ImageFeed, LoadedModel } from '../engine/index.js';
import {
  evaluateCoco,
  outputDistances,
  pairedBootstrap,
  type BootstrapResult,
  type CocoEvaluation,
  type OutputDistances,
} from '../evaluation/index.js';
import { SqnrMeter, type ReferenceOutputs, type Scorer } from '../sensitivity/index.js';
import { InputFault } from '../faults/index.js';
import { feedOf, type Bench } from './prepare.js';

/** A model as measured on the validation set. */
export interface Measured {
  readonly detections: DetectionTable;
  readonly evaluation: CocoEvaluation;
  readonly latency: { readonly medianMs: number; readonly p99Ms: number } | undefined;
  /** Weights as deployed. */
  readonly weightBytes: number;
  /** Against FP32; absent for FP32 itself. */
  readonly distances: OutputDistances | undefined;
  /** dB over the raw head tensors of the subset; absent for FP32 itself. */
  readonly sqnr: number | undefined;
}

/** How far a candidate falls below a reference, resampled as the settings say. */
export function dropBetween(
  { truth, settings }: Bench,
  reference: DetectionTable,
  candidate: DetectionTable,
): BootstrapResult {
  const { resamples, confidence, seed, interval } = settings.gate;
  return pairedBootstrap({ truth, reference, candidate, resamples, confidence, seed, method: interval });
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
    const detections = await detect(bench, session, name, feedOf(bench, bench.validation));
    const evaluation = evaluateCoco(bench.truth, detections);
    return {
      detections,
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

/** Decoded detections of a feed; `indexes` are the images' places in the ground truth. */
export async function detect(
  bench: Bench,
  session: LoadedModel,
  name: string,
  feed: ImageFeed,
  indexes?: readonly number[],
): Promise<DetectionTable> {
  const table = new DetectionBuilder();
  const geometries = new Map<number, ImageGeometry>();
  const remembering: ImageFeed = {
    ...feed,
    image: async (i) => {
      const image = await feed.image(i);
      geometries.set(i, image.geometry);
      return image;
    },
  };
  await session.run(
    remembering,
    (i, outputs) => {
      decodeInto(bench, table, name, indexes?.[i] ?? i, outputs, geometries.get(i) as ImageGeometry);
      geometries.delete(i);
    },
    { signal: bench.context.signal, onProgress: (done, total) => bench.context.progress.update(done, total) },
  );
  return table.finish();
}

/** Decodes one image's outputs into a table of detections. */
export function decodeInto(
  bench: Bench,
  table: DetectionBuilder,
  name: string,
  image: number,
  outputs: ReadonlyMap<string, HostTensor>,
  geometry: ImageGeometry,
): void {
  try {
    bench.choice.decoder.decode(outputs, geometry, (classIndex, x, y, w, h, score) => {
      const category = bench.classes[classIndex];
      if (category !== undefined && category >= 0) table.push(image, category, x, y, w, h, score);
    });
  } catch (error) {
    if (!(error instanceof InputFault)) throw error;
    const file = bench.truth.images[image]?.name ?? `image ${image}`;
    throw new InputFault(
      error.problems.map((problem) => ({ ...problem, where: `${name}, ${file}, ${problem.where}` })),
      { cause: error },
    );
  }
}

/** A model for the engine; external data is looked for beside the original file. */
export function modelOf(
  bench: Bench,
  name: string,
  bytes: Uint8Array,
): { name: string; bytes: Uint8Array; path?: string } {
  return { name, bytes, ...(bench.model.path !== undefined && { path: bench.model.path }) };
}

/** As {@link decodeInto}; false when a candidate's outputs cannot be decoded, as those of a layer that makes NaN. */
export function tryDecode(...args: Parameters<typeof decodeInto>): boolean {
  try {
    decodeInto(...args);
    return true;
  } catch (error) {
    if (!(error instanceof InputFault)) throw error;
    return false;
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
