import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import {
  calibratorFor,
  computeRanges,
  extremesOf,
  parseCalibrationCache,
  rangesFromCache,
  type Ranges,
  type TensorExtremes,
  type TensorStatistics,
} from '../calibration/index.js';
import { calibratorWords } from '../diagnosis/index.js';
import { InputFault, messageOf } from '../faults/index.js';
import { buildGraph, encodeModel } from '../onnx/index.js';
import { planRanges, type PrecisionPlan } from '../quantization/index.js';
import type { CalibratorChoice } from '../sensitivity/index.js';
import type { Settings } from '../settings/index.js';
import { bestRanges } from './best-ranges.js';
import { startPlan } from './committed-plan.js';
import type { Contest } from './contest.js';
import {
  correctBiases,
  equalizeModel,
  heldBackMeter,
  judgeEqualization,
  type Corrected,
  type Correction,
} from './corrections.js';
import { modelOf } from './measure.js';
import { feedOf, type Bench } from './prepare.js';
import { counted } from '../words/index.js';

/** What calibration gives. */
export interface Calibrated {
  /** The bench with the model as it is quantized: equalized, with corrected biases, or as it was. */
  readonly bench: Bench;
  /** Of every quantized tensor. */
  readonly statistics: ReadonlyMap<string, TensorStatistics>;
  /** By image and channel; empty unless asked for. */
  readonly extremes: ReadonlyMap<string, TensorExtremes>;
  /** The range that each tensor is quantized to. */
  readonly ranges: Ranges;
  /** With `calibrator: best`: what was chosen for each scale, and why. */
  readonly choices: readonly CalibratorChoice[];
  /** With `calibrator: best`: whether these choices or one calibrator for all scales are in force. */
  readonly contest?: Contest;
  /** What was tried to correct the network. */
  readonly corrections: readonly Correction[];
}

/** What one pass over the calibration images gives. */
type Seen = Pick<Calibrated, 'bench' | 'statistics' | 'extremes'>;

/**
 * Statistics in one streaming pass over the calibration images, ranges by the calibrator or from a cache of the settings,
 * and corrections of the network where they help. `extremes`: also who set the ranges.
 */
export async function calibrate(
  bench: Bench,
  plan: PrecisionPlan,
  options: { readonly extremes?: boolean } = {},
): Promise<Calibrated> {
  const { biasCorrection, equalization } = bench.settings.quantization;
  // A model with Q/DQ is taken as it is, and one image cannot be held back from itself.
  const corrects = bench.model.quantized === undefined && bench.heldBack.count > 0;
  const phase = (what: string): void =>
    bench.context.progress.phase(
      `${what} on ${counted(bench.heldBack.count, 'calibration image')} held back`,
    );
  const corrections: Correction[] = [];
  let seen = await see(bench, options);
  if (corrects && equalization === 'auto') {
    const tried = await tryEqualization(seen, plan, options, () => phase('Trying equalization'));
    corrections.push(tried.correction);
    seen = tried.seen;
  }
  const { corrected, ...found } = await rangesOf(seen, () => Promise.resolve(plan));
  if (!corrects || biasCorrection === 'off') return { ...seen, ...found, corrections };
  phase('Trying bias correction');
  const { model, correction } =
    corrected ??
    (await correctBiases(seen.bench, planned(seen, plan, found.ranges), await heldBackMeter(bench, plan)));
  return { ...seen, ...found, bench: { ...seen.bench, model }, corrections: [...corrections, correction] };
}

/** Statistics and ranges of the model as it is, for who looks at the images rather than at the model. */
export async function calibrateAsIs(
  bench: Bench,
  options: { readonly extremes?: boolean } = {},
): Promise<Omit<Calibrated, 'corrections'>> {
  const seen = await see(bench, options);
  const { ranges, choices, contest } = await rangesOf(seen, async () => (await startPlan(bench)).plan);
  return { ...seen, ranges, choices, ...(contest !== undefined && { contest }) };
}

/** One pass over the calibration images. */
async function see(bench: Bench, options: { readonly extremes?: boolean }): Promise<Seen> {
  const { context } = bench;
  context.progress.phase(`Calibrating on ${bench.calibration.count} images`);
  const statistics = await bench.engine.collect(
    modelOf(bench, 'FP32', bench.bytes),
    bench.tensors,
    feedOf(bench, bench.calibration),
    {
      signal: context.signal,
      onProgress: (done, total) => context.progress.update(done, total),
      reach: options.extremes === true,
    },
  );
  context.progress.end();
  return { bench, statistics, extremes: extremesOf(statistics) };
}

/** Equalizes, where there are pairs, calibrates the tensors between them anew, and keeps the better one. */
async function tryEqualization(
  seen: Seen,
  plan: PrecisionPlan,
  options: { readonly extremes?: boolean },
  begin: () => void,
): Promise<{ readonly seen: Seen; readonly correction: Correction }> {
  const { bench } = seen;
  const changed = equalizeModel(bench);
  if ('kind' in changed) return { seen, correction: changed };
  begin();
  const { model, pairs, tensors } = changed;
  const equalized = { ...bench, model, graph: buildGraph(model), bytes: encodeModel(model.proto) };
  // What lies between no pair is what it was, but for rounding.
  const anew = await see(
    { ...equalized, tensors: bench.tensors.filter((name) => tensors.has(name)) },
    options,
  );
  const other: Seen = {
    bench: equalized,
    statistics: new Map([...seen.statistics].map(([name, one]) => [name, anew.statistics.get(name) ?? one])),
    extremes: new Map([...seen.extremes].map(([name, one]) => [name, anew.extremes.get(name) ?? one])),
  };
  const meter = await heldBackMeter(bench, plan);
  const rated = (one: Seen): Promise<number> =>
    meter.sqnr(one.bench.model, planned(one, plan, plainRanges(one)));
  const correction = judgeEqualization(pairs, await rated(seen), await rated(other));
  return { seen: correction.applied ? other : seen, correction };
}

/** Ranges with the calibrators that a plan asks for by name. */
function planned({ bench, statistics }: Seen, plan: PrecisionPlan, ranges: Ranges): Ranges {
  return planRanges(plan, bench.layers, ranges, statistics, bench.settings.calibration.batch);
}

/** Ranges by the calibrator of the settings; where that is chosen tensor by tensor, which takes long, by percentile. */
function plainRanges({ bench, statistics }: Seen): Ranges {
  const { calibrator, percentile, batch } = bench.settings.calibration;
  const name = calibrator === 'best' ? 'percentile' : calibrator;
  return computeRanges(statistics, calibratorFor(name, { percentile, batch }));
}

/** Ranges, how they were found, and bias correction where that was tried with them. */
type RangesFound = Pick<Calibrated, 'ranges' | 'choices' | 'contest'> & {
  readonly corrected?: Corrected | undefined;
};

async function rangesOf(seen: Seen, planOf: () => Promise<PrecisionPlan>): Promise<RangesFound> {
  const { bench, statistics } = seen;
  const { calibrator, cache } = bench.settings.calibration;
  // Also where they are not used: tensors that are not finite are found here.
  const plain = plainRanges(seen);
  if (cache !== undefined) return { ranges: await readRanges(cache, statistics), choices: [] };
  // Ranges of a model with Q/DQ only explain: they are not chosen.
  const chosen = calibrator === 'best' && bench.model.quantized === undefined && bench.heldBack.count > 0;
  return chosen ? bestRanges(seen, await planOf()) : { ranges: plain, choices: [] };
}

/** What sets the ranges, as reports name it. */
export function calibratorInWords({ calibrator, percentile, cache }: Settings['calibration']): string {
  if (cache !== undefined) return `cache ${basename(cache)}`;
  return calibratorWords(calibrator, percentile);
}

async function readRanges(file: string, statistics: Calibrated['statistics']): Promise<Ranges> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new InputFault(
      { where: file, what: `cannot be read: ${messageOf(cause)}`, fix: 'Check `calibration.cache`.' },
      { cause },
    );
  }
  return rangesFromCache(parseCalibrationCache(text, file), statistics, file);
}
