import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import {
  calibratorFor,
  computeRanges,
  type ExtremesObserver,
  parseCalibrationCache,
  rangeCandidates,
  rangesFromCache,
  type Ranges,
  type TensorStatistics,
} from '../calibration/index.js';
import { calibratorWords } from '../diagnosis/index.js';
import { InputFault, messageOf } from '../faults/index.js';
import { withMacs } from '../quantization/index.js';
import { chooseCalibrators, chosenRanges, type CalibratorChoice } from '../sensitivity/index.js';
import type { Settings } from '../settings/index.js';
import { modelOf } from './measure.js';
import { feedOf, type Bench } from './prepare.js';

/** What calibration gives: statistics of every quantized tensor, and the range that each is quantized to. */
export interface Calibrated {
  readonly statistics: ReadonlyMap<string, TensorStatistics>;
  readonly ranges: Ranges;
  /** With `calibrator: best`: what was chosen for each scale, and why. */
  readonly choices: readonly CalibratorChoice[];
}

/** One streaming pass over the calibration images, then ranges by the calibrator or from a cache of the settings; `extremes` is given who set them. */
export async function calibrate(bench: Bench, extremes?: ExtremesObserver): Promise<Calibrated> {
  const { context } = bench;
  context.progress.phase(`Calibrating on ${bench.calibration.count} images`);
  const statistics = await bench.engine.collect(
    modelOf(bench, 'FP32', bench.bytes),
    bench.tensors,
    feedOf(bench, bench.calibration),
    {
      signal: context.signal,
      onProgress: (done, total) => context.progress.update(done, total),
      ...(extremes !== undefined && { extremes }),
    },
  );
  context.progress.end();
  return { statistics, ...(await rangesOf(bench, statistics)) };
}

async function rangesOf(
  bench: Bench,
  statistics: Calibrated['statistics'],
): Promise<Pick<Calibrated, 'ranges' | 'choices'>> {
  const { calibrator, percentile, batch, cache } = bench.settings.calibration;
  if (calibrator === 'best' && bench.heldBack.count > 0) return chooseRanges(bench, statistics);
  // Ranges of a model with Q/DQ explain, and a cache's take their place: neither is chosen.
  const name = calibrator === 'best' ? 'percentile' : calibrator;
  const ranges = computeRanges(statistics, calibratorFor(name, { percentile, batch }));
  return { ranges: cache === undefined ? ranges : await readRanges(cache, statistics), choices: [] };
}

/** The calibrator of each scale by the error of the output on images held back. */
async function chooseRanges(
  bench: Bench,
  statistics: Calibrated['statistics'],
): Promise<Pick<Calibrated, 'ranges' | 'choices'>> {
  const { context, settings, layers, graph } = bench;
  context.progress.phase(`Choosing calibrators on ${bench.heldBack.count} calibration images held back`);
  const candidates = rangeCandidates(statistics, settings.calibration);
  const choices = await chooseCalibrators({
    engine: bench.engine,
    model: bench.model,
    graph,
    layers,
    scope: settings.quantization.operators,
    work: new Map(
      withMacs(layers, graph, statistics).flatMap(({ name, macs }) =>
        macs === undefined ? [] : [[name, macs]],
      ),
    ),
    statistics,
    candidates,
    feed: feedOf(bench, bench.heldBack),
    signal: context.signal,
    onProgress: (done, total) => context.progress.update(done, total),
  });
  context.progress.end();
  return { ranges: chosenRanges(candidates, choices), choices };
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
