import { readFile } from 'node:fs/promises';
import {
  calibratorFor,
  computeRanges,
  type ExtremesObserver,
  parseCalibrationCache,
  rangesFromCache,
  type Ranges,
  type TensorStatistics,
} from '../calibration/index.js';
import { InputFault, messageOf } from '../faults/index.js';
import { modelOf } from './measure.js';
import { feedOf, type Bench } from './prepare.js';

/** What calibration gives: statistics of every quantized tensor, and the range that each is quantized to. */
export interface Calibrated {
  readonly statistics: ReadonlyMap<string, TensorStatistics>;
  readonly ranges: Ranges;
}

/** One streaming pass over the calibration images, then ranges by the calibrator or from a cache of the settings; `extremes` is given who set them. */
export async function calibrate(bench: Bench, extremes?: ExtremesObserver): Promise<Calibrated> {
  const { context, settings } = bench;
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
  const { calibrator, percentile, batch, cache } = settings.calibration;
  const ranges = computeRanges(statistics, calibratorFor(calibrator, { percentile, batch }));
  return { statistics, ranges: cache === undefined ? ranges : await readRanges(cache, statistics) };
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
