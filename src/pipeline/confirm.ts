import {
  cacheVersionOf,
  calibratorFor,
  computeRanges,
  formatCalibrationCache,
} from '../calibration/index.js';
import type { DetectionTable } from '../dataset/index.js';
import type { EngineDetails, EngineModel, RealEngine } from '../engine/index.js';
import { evaluateCoco, outputDistances, type BootstrapResult } from '../evaluation/index.js';
import { InputFault } from '../faults/index.js';
import { buildGraph, encodeModel, parseModel } from '../onnx/index.js';
import { toStrong } from '../quantization/index.js';
import { flavoursOf, reachOf } from './flavours.js';
import type { Gpu } from './gpu.js';
import { detect, dropBetween, modelOf, type Measured } from './measure.js';
import { feedOf, type Bench } from './prepare.js';
import type { Basis, Variant } from './run.js';

/** The engines that are built: two of float to compare with, what ships, and TensorRT's own INT8 where it is wanted. */
export type EngineVariant = 'fp32' | 'fp16' | 'int8' | 'mixed' | 'implicit';

/** As people say it: "the mixed engine". */
export const ENGINE_NAMES: Readonly<Record<EngineVariant, string>> = {
  fp32: 'FP32 engine',
  fp16: 'FP16 engine',
  int8: 'INT8 engine',
  mixed: 'mixed engine',
  implicit: "engine of TensorRT's own INT8",
};

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
  readonly calibration?: string;
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
  const own = await implicitJob(basis, gpu.engine);
  for (const job of [...jobsOf(basis, gpu.engine, int8, mixed), ...own])
    engines.push(await measureEngine(basis, gpu, job, engines[0]?.measured.detections));
  await gpu.lookAgain();
  return { gpu, engines };
}

function jobsOf(
  { bench, fp32, statistics }: Basis,
  { typing }: RealEngine,
  int8: Variant,
  mixed: Variant | undefined,
): readonly Job[] {
  const reach = reachOf(statistics);
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

/** TensorRT's own INT8 of the float model: every tensor has a range, and the library chooses what runs in INT8. */
async function implicitJob({ bench }: Basis, { hello, because }: RealEngine): Promise<readonly Job[]> {
  const { implicit } = bench.settings.engine.tensorrt;
  if (implicit === 'off') return [];
  if (because !== undefined)
    throw new InputFault({
      where: bench.loaded.place('/engine/tensorrt/implicit'),
      what: `is not built with trtexec alone, which is used since ${because}`,
      fix: 'Leave the key out, or install TensorRT for a Python.',
    });
  if (!hello.capabilities.calibrators)
    throw new InputFault({
      where: bench.loaded.place('/engine/tensorrt/implicit'),
      what: `TensorRT ${hello.tensorrt} has no calibrators any more`,
      fix: 'Leave the key out: from TensorRT 11 on INT8 comes from Q/DQ alone.',
    });
  const { context, referenceBytes: bytes, settings } = bench;
  const model = modelOf(bench, 'FP32', bytes);
  const graph = buildGraph(parseModel(bytes, model.name));
  const computed = graph.nodes
    .flatMap(({ outputs }) => outputs)
    .filter((name) => graph.constant(name) === undefined);
  const tensors = [...graph.inputs, ...computed].filter((name) => name !== '' && graph.isFloat(name));
  context.progress.phase(`Ranges of ${tensors.length} tensors for implicit INT8`);
  const statistics = await bench.engine.collect(model, tensors, feedOf(bench, bench.calibration), {
    signal: context.signal,
  });
  const { percentile, batch } = settings.calibration;
  const ranges = computeRanges(statistics, calibratorFor(implicit, { percentile, batch }));
  const calibration = formatCalibrationCache(ranges, cacheVersionOf(hello.tensorrt));
  return [{ variant: 'implicit', bytes, precision: 'int8', simulation: undefined, asked: [], calibration }];
}

/** A size for inputs that leave theirs open. @throws InputFault where every image has its own. */
function shapesOf(bench: Bench, batch: number): Pick<EngineModel, 'shapes'> {
  const { graph, spec, loaded } = bench;
  const open = graph.inputs.filter((name) => {
    const dims = graph.shape(name);
    return dims?.length === 4 && dims.slice(1).some((dim) => dim < 0);
  });
  if (open.length === 0) return {};
  if (spec.resize === 'shortest-side')
    throw new InputFault({
      where: loaded.place('/preprocessing'),
      what: 'a real engine is built for one input size, and `shortest-side` gives every image its own',
      fix: 'Use `letterbox` or `stretch`, or judge in simulation with `engine.name: onnxruntime`.',
    });
  const { height, width, layout } = spec;
  const shape = layout === 'nchw' ? [batch, 3, height, width] : [batch, height, width, 3];
  return { shapes: Object.fromEntries(open.map((name) => [name, shape])) };
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
  gpu: Gpu,
  { variant, bytes, precision, simulation, asked, calibration }: Job,
  reference: DetectionTable | undefined,
): Promise<Confirmed> {
  const { context, truth } = bench;
  const { engine } = gpu;
  const name = ENGINE_NAMES[variant];
  context.progress.phase(`Building the ${name} with TensorRT ${engine.version}`);
  const session = await engine.load({
    ...modelOf(bench, name, bytes),
    ...shapesOf(bench, engine.batch),
    ...(calibration !== undefined && { calibration }),
    precision,
  });
  try {
    context.progress.phase(`Evaluating the ${name} on ${truth.images.length} images`);
    const detections = await detect(bench, session, name, feedOf(bench, bench.validation));
    const details = await gpu.timed(name, () => session.details(context.signal));
    const { medianMs, p99Ms } = details.graphTiming ?? details.timing;
    return {
      variant,
      details,
      asked,
      simulated: simulation?.evaluation.stats.AP,
      measured: {
        detections,
        remembered: false,
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
