import type { TensorStatistics } from '../../calibration/index.js';
import type { AuditSection } from '../../report/index.js';
import { detect, modelOf } from '../measure.js';
import { feedOf, type Bench } from '../prepare.js';
import type { Basis } from '../run.js';
import { lookAt, lookAtValidation } from './look.js';
import { auditSection } from './section.js';

/**
 * The audit from what a run has measured already, and one more pass of FP32 over the calibration images.
 * It changes no verdict.
 * @param validation - tensors on the images of the subset
 */
export async function auditOfRun(
  { bench, fp32, statistics, extremes, ranges }: Basis,
  validation: ReadonlyMap<string, TensorStatistics>,
): Promise<AuditSection> {
  const { loaded, context, truth, calibrationRecords, subset } = bench;
  const { features: images, broken } = await lookAt(calibrationRecords, loaded, context, 'calibration');
  const shown = await lookAtValidation(truth.images, loaded, context);
  return auditSection({
    bench,
    statistics,
    extremes,
    ranges,
    images,
    shown,
    broken,
    validation,
    observed: subset.length,
    seen: { calibration: await detectOnCalibration(bench), validation: fp32.detections },
  });
}

async function detectOnCalibration(bench: Bench): ReturnType<typeof detect> {
  const session = await bench.engine.load(modelOf(bench, 'FP32', bench.referenceBytes));
  try {
    bench.context.progress.phase(`FP32 on ${bench.calibration.count} calibration images`);
    return await detect(bench, session, 'FP32', feedOf(bench, bench.calibration));
  } finally {
    bench.context.progress.end();
    await session.release();
  }
}
