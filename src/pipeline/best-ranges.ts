import {
  calibratorFor,
  rangeCandidates,
  type RangeCandidate,
  type Ranges,
  type TensorStatistics,
} from '../calibration/index.js';
import { DetectionBuilder, type DetectionTable, type ImageGeometry } from '../dataset/index.js';
import type { ImageFeed } from '../engine/index.js';
import { agreementByImage, type Agreement } from '../evaluation/index.js';
import { encodeModel, type Model } from '../onnx/index.js';
import { planRanges, quantize, withMacs, type PrecisionPlan } from '../quantization/index.js';
import { chooseCalibrators, chosenRanges, type CalibratorChoice } from '../sensitivity/index.js';
import { MIX, holdContest, type Contest } from './contest.js';
import {
  correctBiases,
  heldBackMeter,
  notHeldBack,
  type Corrected,
  type HeldBackMeter,
} from './corrections.js';
import { modelOf, subsetOf, tryDecode } from './detect.js';
import { feedOf, type Bench } from './prepare.js';
import { counted } from '../words/index.js';

/** A network with the statistics of its tensors. */
interface Quantizable {
  readonly bench: Bench;
  readonly statistics: ReadonlyMap<string, TensorStatistics>;
}

/** What `calibrator: best` found. */
export interface BestRanges {
  readonly ranges: Ranges;
  /** For each scale alone. */
  readonly choices: readonly CalibratorChoice[];
  /** For the network as a whole. */
  readonly contest: Contest;
  /** Bias correction with these ranges, where it was tried. */
  readonly corrected: Corrected | undefined;
}

/** Images that a heat is held on; the final takes all images held back and as many others as corrections are fitted to. */
const HEAT_IMAGES = 16;

/**
 * The best calibrator of each scale, unless one calibrator for all scales leaves detections that agree better with FP32's.
 */
export async function bestRanges(
  { bench, statistics }: Quantizable,
  plan: PrecisionPlan,
): Promise<BestRanges> {
  const { progress } = bench.context;
  const { calibration } = bench.settings;
  progress.phase(`Choosing calibrators on ${counted(bench.heldBack.count, 'calibration image')} held back`);
  const candidates = rangeCandidates(statistics, calibration);
  const choices = await choicesOf(bench, statistics, candidates);
  progress.end();
  progress.phase('Comparing the mix of calibrators with single ones');
  const rivals = new Map([
    ...candidates.map(({ name, ranges }) => [name, ranges] as const),
    [MIX, chosenRanges(candidates, choices)],
  ]);
  const rangesOf = (name: string): Ranges => rivals.get(name) as Ranges;
  const field = await Field.open(bench, plan, (name) =>
    planRanges(plan, bench.layers, rangesOf(name), statistics, calibration.batch),
  );
  const contest = field.isBlind
    ? untold(field.images)
    : await holdContest({
        // As `calibrator: percentile` has it.
        standard: calibratorFor('percentile', { percentile: calibration.percentile }).name,
        singles: candidates.map(({ name }) => name),
        images: field.images,
        heat: (name) => field.heat(name),
        final: (name) => field.final(name),
      });
  progress.end();
  return {
    ranges: rangesOf(contest.taken),
    choices,
    contest,
    corrected: field.corrected.get(contest.taken),
  };
}

/** Where FP32 detects nothing, agreement with it tells nothing. */
function untold(images: Contest['images']): Contest {
  const reason = `FP32 detects nothing on ${images.final} calibration images, so the error of the network's output decides`;
  return { taken: MIX, by: 'output', reason, images, rivals: [] };
}

/** Measures rivals on calibration images: those held back, and others that no choice was made on. */
class Field {
  /** Bias correction of those in the final. */
  readonly corrected = new Map<string, Corrected>();

  private constructor(
    private readonly bench: Bench,
    private readonly plan: PrecisionPlan,
    private readonly rangesOf: (name: string) => Ranges,
    private readonly feed: ImageFeed,
    private readonly reference: DetectionTable,
    private readonly meter: HeldBackMeter | undefined,
  ) {}

  static async open(bench: Bench, plan: PrecisionPlan, rangesOf: (name: string) => Ranges): Promise<Field> {
    const held = feedOf(bench, bench.heldBack);
    const others = feedOf(bench, bench.calibration, notHeldBack(bench));
    const feed: ImageFeed = {
      ...held,
      count: held.count + others.count,
      image: (i) => (i < held.count ? held.image(i) : others.image(i - held.count)),
    };
    const reference = await detections(bench, 'FP32', bench.bytes, feed);
    const corrects = bench.settings.quantization.biasCorrection === 'auto';
    const meter = corrects ? await heldBackMeter(bench, plan) : undefined;
    return new Field(bench, plan, rangesOf, feed, reference, meter);
  }

  get images(): Contest['images'] {
    const { count } = this.feed;
    return { heat: Math.min(HEAT_IMAGES, count), final: count };
  }

  /** True when FP32 detects nothing. */
  get isBlind(): boolean {
    return !this.reference.score.some((one) => one > 0);
  }

  heat(name: string): Promise<readonly Agreement[]> {
    return this.agreement(this.bench.model, name, this.images.heat);
  }

  async final(name: string): Promise<readonly Agreement[]> {
    const { bench, meter } = this;
    if (meter === undefined) return this.agreement(bench.model, name, this.images.final);
    const corrected = await correctBiases(bench, this.rangesOf(name), meter);
    this.corrected.set(name, corrected);
    return this.agreement(corrected.model, name, this.images.final);
  }

  private async agreement(model: Model, name: string, count: number): Promise<readonly Agreement[]> {
    const { bench, plan, feed, reference } = this;
    const bytes = encodeModel(quantize(model, plan, this.rangesOf(name)).proto);
    const found = await detections(bench, `INT8 with ${name}`, bytes, { ...feed, count });
    const first = Array.from({ length: count }, (_, image) => image);
    return agreementByImage(subsetOf(reference, first), found, count);
  }
}

/** Of a feed; a network whose outputs cannot be decoded, as where they are NaN, detects nothing. */
async function detections(
  bench: Bench,
  name: string,
  bytes: Uint8Array,
  feed: ImageFeed,
): Promise<DetectionTable> {
  const table = new DetectionBuilder();
  const geometries = new Map<number, ImageGeometry>();
  const session = await bench.engine.load(modelOf(bench, name, bytes), { lean: true });
  try {
    await session.run(
      {
        ...feed,
        image: async (i) => {
          const image = await feed.image(i);
          geometries.set(i, image.geometry);
          return image;
        },
      },
      (i, outputs) => {
        tryDecode(bench, table, name, i, outputs, geometries.get(i) as ImageGeometry);
        geometries.delete(i);
      },
      { signal: bench.context.signal },
    );
  } finally {
    await session.release();
  }
  return table.finish();
}

function choicesOf(
  bench: Bench,
  statistics: ReadonlyMap<string, TensorStatistics>,
  candidates: readonly RangeCandidate[],
): Promise<readonly CalibratorChoice[]> {
  const { context, settings, layers, graph } = bench;
  return chooseCalibrators({
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
}
