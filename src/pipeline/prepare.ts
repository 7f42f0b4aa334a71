import { readFile } from 'node:fs/promises';
import type { LoadedSettings, Settings } from '../settings/index.js';
import { buildGraph, encodeModel, readModel, type Graph, type Model } from '../onnx/index.js';
import {
  boxesByCategory,
  checkImages,
  imageDigests,
  listImages,
  openImages,
  pickImages,
  truthDigest,
  type GroundTruth,
  type ImageRecord,
  type ImageStore,
  type PreprocessingSpec,
} from '../dataset/index.js';
import { createOnnxRuntimeEngine, type Engine, type ImageFeed } from '../engine/index.js';
import { holdBack } from '../calibration/index.js';
import {
  chooseDecoder,
  inferPreprocessing,
  mapClasses,
  refusePlugins,
  type DecoderChoice,
  type ModelView,
} from '../detection/index.js';
import {
  checkWeights,
  floatModelOf,
  listLayers,
  tensorsOfFile,
  tensorsToCalibrate,
  type Layer,
  type OperatorScope,
} from '../quantization/index.js';
import { chooseSubset, headTensors } from '../sensitivity/index.js';
import { InputFault } from '../faults/index.js';
import { counted, listed } from '../words/index.js';
import type { Store } from '../store/index.js';
import type { Against } from './against.js';
import type { Context } from './context.js';
import { followsExif, groundTruthOf } from './ground-truth.js';
import { storeOf } from './keys.js';

/** Everything that the jobs need, read and checked before the first minute of work is spent. */
export interface Bench {
  readonly loaded: LoadedSettings;
  readonly settings: Settings;
  readonly context: Context;
  readonly engine: Engine;
  readonly model: Model;
  readonly graph: Graph;
  readonly bytes: Uint8Array;
  /** What FP32 is measured with: `bytes`, or the file that the settings name beside a model with Q/DQ. */
  readonly referenceBytes: Uint8Array;
  readonly layers: readonly Layer[];
  /** Tensors whose statistics calibration keeps. */
  readonly tensors: readonly string[];
  readonly choice: DecoderChoice;
  readonly spec: PreprocessingSpec;
  readonly preprocessingReasons: readonly string[];
  readonly truth: GroundTruth;
  /** Class index of the model → index of the category, -1 where the annotations lack the class. */
  readonly classes: Int32Array;
  /** How classes were matched, for the report. */
  readonly classesHow: string;
  readonly validation: ImageStore;
  readonly calibrationRecords: readonly ImageRecord[];
  readonly calibration: ImageStore;
  /** What former runs measured. */
  readonly store: Store;
  /** Calibration images that choices are made on: corrections are not fitted to them, and with `calibrator: best` neither are ranges. */
  readonly heldBack: ImageStore;
  /** Indexes of validation images that sensitivity and SQNR look at, ascending. */
  readonly subset: readonly number[];
  /** What tells the data from others: of each calibration image, sorted, and of the validation set as a whole. */
  readonly digests: { readonly calibration: readonly string[]; readonly validation: string };
  /** What the main job is judged by besides thresholds; other jobs judge nothing. */
  readonly against?: Against;
  /** The ground truth of the subset alone, images in the same order. */
  readonly subsetTruth: GroundTruth;
}

/**
 * Reads settings' inputs, cheapest checks first.
 * @param sound - calibration images to take in place of the whole folder, where broken ones were sorted out
 * @throws InputFault for anything that the user can mend.
 */
export async function prepare(
  loaded: LoadedSettings,
  context: Context,
  sound?: readonly ImageRecord[],
): Promise<Bench> {
  const { settings } = loaded;
  context.progress.phase('Reading the model and the data');
  const model = floatModelOf(await readModel(settings.model));
  checkWeights(model);
  const graph = buildGraph(model);
  const scope = settings.quantization.operators;
  const layers = layersOf(graph, scope, model.name);
  refusePlugins(
    model.name,
    graph.nodes.map(({ opType }) => opType),
  );
  const truth = await groundTruthOf(settings);
  if (truth.images.length === 0)
    throw new InputFault({
      where: loaded.place('/validation/annotations'),
      what: `${settings.validation.annotations} names no image, so there is nothing to evaluate on`,
      fix: 'Name an annotation file that lists the validation images.',
    });
  if (truth.annotations.count === 0)
    throw new InputFault({
      where: loaded.place('/validation/annotations'),
      what: `${settings.validation.annotations} lists ${counted(truth.images.length, 'image')} and no box, so there is no mAP`,
      fix: 'Name the annotations that have the boxes; those of a test set are often withheld.',
    });
  // Jobs that write no report say it too.
  if (truth.skipped.length > 0)
    context.progress.phase(
      `Validation data: ${truth.skipped.map(({ what, count }) => `${count} ${what}`).join('; ')}`,
    );
  const listed = await calibrationImages(settings, sound);
  const { fit, held } = holdBack(listed);
  const calibrationRecords = choosesRanges(settings, model) ? fit : listed;
  const engine = await createOnnxRuntimeEngine({
    threads: settings.engine.threads,
    batch: settings.engine.batch,
  });
  try {
    const bytes =
      model.inlined || model.quantized !== undefined
        ? encodeModel(model.proto)
        : new Uint8Array(await readFile(settings.model));
    const view = {
      ...(await viewOf(engine, model, bytes, graph)),
      ...sizeOf(settings),
      categories: truth.categories.length,
    };
    const choice = chooseDecoder(view, settings.decoder);
    const { spec, reasons } = inferPreprocessing(view, choice, settings.preprocessing);
    const classes = mapClasses(
      choice.decoder,
      view,
      truth.categories,
      settings.decoder,
      boxesByCategory(truth),
    );
    const memoryMiB = settings.engine.memoryMiB;
    const subset = chooseSubset(truth, settings.sensitivity.images, settings.gate.seed);
    return {
      loaded,
      settings,
      context,
      engine,
      model,
      graph,
      bytes,
      referenceBytes: await referenceOf(loaded, model, headTensors(graph), bytes),
      layers,
      tensors: calibratedTensors(model, graph, layers, settings),
      choice,
      spec,
      preprocessingReasons: reasons,
      truth,
      classes: classes.index,
      classesHow: classes.how,
      validation: openImages(truth.images, spec, { memoryMiB }),
      calibrationRecords,
      // Gone through in order: what is kept serves only a second pass over a small set.
      calibration: openImages(calibrationRecords, spec, { memoryMiB: Math.max(16, memoryMiB / 16) }),
      store: await storeOf(loaded, context),
      heldBack: openImages(held, spec, { memoryMiB: Math.max(16, memoryMiB / 8) }),
      subset,
      digests: {
        calibration: (await imageDigests(calibrationRecords)).sort(),
        validation: await truthDigest(truth),
      },
      subsetTruth: pickImages(truth, subset),
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** @throws InputFault when there is nothing to quantize. */
function layersOf(graph: Graph, scope: OperatorScope, name: string): readonly Layer[] {
  const layers = listLayers(graph, scope);
  if (layers.length > 0) return layers;
  const operators = [...new Set(graph.nodes.map(({ opType }) => opType))].sort();
  throw new InputFault({
    where: name,
    what: `has nothing to quantize: no ${Array.isArray(scope) ? listed(scope) : 'Conv, ConvTranspose, Gemm or MatMul'} among its operators (${listed(operators, 8)})`,
    fix: 'Name the detector itself as `model`, not its pre- or post-processing; or name its operators in `quantization.operators`.',
  });
}

/** @throws InputFault when there is nothing to compare, or the file is another network. */
async function referenceOf(
  { settings, place }: LoadedSettings,
  model: Model,
  heads: readonly string[],
  bytes: Uint8Array,
): Promise<Uint8Array> {
  const path = settings.quantization.reference;
  if (path === undefined) return bytes;
  const where = place('/quantization/reference');
  if (model.quantized === undefined)
    throw new InputFault({
      where,
      what: `${model.name} has no Q/DQ, so it is its own reference`,
      fix: 'Take the line out.',
    });
  const reference = await readModel(path);
  const graph = buildGraph(reference);
  const lacking = heads.find((name) => graph.producerOf(name) === undefined);
  if (lacking !== undefined)
    throw new InputFault({
      where,
      what: `${reference.name} has no tensor ${lacking}, which the head of ${model.name} gives: they are compared there`,
      fix: 'Export both alike, or take the line out: then the model without its Q/DQ is the reference.',
    });
  return encodeModel(reference.proto);
}

/** True when ranges are chosen by images. A file with Q/DQ brings its own scales, a cache those of another. */
function choosesRanges({ calibration }: Settings, model: Model): boolean {
  return (
    calibration.calibrator === 'best' && calibration.cache === undefined && model.quantized === undefined
  );
}

/** What scales need, those that came with a file too; for a strongly typed file also what layers give, so that what overflows FP16 is seen. */
function calibratedTensors(
  { quantized }: Model,
  graph: Graph,
  layers: readonly Layer[],
  { quantization }: Settings,
): readonly string[] {
  const placed = tensorsToCalibrate(graph, quantization.operators);
  const tensors =
    quantized === undefined ? placed : [...new Set([...placed, ...tensorsOfFile(quantized, graph)])];
  if (quantization.flavour === 'weak') return tensors;
  const given = layers.flatMap(({ nodes }) => nodes.flatMap((index) => graph.nodes[index]?.outputs ?? []));
  return [...new Set([...tensors, ...given.filter((name) => name !== '' && graph.isFloat(name))])];
}

async function calibrationImages(
  settings: Settings,
  sound: readonly ImageRecord[] | undefined,
): Promise<readonly ImageRecord[]> {
  const records = sound ?? (await listImages(settings.calibration.images));
  const { count, images } = settings.calibration;
  const used = count === undefined || count >= records.length ? records : spread(records, count);
  return checkImages(used, followsExif(settings), images);
}

/** `count` of the records, evenly spaced, so that a sorted folder is not cut to its beginning. */
function spread<T>(records: readonly T[], count: number): readonly T[] {
  return Array.from({ length: count }, (_, i) => records[Math.floor((i * records.length) / count)] as T);
}

/** The input size that the settings give, for models that leave it free. */
function sizeOf({ preprocessing }: Settings): Pick<ModelView, 'size'> {
  if (preprocessing === 'auto') return {};
  const { height, width } = preprocessing;
  return height === undefined || width === undefined ? {} : { size: { height, width } };
}

/** What decoders look at; inputs and outputs as the engine itself reports them. */
async function viewOf(engine: Engine, model: Model, bytes: Uint8Array, graph: Graph): Promise<ModelView> {
  const session = await engine.load({
    name: model.name,
    bytes,
    ...(model.path !== undefined && { path: model.path }),
  });
  try {
    return {
      inputs: session.inputs,
      outputs: session.outputs,
      metadata: graph.metadata,
      operators: new Set(graph.nodes.map(({ opType }) => opType)),
    };
  } finally {
    await session.release();
  }
}

/** The images of a store (or some of them, by index) as the engine wants them. */
export function feedOf(bench: Bench, store: ImageStore, indexes?: readonly number[]): ImageFeed {
  const at = (i: number): number => (indexes === undefined ? i : (indexes[i] as number));
  const { decoder } = bench.choice;
  return {
    count: indexes?.length ?? store.count,
    spec: store.spec,
    image: (i) => store.get(at(i)),
    ...(decoder.extras !== undefined && {
      extras: (_i, image) => decoder.extras?.(image.geometry) ?? {},
    }),
  };
}
