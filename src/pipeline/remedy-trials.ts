import { calibratorFor, computeRanges, type Ranges, type TensorStatistics } from '../calibration/index.js';
import {
  ALTERNATIVES,
  findAlone,
  findClipped,
  findIdle,
  findOneSided,
  findOutliers,
  rangeBy,
  tensorSqnr,
  withoutIdle,
  type CalibratorTrial,
  type Evidence,
  type FloatTrial,
  type ImageTrial,
  type OperatorsTrial,
  type QuantizedTensor,
  type SilenceTrial,
} from '../diagnosis/index.js';
import { changed, encodeModel, type GraphProto } from '../onnx/index.js';
import {
  findSharedScales,
  keepFloat,
  listLayers,
  planMatches,
  quantize,
  type PrecisionPlan,
} from '../quantization/index.js';
import { listed } from '../words/index.js';
import { subsetGeometries } from './detect.js';
import { modelOf, sqnrOf, subsetScorer } from './measure.js';
import { feedOf, type Bench } from './prepare.js';
import { quantizedBy, type Basis, type Variant } from './run.js';

/** Calibrators tried on the whole model when ranges look wrong. */
const TRIALS = 2;

/** Runs the INT8 model with the ranges of other calibrators, where ranges look wrong; the most promising ones. */
export async function tryCalibrators(
  { bench, statistics, reference }: Basis,
  int8: Variant,
  tensors: readonly QuantizedTensor[],
  inForce: string,
): Promise<readonly CalibratorTrial[]> {
  // The scales of a model that came quantized are its own: no calibrator can be set.
  if (bench.model.quantized !== undefined) return [];
  const alone = findAlone({ tensors, calibrationImages: bench.calibration.count });
  const suspicious = [findOutliers({ tensors }), findClipped({ tensors }), findOneSided({ tensors }).lost];
  if (alone === undefined && suspicious.every(({ length }) => length === 0)) return [];
  const promise = (choice: (typeof ALTERNATIVES)[number]): number =>
    tensors.reduce((sum, { calibration }) => {
      const sqnr = tensorSqnr(calibration, rangeBy(choice, calibration));
      return sum + (Number.isFinite(sqnr) ? sqnr : 0);
    }, 0);
  const chosen = ALTERNATIVES.filter(({ words }) => words !== inForce)
    .map((choice) => ({ choice, promise: promise(choice) }))
    .sort((a, b) => b.promise - a.promise)
    .slice(0, TRIALS);
  const trials: CalibratorTrial[] = [];
  for (const { choice } of chosen) {
    const ranges = computeRanges(statistics, calibratorFor(choice.name, choice));
    const bytes = uncorrected(bench, int8.plan, ranges);
    trials.push({
      calibrator: choice.words,
      sqnr: await sqnrOf(bench, `INT8 with ${choice.words}`, bytes, reference),
    });
  }
  return trials;
}

/** Corrections were made for the ranges in force. */
function uncorrected({ model }: Bench, plan: PrecisionPlan, ranges: Ranges): Uint8Array {
  return encodeModel(quantize({ ...model, biasShifts: new Map() }, plan, ranges).proto);
}

/** Runs the INT8 model with sets of layers in float: what rules would advise. */
export async function tryFloat(
  basis: Basis,
  int8: Variant,
  sets: readonly (readonly string[])[],
): Promise<readonly FloatTrial[]> {
  const trials: FloatTrial[] = [];
  for (const layers of sets) {
    const { bytes } = quantizedBy(basis, keepFloat(int8.plan, layers));
    const name = `INT8 with ${listed(layers)} in float`;
    trials.push({ layers, sqnr: await sqnrOf(basis.bench, name, bytes, basis.reference) });
  }
  return trials;
}

/** Runs the INT8 model calibrated without the image that alone sets ranges. */
export async function tryWithout(
  { bench, reference }: Basis,
  int8: Variant,
  evidence: Evidence,
): Promise<ImageTrial | undefined> {
  const { calibrator, cache, percentile, batch } = bench.settings.calibration;
  const alone = findAlone(evidence);
  if (alone === undefined || calibrator === 'best' || cache !== undefined) return undefined;
  const others = bench.calibrationRecords.flatMap((_, i) => (i === alone.image ? [] : [i]));
  const seen: ReadonlyMap<string, TensorStatistics> = await bench.engine.collect(
    modelOf(bench, 'FP32', bench.bytes),
    bench.tensors,
    feedOf(bench, bench.calibration, others),
    { signal: bench.context.signal },
  );
  const ranges = computeRanges(seen, calibratorFor(calibrator, { percentile, batch }));
  const bytes = uncorrected(bench, int8.plan, ranges);
  return { image: alone.image, sqnr: await sqnrOf(bench, 'INT8 without one image', bytes, reference) };
}

/** Runs the INT8 model with those weights at 0 that multiply next to nothing and set the scale of others. */
export async function trySilence(
  basis: Basis,
  int8: Variant,
  evidence: Evidence,
): Promise<SilenceTrial | undefined> {
  const { bench, extremes, reference } = basis;
  const { model } = bench;
  const idle = findIdle(evidence);
  const layer = int8.model.int8Layers.find(({ name }) => name === idle?.layer);
  const zeroed = layer === undefined ? undefined : withoutIdle(bench.graph, layer, extremes);
  if (layer === undefined || zeroed === undefined || model.quantized !== undefined) return undefined;
  const graph = model.proto.graph as GraphProto;
  const initializer = graph.initializer.map((one) => (one.name === zeroed.name ? zeroed : one));
  const proto = changed(model.proto, { graph: changed(graph, { initializer }) });
  const { bytes } = quantizedBy({ ...basis, bench: { ...bench, model: { ...model, proto } } }, int8.plan);
  const sqnr = await sqnrOf(bench, `INT8 with idle weights of ${layer.name} at 0`, bytes, reference);
  return { layer: layer.name, sqnr };
}

/** Where one scale serves what it cannot, and more is quantized than TensorRT would fuse: mAP of the subset with less. */
export async function tryOperators(
  basis: Basis,
  int8: Variant,
  { graph, scales, calibration }: Evidence,
): Promise<OperatorsTrial | undefined> {
  const { bench } = basis;
  const { plan } = int8;
  if (plan.operators === 'tensorrt' || bench.model.quantized !== undefined) return undefined;
  if (findSharedScales(graph, scales, calibration).length === 0) return undefined;
  const names = listLayers(graph, 'tensorrt').map(({ name }) => name);
  const layers = Object.fromEntries(
    Object.entries(plan.layers).filter(([pattern]) => names.some((name) => planMatches(pattern, name))),
  );
  const less = quantizedBy(basis, { version: 1, operators: 'tensorrt', default: plan.default, layers });
  const before = await mapOf(bench, 'INT8', int8.bytes);
  const after = await mapOf(bench, 'INT8 as TensorRT fuses it', less.bytes);
  return before === undefined || after === undefined
    ? undefined
    : { images: bench.subset.length, before, after };
}

/** mAP50-95 of the subset; undefined where outputs could not be decoded. */
async function mapOf(bench: Bench, name: string, bytes: Uint8Array): Promise<number | undefined> {
  const { validation, subset } = bench;
  const geometries = await subsetGeometries(bench);
  const session = await bench.engine.load(modelOf(bench, name, bytes));
  try {
    const scorer = subsetScorer(bench, name, geometries);
    await session.run(feedOf(bench, validation, subset), (i, outputs) => scorer.add(i, outputs), {
      signal: bench.context.signal,
    });
    return scorer.map();
  } finally {
    await session.release();
  }
}
