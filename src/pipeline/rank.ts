import { truthDigest, type ImageGeometry, type ImageRecord } from '../dataset/index.js';
import { withMacs } from '../quantization/index.js';
import {
  canSweepStored,
  sweep,
  sweepStored,
  type StoredSweepInput,
  type SweepRow,
} from '../sensitivity/index.js';
import { NO_STORE, keyOf, type Shelf } from '../store/index.js';
import { digestOf, identityOf, imageDigest } from './keys.js';
import { modelOf, subsetScorer, tryDecode } from './measure.js';
import { feedOf, type Bench } from './prepare.js';
import type { Basis } from './run.js';

/** One group of layers in INT8 at a time, on the subset. */
export async function rankLayers(
  { bench, ranges, reference, statistics }: Basis,
  how: Partial<Pick<StoredSweepInput, 'questions' | 'keep' | 'explained'>> & {
    readonly plain?: boolean;
  } = {},
): Promise<readonly SweepRow[]> {
  const { context, settings, subset, layers, graph } = bench;
  context.progress.phase(`Sensitivity of ${layers.length} layers on ${subset.length} images`);
  const geometries = await Promise.all(subset.map(async (i) => (await bench.validation.get(i)).geometry));
  const common = {
    engine: bench.engine,
    model: bench.model,
    layers,
    scope: settings.quantization.operators,
    ranges,
    reference: reference.outputs,
    feed: feedOf(bench, bench.validation, subset),
    signal: context.signal,
    onProgress: (done: number, total: number) => context.progress.update(done, total),
  };
  const stored: StoredSweepInput = {
    ...common,
    graph,
    work: new Map(
      withMacs(layers, graph, statistics).flatMap(({ name, macs }) =>
        macs === undefined ? [] : [[name, macs]],
      ),
    ),
    truth: bench.subsetTruth,
    decode: (table, image, outputs) =>
      tryDecode(bench, table, 'candidate', image, outputs, geometries[image] as ImageGeometry),
    questions: how.questions ?? ['off', 'weights', 'activations'],
    explained: how.explained ?? 10,
    keep: how.keep ?? Math.max(12, Math.ceil(layers.length / 10)),
    seed: settings.gate.seed,
    intervals: 10,
    ...(await memoryOf(bench)),
    onKnown: (known, most) => {
      if (known > 0)
        context.progress.phase(`Sensitivity: resumed, ${known} of at most ${most} measurements known`);
    },
  };
  const shelf = await wholeShelf(stored, bench);
  const rows =
    how.plain !== true && canSweepStored(stored)
      ? await sweepStored(stored)
      : await sweep({
          ...common,
          ...(shelf !== undefined && { shelf }),
          scorer: () => subsetScorer(bench, 'candidate', geometries),
          baseline: await baselineOf(bench, geometries),
        });
  context.progress.end();
  return rows;
}

/** What former sweeps measured of the subset's images. */
async function memoryOf(bench: Bench): Promise<Pick<StoredSweepInput, 'memory'>> {
  const { store, validation, subset } = bench;
  if (store === NO_STORE) return {};
  const images = await Promise.all(
    subset.map((i) => imageDigest(validation.records[i] as ImageRecord, validation.spec)),
  );
  return { memory: { store, identity: identityOf(bench), images } };
}

/** Where candidates that run whole are kept: all images at once, so that one changed image makes all anew. */
async function wholeShelf(
  { memory, reference }: StoredSweepInput,
  { truth, subsetTruth, referenceBytes }: Bench,
): Promise<Shelf | undefined> {
  if (memory === undefined || memory.images.includes(undefined)) return undefined;
  const { store, identity, images } = memory;
  const rest = {
    categories: truth.categories,
    truth: await truthDigest(subsetTruth),
    heads: reference.heads,
  };
  return store.shelf(
    'sweep-whole',
    keyOf({ identity, images, ...rest, reference: digestOf(referenceBytes) }),
  );
}

async function baselineOf(bench: Bench, geometries: Parameters<typeof subsetScorer>[2]): Promise<number> {
  const session = await bench.engine.load(modelOf(bench, 'FP32', bench.referenceBytes));
  try {
    const scorer = subsetScorer(bench, 'FP32', geometries);
    await session.run(feedOf(bench, bench.validation, bench.subset), (i, outputs) => scorer.add(i, outputs), {
      signal: bench.context.signal,
    });
    return scorer.map() ?? NaN;
  } finally {
    await session.release();
  }
}
