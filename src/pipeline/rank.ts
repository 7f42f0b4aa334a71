import { truthDigest, type ImageGeometry, type ImageRecord } from '../dataset/index.js';
import { withMacs } from '../quantization/index.js';
import {
  canSweepStored,
  headTensors,
  sweep,
  sweepShare,
  sweepStored,
  type StoredSweepInput,
  type SweepInput,
  type SweepRow,
} from '../sensitivity/index.js';
import { NO_STORE, keyOf, type Shelf } from '../store/index.js';
import { digestOf, identityOf, imageDigest } from './keys.js';
import { subsetGeometries } from './detect.js';
import { modelOf, subsetScorer, tryDecode } from './measure.js';
import { feedOf, type Bench } from './prepare.js';
import type { Basis } from './run.js';

/** How layers are ranked. */
type Ranking = Partial<Pick<StoredSweepInput, 'questions' | 'keep' | 'explained'>> & {
  readonly plain?: boolean;
};

/** One group of layers in INT8 at a time, on the subset. */
export async function rankLayers(basis: Basis, how: Ranking = {}): Promise<readonly SweepRow[]> {
  const { bench } = basis;
  const geometries = await subsetGeometries(bench);
  const stored = await sweepInput(basis, geometries, how);
  const rows =
    how.plain !== true && canSweepStored(stored)
      ? await sweepStored(stored)
      : await sweep(await wholeInput(stored, bench, geometries));
  bench.context.progress.end();
  return rows;
}

/**
 * Measures a share of the ranking into the store of the bench: of the subset's images every so many; of a model that cannot
 * be cut, every so many layers, each on all images.
 * @param reference - runs FP32 for its head tensors, where they are needed
 * @returns images, or layers
 */
export async function rankShare(
  bench: Bench,
  calibrated: Pick<Basis, 'ranges' | 'statistics'>,
  isMine: (item: number) => boolean,
  reference: () => Promise<Basis['reference']['outputs']>,
): Promise<number> {
  const images = bench.subset.filter((_, i) => isMine(i)).length;
  const geometries = await subsetGeometries(bench);
  const heads = { heads: headTensors(bench.graph), images: [] };
  const of = (outputs: Basis['reference']['outputs']): Promise<StoredSweepInput> =>
    sweepInput({ ...calibrated, bench, reference: { outputs } }, geometries, {});
  const stored = await of(heads);
  if (canSweepStored(stored)) {
    if (images > 0) await sweepShare(stored, isMine);
    bench.context.progress.end();
    return images;
  }
  const layers = bench.layers.filter((_, i) => isMine(i));
  const input = await wholeInput(await of(await reference()), bench, geometries);
  await sweep({ ...input, layers });
  bench.context.progress.end();
  return layers.length;
}

async function sweepInput(
  {
    bench,
    ranges,
    reference,
    statistics,
  }: Pick<Basis, 'bench' | 'ranges' | 'statistics'> & {
    readonly reference: Pick<Basis['reference'], 'outputs'>;
  },
  geometries: readonly ImageGeometry[],
  how: Ranking,
): Promise<StoredSweepInput> {
  const { context, settings, subset, layers, graph } = bench;
  context.progress.phase(`Sensitivity of ${layers.length} layers on ${subset.length} images`);
  return {
    engine: bench.engine,
    model: bench.model,
    layers,
    scope: settings.quantization.operators,
    ranges,
    reference: reference.outputs,
    feed: feedOf(bench, bench.validation, subset),
    signal: context.signal,
    onProgress: (done: number, total: number) => context.progress.update(done, total),
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
        context.progress.phase(
          `Sensitivity: ${bench.store.shared === undefined ? 'resumed' : 'from shards'}, ${known} of at most ${most} measurements known`,
        );
    },
  };
}

/** The same for candidates that run whole. */
async function wholeInput(
  stored: StoredSweepInput,
  bench: Bench,
  geometries: readonly ImageGeometry[],
): Promise<SweepInput> {
  const shelf = await wholeShelf(stored, bench);
  return {
    ...stored,
    ...(shelf !== undefined && { shelf }),
    scorer: () => subsetScorer(bench, 'candidate', geometries),
    baseline: await baselineOf(bench, geometries),
  };
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
