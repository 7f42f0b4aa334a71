/** Variants and engines held against what the settings, the base and waivers say. */
import { judge, type Candidate, type Judgement, type Verdict } from '../gate/index.js';
import { atHand } from './against.js';
import { disturbances } from './engine-report.js';
import type { Confirmation, Confirmed, EngineVariant } from './confirm.js';
import type { Measured } from './measure.js';
import type { Bench } from './prepare.js';
import type { Variant } from './run.js';

/** Holds a real engine against the thresholds; FP32 is the engine of that precision on the same GPU. */
export function judgeEngine(
  bench: Bench,
  { engines, gpu }: Confirmation,
  { model }: Variant,
  variant: 'int8' | 'mixed',
): Verdict {
  const { gate } = bench.settings;
  const of = (name: EngineVariant): Confirmed => {
    const found = engines.find((one) => one.variant === name);
    if (found === undefined) throw new Error(`no ${name} engine was built`);
    return found;
  };
  const candidate = of(engines.some((one) => one.variant === variant) ? variant : 'int8');
  const speed = ({ measured }: Confirmed): number => 1 / (measured.latency?.medianMs ?? NaN);
  return judge({
    thresholds: gate.thresholds,
    reference: numbersOf(of('fp32').measured),
    candidate: {
      ...numbersOf(candidate.measured),
      floatLayers: model.floatLayers.length,
      speedup: speed(candidate) / speed(of('fp16')),
      noise: disturbances(gpu)[0],
    },
    intervals: candidate.drop,
    ...termsOf(bench, candidate.measured),
  });
}

/** Holds a variant against the thresholds of the settings. */
export function judgeVariant(bench: Bench, fp32: Measured, variant: Variant): Verdict {
  const { gate } = bench.settings;
  return judge({
    thresholds: gate.thresholds,
    reference: numbersOf(fp32),
    candidate: { ...numbersOf(variant.measured), floatLayers: variant.model.floatLayers.length },
    intervals: variant.drop,
    ...termsOf(bench, variant.measured),
  });
}

/** As {@link judgeVariant}, by the drops themselves without their intervals. */
export function judgePoint(bench: Bench, fp32: Measured, variant: Variant): Verdict {
  const terms = termsOf(bench, variant.measured);
  return judge({
    thresholds: bench.settings.gate.thresholds,
    reference: numbersOf(fp32),
    candidate: { ...numbersOf(variant.measured), floatLayers: variant.model.floatLayers.length },
    ...terms,
    intervals: undefined,
    inconclusive: 'fail',
    base: terms.base?.kind === 'measured' ? { ...terms.base, intervals: undefined } : terms.base,
  });
}

/** What every variant is judged by alike. */
function termsOf(
  bench: Bench,
  { detections }: Measured,
): Pick<Judgement, 'images' | 'inconclusive' | 'base' | 'baseMissing' | 'waivers'> {
  const { gate } = bench.settings;
  return {
    images: bench.truth.images.length,
    inconclusive: gate.inconclusive,
    base: atHand(bench, detections),
    baseMissing: gate.baseMissing,
    ...(bench.against !== undefined && { waivers: bench.against.waivers }),
  };
}

/** The numbers of a measurement that thresholds speak of. */
export function numbersOf({ evaluation, distances, sqnr, weightBytes: bytes, latency }: Measured): Candidate {
  return {
    stats: evaluation.stats,
    perClass: evaluation.perClass,
    distances,
    sqnr,
    modelSizeMiB: bytes / 2 ** 20,
    latencyMs: latency?.medianMs,
  };
}
