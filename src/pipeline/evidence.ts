import type { TensorStatistics } from '../calibration/index.js';
import {
  calibratorWords,
  diagnose,
  findOutliers,
  floatRemedies,
  weightEvidence,
  type Evidence,
  type Finding,
  type PeakImage,
  type QuantizedTensor,
} from '../diagnosis/index.js';
import { modelOf } from './measure.js';
import { pixelMeans } from './pixels.js';
import { tryPreprocessing } from './preprocessing-trials.js';
import { feedOf, type Bench } from './prepare.js';
import { tryCalibrators, tryFloat, tryOperators, trySilence, tryWithout } from './remedy-trials.js';
import type { Basis, Variant } from './run.js';

/**
 * Causes with evidence, most telling first.
 * @param validation - tensors on the images of the subset
 */
export async function collectFindings(
  basis: Basis,
  int8: Variant,
  validation: ReadonlyMap<string, TensorStatistics>,
): Promise<readonly Finding[]> {
  const { bench, fp32, statistics } = basis;
  const { context, graph, settings } = bench;
  context.progress.phase('Looking for causes');
  const tensors = quantizedTensors(basis, int8);
  const gathered: Evidence = {
    graph,
    scales: int8.model.scales,
    calibration: statistics,
    validation,
    tensors,
    weights: weightEvidence(graph, int8.model.int8Layers, basis.extremes),
    floatLayers: int8.model.floatLayers,
    calibrator: inForce(bench),
    ownScales: bench.model.quantized !== undefined,
    sqnr: int8.measured.sqnr,
    calibratorTrials: await tryCalibrators(basis, int8, tensors, inForce(bench)),
    floatTrials: [],
    preprocessingTrials: await tryPreprocessing(bench, fp32.detections),
    calibrationFolder: settings.calibration.images,
    calibrationImages: bench.calibration.count,
    calibrationNames: bench.calibrationRecords.map(({ name }) => name),
    pixels: {
      calibration: await pixelMeans(bench.calibration),
      validation: await pixelMeans(bench.validation),
    },
    input: bench.spec,
    peaks: await peakImages(bench, tensors),
    detections: {
      fp32: confident(fp32.detections.score),
      int8: confident(int8.measured.detections.score),
    },
  };
  const trials = {
    floatTrials: await tryFloat(basis, int8, floatRemedies(gathered)),
    imageTrial: await tryWithout(basis, int8, gathered),
    silenceTrial: await trySilence(basis, int8, gathered),
    operatorsTrial: await tryOperators(basis, int8, gathered),
  };
  context.progress.end();
  return diagnose({ ...gathered, ...trials });
}

/** What set the ranges. */
function inForce({ model, settings }: Bench): string {
  const { calibrator, percentile, cache } = settings.calibration;
  if (model.quantized !== undefined) return "the model's own scale";
  return cache === undefined ? calibratorWords(calibrator, percentile) : 'the calibration cache';
}

function confident(scores: Float64Array): number {
  return scores.reduce((sum, score) => sum + (score >= 0.25 ? 1 : 0), 0);
}

/** The tensors that calibration saw, on the validation subset. */
export function observeValidation(bench: Bench): Promise<ReadonlyMap<string, TensorStatistics>> {
  return bench.engine.collect(
    modelOf(bench, 'FP32', bench.bytes),
    bench.tensors,
    feedOf(bench, bench.validation, bench.subset),
    { signal: bench.context.signal },
  );
}

/** Quantized tensors with the range in force and the calibrator's own. */
export function quantizedTensors(
  { bench, statistics, ranges, extremes }: Pick<Basis, 'bench' | 'statistics' | 'ranges' | 'extremes'>,
  { model }: Pick<Variant, 'model'>,
): readonly QuantizedTensor[] {
  const ownScales = bench.model.quantized !== undefined;
  return model.scales.flatMap(({ tensor, kind, scale, layers, levels = 127 }): QuantizedTensor[] => {
    const calibration = statistics.get(tensor);
    const range = ranges.get(tensor);
    if (kind !== 'activation' || calibration === undefined || range === undefined) return [];
    // A tensor of zeros has scale 1, which says nothing of its range.
    const amax = range.amax === 0 ? 0 : (scale[0] as number) * levels;
    return [
      {
        name: tensor,
        layers,
        amax,
        ownAmax: ownScales ? amax : range.amax,
        calibration,
        extremes: extremes.get(tensor),
      },
    ];
  });
}

/** Names and geometry of the calibration images that hold the peaks of outliers. */
async function peakImages(
  bench: Bench,
  tensors: readonly QuantizedTensor[],
): Promise<ReadonlyMap<number, PeakImage>> {
  const worst = findOutliers({ tensors })[0]?.tensor.extremes;
  const image = worst?.peak?.image;
  if (image === undefined) return new Map();
  const record = bench.calibrationRecords[image];
  const { geometry } = await bench.calibration.get(image);
  return new Map(record === undefined ? [] : [[image, { name: record.name, geometry }]]);
}
