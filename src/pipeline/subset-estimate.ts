import { DetectionBuilder, type ImageGeometry } from '../dataset/index.js';
import { evaluateCoco, pairedBootstrap, type CocoEvaluation } from '../evaluation/index.js';
import { judge, type Candidate } from '../gate/index.js';
import { encodeModel } from '../onnx/index.js';
import { planRanges, quantize, resolvePlan, type PrecisionPlan } from '../quantization/index.js';
import { SqnrMeter, layersBehind, steeringNoise, type PlanEstimate } from '../sensitivity/index.js';
import { NO_STORE, keyOf, packNumbers, unpackNumbers, type Shelf } from '../store/index.js';
import { digestOf, identityOf, imageDigest } from './keys.js';
import { modelOf, subsetGeometries, subsetOf, tryDecode } from './detect.js';
import { feedOf, type Bench } from './prepare.js';
import type { Basis } from './run.js';

/** Resamples on the subset: they only rule out. */
const RESAMPLES = 200;

type Thresholds = Bench['settings']['gate']['thresholds'];

/**
 * Measures plans on the subset: SQNR of the head, mAP, and whether its fall is beyond a limit without doubt. What a
 * former run measured of the same quantized model on the same images is taken from the store.
 */
export function subsetEstimator(
  basis: Basis,
  onEstimate: () => void,
): (plan: PrecisionPlan) => Promise<PlanEstimate> {
  const { bench, ranges, statistics } = basis;
  const { batch } = bench.settings.calibration;
  const behind = layersBehind(bench.graph, bench.layers, basis.reference.heads);
  let subset: Subset | undefined;
  return async (plan) => {
    onEstimate();
    subset ??= await Subset.open(basis);
    const own = planRanges(plan, bench.layers, ranges, statistics, batch);
    const precision = resolvePlan(plan, bench.layers);
    const blind = [...behind].some((name) => precision.get(name) === 'int8');
    return subset.estimate(encodeModel(quantize(bench.model, plan, own).proto), blind);
  };
}

/** dB of the head, mAP, and 1 where the fall is beyond a limit without doubt. */
type Measured = readonly [sqnr: number, score: number, hopeless: number];

class Subset {
  private constructor(
    private readonly basis: Basis,
    private readonly geometries: readonly ImageGeometry[],
    private readonly shelf: Pick<Shelf, 'get' | 'put'>,
    private readonly before = subsetOf(basis.fp32.detections, basis.bench.subset),
    private readonly expected = evaluateCoco(basis.bench.subsetTruth, before),
  ) {}

  static async open(basis: Basis): Promise<Subset> {
    const { bench } = basis;
    const geometries = await subsetGeometries(bench);
    return new Subset(basis, geometries, await shelfOf(bench));
  }

  /** `blind`: something is in INT8 that the SQNR of the head does not see. */
  async estimate(bytes: Uint8Array, blind: boolean): Promise<PlanEstimate> {
    const name = digestOf(bytes);
    const known = unpackNumbers(this.shelf.get(name));
    const cached = known?.length === 3;
    const [sqnr, score, hopeless] = cached ? (known as unknown as Measured) : await this.measure(bytes);
    if (!cached) this.shelf.put(name, packNumbers([sqnr, score, hopeless]));
    const noise = steeringNoise(sqnr, blind ? this.expected.stats.AP - score : 0);
    const images = this.basis.bench.subset.length;
    return { sqnr, score, noise, images, hopeless: hopeless === 1, cached };
  }

  private async measure(bytes: Uint8Array): Promise<Measured> {
    const { bench, reference } = this.basis;
    const session = await bench.engine.load(modelOf(bench, 'plan', bytes), { extraOutputs: reference.heads });
    try {
      const meter = new SqnrMeter(reference.outputs);
      const table = new DetectionBuilder();
      let broken = false;
      await session.run(
        feedOf(bench, bench.validation, bench.subset),
        (i, outputs) => {
          meter.add(i, outputs);
          broken ||= !tryDecode(bench, table, 'plan', i, outputs, this.geometries[i] as ImageGeometry);
        },
        { signal: bench.context.signal },
      );
      // Outputs that cannot be decoded, such as NaN: nothing is worse.
      if (broken) return [meter.sqnr(), 0, 1];
      const after = table.finish();
      const found = evaluateCoco(bench.subsetTruth, after);
      return [meter.sqnr(), found.stats.AP, this.hopeless(after, found) ? 1 : 0];
    } finally {
      await session.release();
    }
  }

  private hopeless(after: ReturnType<typeof subsetOf>, found: CocoEvaluation): boolean {
    const { subsetTruth, settings, against } = this.basis.bench;
    const { confidence, seed, thresholds } = settings.gate;
    const limits = fallLimits(thresholds);
    if (Object.keys(limits).length === 0) return false;
    const intervals = pairedBootstrap({
      truth: subsetTruth,
      reference: this.before,
      candidate: after,
      resamples: RESAMPLES,
      confidence,
      seed,
    });
    return judge({
      thresholds: limits,
      reference: numbers(this.expected),
      candidate: numbers(found),
      intervals,
      images: subsetTruth.images.length,
      inconclusive: 'fail',
      ...(against !== undefined && { waivers: against.waivers }),
    }).checks.some(({ kind }) => kind === 'fail');
  }
}

function numbers({ stats, perClass }: CocoEvaluation): Candidate {
  return {
    stats,
    perClass,
    distances: undefined,
    sqnr: undefined,
    modelSizeMiB: NaN,
    latencyMs: undefined,
  };
}

/** Where estimates are kept: everything that they depend on but the quantized model, whose digest is their name. */
async function shelfOf(bench: Bench): Promise<Pick<Shelf, 'get' | 'put'>> {
  const { store, subset, validation, digests, referenceBytes } = bench;
  const { thresholds, confidence, seed } = bench.settings.gate;
  const images = await Promise.all(
    subset.map((i) =>
      imageDigest(validation.records[i] as Parameters<typeof imageDigest>[0], validation.spec),
    ),
  );
  const whole = !images.includes(undefined);
  return (whole ? store : NO_STORE).shelf(
    'plans',
    keyOf({
      ...identityOf(bench),
      images,
      truth: digests.validation,
      reference: digestOf(referenceBytes),
      gate: [fallLimits(thresholds), confidence, seed, bench.against?.waivers ?? null],
    }),
  );
}

/** The limits on falls of whole metrics: what a subset can tell something of. */
function fallLimits(thresholds: Thresholds): Thresholds {
  return Object.fromEntries(
    (['mAP50-95', 'mAP50', 'AR100'] as const).flatMap((metric) => {
      const { maxDrop, maxDropRelative } = thresholds[metric] ?? {};
      const limits = {
        ...(maxDrop !== undefined && { maxDrop }),
        ...(maxDropRelative !== undefined && { maxDropRelative }),
      };
      return Object.keys(limits).length === 0 ? [] : [[metric, limits] as const];
    }),
  );
}
