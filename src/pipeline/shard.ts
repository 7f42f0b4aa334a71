/** A run split over machines: each measures its share into a file, the last joins the files and judges. */
import { basename, isAbsolute } from 'node:path';
import { settleTerms } from '../baseline/index.js';
import { detectionNumbers, type DetectionTable } from '../dataset/index.js';
import { InputFault } from '../faults/index.js';
import {
  Recording,
  checkSame,
  checkWhole,
  findShards,
  joinRecords,
  mine,
  otherScales,
  readShard,
  writeShard,
  type Shard,
  type ShardHeader,
  type Share,
  type Terms,
} from '../shards/index.js';
import { codeDigest, keyOf, packNumbers } from '../store/index.js';
import type { LoadedSettings } from '../settings/index.js';
import { calibrate } from './calibrate.js';
import { startPlan } from './committed-plan.js';
import type { Context } from './context.js';
import { detect } from './detect.js';
import { detectionShelf, digestOf, imageDigest, machineOf } from './keys.js';
import { modelOf } from './measure.js';
import { feedOf, type Bench } from './prepare.js';
import { rankShare } from './rank.js';
import { headOutputs, quantizedBy, runGate, withBench, type Known, type RunResult } from './run.js';
import { VERSION } from './version.js';

/** What a shard leaves behind. */
export interface ShardResult {
  readonly file: string;
  readonly shard: Share;
  /** Validation images that it ran, FP32 and INT8 each. */
  readonly evaluated: number;
  /** Images of the subset that it ranked layers on, or layers where each runs whole; 0 where nothing is ranked before the verdict. */
  readonly ranked: number;
}

/**
 * Measures a share: FP32 and INT8 on every n-th validation image, and every n-th image of the ranking. It calibrates by
 * itself, which gives every shard the same scales.
 * @throws InputFault, SurroundingsFault as the main job
 */
export async function runShard(loaded: LoadedSettings, context: Context, share: Share): Promise<ShardResult> {
  const terms = await settleTerms(loaded, context.base, new Date().toISOString().slice(0, 10));
  refuseLatency(terms.loaded);
  const store = new Recording({ onDiffering: () => undefined });
  return withBench(terms.loaded, { ...context, store }, async (opened) => {
    const isMine = (item: number): boolean => mine(share, item);
    const evaluated = await evaluateShare(opened, 'FP32', opened.referenceBytes, isMine);
    const { plan } = await startPlan(opened);
    const calibrated = await calibrate(opened, plan);
    const { bench } = calibrated;
    const { bytes } = quantizedBy(calibrated, plan);
    await evaluateShare(bench, 'INT8', bytes, isMine);
    const ranked = ranksAnyway(bench)
      ? await rankShare(bench, calibrated, isMine, () => headOutputs(bench))
      : 0;
    context.progress.phase('Writing the shard');
    const header: ShardHeader = {
      schema: 'int8-gate/shard',
      version: 1,
      shard: { ...share },
      machine: [...machineOf()],
      ...termsOf(opened),
      digests: { ...termsOf(opened).digests, int8: digestOf(bytes) },
      evaluated,
      ranked,
    };
    const file = await writeShard(context.out, header, store.records);
    return { file, shard: share, evaluated, ranked };
  });
}

/**
 * The main job on what shards measured.
 * @param paths - files of shards, or folders that hold them
 * @throws InputFault when shards are missing, doubled, damaged, or of something else than these settings, model and data
 */
export async function runMerge(
  loaded: LoadedSettings,
  context: Context,
  paths: readonly string[],
): Promise<RunResult> {
  refuseLatency(loaded);
  const files = await findShards(paths);
  context.progress.phase(`Reading ${files.length} ${files.length === 1 ? 'shard' : 'shards'}`);
  const read: Shard[] = [];
  for (const file of files) read.push(await readShard(file));
  const shards = checkWhole(read);
  const here = machineOf();
  const others = shards.filter(({ header }) => header.machine.join() !== here.join());
  if (others.length > 0)
    context.progress.phase(
      `${others.length} of ${shards.length} shards ran on another processor than this one (${here.join(', ')}): the last bits of their numbers may be other than in one run`,
    );
  const store = new Recording(
    {
      onDiffering: (name, image) => {
        if (others.length === 0) throw unlike(name, image);
      },
    },
    joinRecords(shards.map(({ records }) => records)),
  );
  return runGate(loaded, { ...context, store }, { known: knownBy(shards) });
}

function unlike(name: string, image: string): InputFault {
  return new InputFault({
    where: 'merge',
    what: `${name} run again on ${image} detects other boxes than the shards hold, on the same kind of machine`,
    fix: 'Shards must come from the jobs of this run: run them again.',
  });
}

/** Checks shards against the bench, and their scales against those calibrated here. */
function knownBy(shards: readonly Shard[]): Known {
  return {
    async onBench(bench) {
      refuseLatency(bench.loaded);
      checkSame(shards, termsOf(bench));
      await checkComplete(bench, shards, 'FP32', bench.referenceBytes);
    },
    async onQuantized(bench, bytes) {
      const others = otherScales(shards, { int8: digestOf(bytes), machine: machineOf() });
      if (others.length > 0) tellOthers(bench.context, shards, others);
      const alike = shards.filter((one) => !others.includes(one));
      await checkComplete(bench, alike, 'INT8', bytes);
    },
  };
}

/** Their INT8 is of another model in its last bits: mixing both would be a number of neither. */
function tellOthers({ progress }: Context, shards: readonly Shard[], others: readonly Shard[]): void {
  const processors = [...new Set(others.map(({ header }) => header.machine.join(', ')))].join('; ');
  progress.phase(
    `${others.length} of ${shards.length} shards calibrated to other scales, on another processor (${processors}): their share of INT8 is measured again here`,
  );
}

/** @throws InputFault when an image of these shards has no detections of a model. */
async function checkComplete(
  bench: Bench,
  shards: readonly Shard[],
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  const shelf = await detectionShelf(bench, bytes);
  const { records, spec } = bench.validation;
  for (const [i, record] of records.entries()) {
    const of = shards.find(({ header }) => mine(header.shard, i));
    if (of === undefined) continue;
    const digest = await imageDigest(record, spec);
    if (digest !== undefined && shelf.get(digest) !== undefined) continue;
    throw new InputFault({
      where: of.file,
      what: `holds no detections of ${name} on ${record.name}`,
      fix: 'Run that shard again, with the same settings, images and decoder.',
    });
  }
}

/** A latency that is judged is one machine's, over all images. */
function refuseLatency({ settings, place }: LoadedSettings): void {
  if (settings.gate.thresholds.latencyMs === undefined || settings.engine.name === 'tensorrt') return;
  throw new InputFault({
    where: place('/gate/thresholds/latencyMs'),
    what: 'a latency cannot be judged from shards, which run on several machines',
    fix: 'Judge it in a run of its own, or with `engine.name: tensorrt`, where merge measures it on its GPU.',
  });
}

/** Ranks before any verdict is known; else only one that fails is explained by a ranking, which merge makes. */
function ranksAnyway({ settings }: Bench): boolean {
  const { sensitivity, quantization } = settings;
  return sensitivity.enabled && (quantization.plan === undefined || sensitivity.always);
}

async function evaluateShare(
  bench: Bench,
  name: string,
  bytes: Uint8Array,
  isMine: (image: number) => boolean,
): Promise<number> {
  const { validation, engine, context } = bench;
  const images = validation.records.flatMap((_, i) => (isMine(i) ? [i] : []));
  const shelf = await detectionShelf(bench, bytes);
  context.progress.phase(`Evaluating ${name} on ${images.length} of ${validation.count} images`);
  if (images.length === 0) return 0;
  const digests = new Map<number, string | undefined>();
  for (const i of images) {
    const record = validation.records[i];
    digests.set(i, record && (await imageDigest(record, validation.spec)));
  }
  const session = await engine.load(modelOf(bench, name, bytes));
  try {
    const at = (i: number): number => images[i] as number;
    const keep = (i: number, table: DetectionTable): void => {
      const digest = digests.get(at(i));
      if (digest !== undefined) shelf.put(digest, packNumbers(detectionNumbers(table)));
    };
    await detect(bench, session, name, feedOf(bench, validation, images), keep, at);
  } finally {
    context.progress.end();
    await session.release();
  }
  return images.length;
}

/** What must be alike in all shards and in who joins them. */
function termsOf({ loaded, engine, model, digests, referenceBytes }: Bench): Terms {
  return {
    tool: { version: VERSION, program: codeDigest() ?? null },
    engine: { name: engine.name, version: engine.version },
    digests: {
      settings: settingsDigest(loaded),
      model: keyOf([model.digest, digestOf(referenceBytes)]),
      validation: digests.validation,
      calibration: keyOf(digests.calibration),
    },
  };
}

/** Of settings that measurements and verdict depend on. Paths count by their last part: folders differ between runners, and data have digests of their own. */
function settingsDigest({ settings }: LoadedSettings): string {
  const { engine } = settings;
  const counted = {
    ...settings,
    engine: { batch: engine.batch, name: engine.name },
    cache: 0,
    report: 0,
  };
  return keyOf(
    JSON.parse(
      JSON.stringify(counted, (_key, value: unknown) =>
        typeof value === 'string' && isAbsolute(value) ? basename(value) : value,
      ),
    ),
  );
}
