import { findSharedScales } from '../quantization/index.js';
import type { Finding } from '../report/index.js';
import { calibratorFor, type TensorStatistics } from '../calibration/index.js';
import { feedOf, type Bench } from './prepare.js';
import { modelOf } from './measure.js';
import type { Found } from './run.js';

/** What causes are looked for in. */
type Evidence = Pick<Found, 'bench' | 'fp32' | 'int8' | 'statistics'>;

/** A validation tensor that reaches this much further than in calibration has drifted. */
const BEYOND = 1.25;
/** How far a tensor reaches: this percentile of |x|. The largest value would be a matter of luck. */
const REACH = calibratorFor('percentile', { percentile: 99.9 });
/** Share of drifted tensors from which the calibration set as a whole is called one-sided. */
const ONE_SIDED = 0.1;
/** Fewer calibration images than this are called too few. */
const FEW_IMAGES = 32;

/** Causes with evidence, most telling first. */
export async function collectFindings(found: Evidence): Promise<readonly Finding[]> {
  return [
    ...sharedScales(found),
    ...nothingDetected(found),
    ...(await oneSidedCalibration(found)),
    ...fewImages(found.bench),
  ];
}

function sharedScales({ bench, int8, statistics }: Evidence): readonly Finding[] {
  return findSharedScales(bench.graph, int8.model.scales, statistics).map((shared) => ({
    kind: 'shared-scale',
    severity: 'error',
    subject: shared.tensor,
    sentence: shared.sentence,
    advice:
      'Keep everything behind the head in float (quantization.operators: tensorrt), or export the model with boxes and scores as separate outputs.',
  }));
}

function nothingDetected({ fp32, int8 }: Evidence): readonly Finding[] {
  const before = confident(fp32.detections.score);
  const after = confident(int8.measured.detections.score);
  if (before === 0 || after > before / 100) return [];
  return [
    {
      kind: 'nothing-detected',
      severity: 'error',
      subject: 'INT8',
      sentence: `The INT8 model finds ${after} objects with a score of 0.25 or more where FP32 finds ${before}: in production it detects nothing.`,
      advice: 'Do not ship this engine.',
    },
  ];
}

function confident(scores: Float64Array): number {
  return scores.reduce((sum, score) => sum + (score >= 0.25 ? 1 : 0), 0);
}

/** Compares the ranges that calibration saw with what the validation subset holds, and the brightness of both sets. */
async function oneSidedCalibration({ bench, statistics }: Evidence): Promise<readonly Finding[]> {
  bench.context.progress.phase('Comparing calibration with validation');
  const seen = await bench.engine.collect(
    modelOf(bench, 'FP32', bench.bytes),
    bench.tensors,
    feedOf(bench, bench.validation, bench.subset),
    { signal: bench.context.signal },
  );
  const beyond = [...seen.values()]
    .map((now) => ({ name: now.name, now: reach(now), calibrated: reach(statistics.get(now.name)) }))
    .filter(({ now, calibrated }) => calibrated > 0 && now > calibrated * BEYOND)
    .sort((a, b) => b.now / b.calibrated - a.now / a.calibrated);
  const worst = beyond[0];
  if (worst === undefined || beyond.length < seen.size * ONE_SIDED) return [];
  const [calibration, validation] = await Promise.all([
    brightness(bench, 'calibration'),
    brightness(bench, 'validation'),
  ]);
  const lighting =
    Math.abs(calibration - validation) > 25
      ? ` Calibration images have a mean brightness of ${calibration.toFixed(0)} (0…255), validation images of ${validation.toFixed(0)}: the lighting differs.`
      : '';
  return [
    {
      kind: 'one-sided-calibration',
      severity: 'error',
      subject: bench.settings.calibration.images,
      sentence:
        `The calibration images do not show what the validation images show: ${beyond.length} of ${seen.size} tensors reach more than a quarter further on validation (99.9th percentile of |x|), so that INT8 saturates; worst is ${worst.name}, ${worst.now.toPrecision(3)} against ${worst.calibrated.toPrecision(3)}.` +
        lighting,
      advice:
        lighting === ''
          ? 'Add calibration images of the kinds that the validation set has.'
          : `Add ${calibration < validation ? 'brighter' : 'darker'} scenes to the calibration images: they should show every lighting that production has.`,
    },
  ];
}

function reach(statistics: TensorStatistics | undefined): number {
  return statistics === undefined ? 0 : REACH.range(statistics).amax;
}

/** Mean pixel value, 0…255, over up to 32 images spread over the set. */
async function brightness(bench: Bench, set: 'calibration' | 'validation'): Promise<number> {
  const store = bench[set];
  const step = Math.max(1, Math.floor(store.count / 32));
  let sum = 0;
  let pixels = 0;
  for (let i = 0; i < store.count; i += step) {
    const { pixels: canvas } = await store.get(i);
    for (let j = 0; j < canvas.length; j += 7) sum += canvas[j] as number;
    pixels += Math.ceil(canvas.length / 7);
  }
  return sum / pixels;
}

function fewImages(bench: Bench): readonly Finding[] {
  const { count } = bench.calibration;
  if (count >= FEW_IMAGES) return [];
  return [
    {
      kind: 'few-calibration-images',
      severity: 'warning',
      subject: bench.settings.calibration.images,
      sentence: `Only ${count} calibration images: ranges of rare activations are left to chance.`,
      advice: 'Use 128 images or more that show what production shows; around 500 is the usual advice.',
    },
  ];
}
