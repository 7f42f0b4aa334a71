import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import {
  featuresOf,
  findCopies,
  findDominating,
  findGaps,
  findOverlap,
  formatAuditMarkdown,
  judgeAudit,
  type Attribute,
  type Audit,
  type BrokenImage,
  type ImageFeatures,
} from '../audit/index.js';
import { decodeImage, listImages, type DetectionTable, type ImageRecord } from '../dataset/index.js';
import {
  amaxByImage,
  amaxOf,
  beyondCalibration,
  driftOf,
  expectedRange,
  growthCurve,
  shareBeyond,
} from '../diagnosis/index.js';
import { EXIT, InputFault, type ExitStatus } from '../faults/index.js';
import type { LoadedSettings } from '../settings/index.js';
import { calibrateAsIs, calibratorInWords } from './calibrate.js';
import type { Context } from './context.js';
import { detect, modelOf } from './measure.js';
import { feedOf, prepare, type Bench } from './prepare.js';
import { VERSION } from './version.js';
import { writeTogether } from './write-together.js';

/** Detections with at least this score count as seen. */
const SEEN = 0.25;

/** What an audit leaves behind. */
export interface AuditResult {
  readonly audit: Audit;
  readonly exitStatus: ExitStatus;
}

/** Looks at every calibration image and at what the model makes of it, beside the validation set. Writes audit.json and audit.md. */
export async function runAudit(loaded: LoadedSettings, context: Context): Promise<AuditResult> {
  const { settings } = loaded;
  const listed = await listImages(settings.calibration.images);
  const { features, broken } = await lookAt(listed, loaded, context, 'calibration');
  const sound = new Set(features.map(({ name }) => name));
  if (sound.size === 0)
    throw new InputFault({
      where: loaded.place('/calibration/images'),
      what: `none of the ${listed.length} images in ${settings.calibration.images} can be read; the first: ${broken[0]?.reason ?? ''}`,
      fix: 'Name a folder of photographs.',
    });
  const bench = await prepare(
    loaded,
    context,
    listed.filter(({ name }) => sound.has(name)),
  );
  try {
    const audit = await auditBench(bench, features, broken);
    const text = `${JSON.stringify(audit, null, 1)}\n`;
    await writeTogether(context.out, { 'audit.json': text, 'audit.md': formatAuditMarkdown(audit) });
    return { audit, exitStatus: audit.verdict.kind === 'pass' ? EXIT.pass : EXIT.fail };
  } finally {
    context.progress.end();
    await bench.engine.close();
  }
}

/** Features of the images that can be read, and why the others cannot. */
async function lookAt(
  records: readonly ImageRecord[],
  { settings: { preprocessing } }: LoadedSettings,
  { progress, signal }: Context,
  set: string,
): Promise<{ readonly features: readonly ImageFeatures[]; readonly broken: readonly BrokenImage[] }> {
  progress.phase(`Looking at ${records.length} ${set} images`);
  const exif = preprocessing === 'auto' || (preprocessing.exif ?? true);
  const features: ImageFeatures[] = [];
  const broken: BrokenImage[] = [];
  for (const [i, { file, name }] of records.entries()) {
    signal.throwIfAborted();
    try {
      const image = await decodeImage(file, exif);
      const digest = createHash('sha256')
        .update(await readFile(file))
        .digest('hex');
      features.push(featuresOf(image, name, digest));
    } catch (error) {
      if (!(error instanceof InputFault)) throw error;
      broken.push({ name, reason: error.problems[0]?.what ?? 'cannot be read' });
    }
    progress.update(i + 1, records.length);
  }
  progress.end();
  return { features, broken };
}

async function auditBench(
  bench: Bench,
  features: readonly ImageFeatures[],
  broken: readonly BrokenImage[],
): Promise<Audit> {
  const { settings, context, truth, loaded, model } = bench;
  const { features: shown, broken: unread } = await lookAt(truth.images, loaded, context, 'validation');
  if (unread.length > 0)
    throw new InputFault(
      unread.map(({ name, reason }) => ({ where: name, what: reason, fix: 'Replace the validation image.' })),
    );
  // Calibration may use fewer images than the folder holds (`calibration.count`): what it uses is what is judged.
  const used = new Set(bench.calibrationRecords.map(({ name }) => name));
  const images = features.filter(({ name }) => used.has(name));
  const { statistics, ranges, extremes: byName } = await calibrateAsIs(bench, { extremes: true });
  const extremes = [...byName.values()];
  context.progress.phase(`Observing ${truth.images.length} validation images`);
  const validation = await bench.engine.collect(
    modelOf(bench, 'FP32', bench.bytes),
    bench.tensors,
    feedOf(bench, bench.validation),
    {
      signal: context.signal,
      onProgress: (done, total) => context.progress.update(done, total),
    },
  );
  const seen = await detectBoth(bench);
  const reaches = driftOf(statistics, validation);
  const drift = reaches.map(({ name, ...reach }) => {
    const amax = ranges.get(name)?.amax;
    const beyond = (set: typeof statistics): number => {
      const one = set.get(name);
      return amax === undefined || one === undefined || amaxOf(one) === 0 ? 0 : shareBeyond(one, amax);
    };
    // A calibrator that clips does so on its own images too: only what lies further out is the images' fault.
    return { tensor: name, ...reach, saturated: Math.max(0, beyond(validation) - beyond(statistics)) };
  });
  const beyond = beyondCalibration(reaches);
  const [worst] = beyond;
  const [most] = [...drift].sort((a, b) => b.saturated - a.saturated);
  const amaxes = extremes.map(amaxByImage);
  const copies = findCopies(images);
  const overlap = findOverlap(images, shown);
  const gaps = findGaps(attributesOf(images, shown, seen, bench), classesOf(seen, bench));
  const dominating = findDominating(
    bench.calibrationRecords.map(({ name }) => name),
    amaxes,
  );
  const growth = growthCurve(extremes);
  const checks = judgeAudit(
    {
      images,
      broken,
      copies,
      overlap,
      gaps,
      dominating,
      growth: {
        atHalf: expectedRange(amaxes, Math.max(1, Math.floor(images.length / 2))),
        settledAt: growth.settledAt,
      },
      drift: {
        tensors: drift.length,
        beyond: beyond.length,
        worst:
          worst &&
          `${worst.name}, ${worst.validation.toPrecision(3)} against ${worst.calibration.toPrecision(3)}`,
        saturation: most?.saturated ?? 0,
        saturated: most === undefined || most.saturated === 0 ? undefined : most.tensor,
      },
      brightness: { calibration: meanOf(images), validation: meanOf(shown) },
    },
    settings.audit,
  );
  const failed = checks.filter(({ kind }) => kind === 'fail');
  return {
    schema: 'int8-gate/audit',
    version: 1,
    tool: { name: 'int8-gate', version: VERSION },
    createdAt: new Date().toISOString(),
    model: model.name,
    calibration: {
      source: basename(settings.calibration.images),
      images: images.length,
      calibrator: calibratorInWords(settings.calibration),
    },
    validation: { source: basename(truth.source), images: truth.images.length },
    verdict: {
      kind: failed.length > 0 ? 'fail' : 'pass',
      why:
        failed[0]?.sentence ??
        `The ${images.length} calibration images show what the validation images show.`,
    },
    checks,
    broken,
    duplicates: copies.pairs,
    overlap,
    gaps,
    dominating: dominating.slice(0, 50),
    growth: growth.points,
    settledAt: growth.settledAt ?? null,
    drift,
  };
}

function meanOf(images: readonly ImageFeatures[]): number {
  return images.reduce((sum, { brightness }) => sum + brightness, 0) / Math.max(1, images.length);
}

interface Seen {
  readonly calibration: DetectionTable;
  readonly validation: DetectionTable;
}

/** What FP32 sees in both sets: the same eye for both, since calibration images have no labels. */
async function detectBoth(bench: Bench): Promise<Seen> {
  const session = await bench.engine.load(modelOf(bench, 'FP32', bench.referenceBytes));
  try {
    bench.context.progress.phase('Detecting on both sets');
    return {
      calibration: await detect(bench, session, 'FP32', feedOf(bench, bench.calibration)),
      validation: await detect(bench, session, 'FP32', feedOf(bench, bench.validation)),
    };
  } finally {
    await session.release();
  }
}

function attributesOf(
  calibration: readonly ImageFeatures[],
  validation: readonly ImageFeatures[],
  seen: Seen,
  { calibrationRecords }: Bench,
): readonly Attribute[] {
  const of = (name: string, unit: string, pick: (image: ImageFeatures) => number): Attribute => ({
    name,
    unit,
    validation: validation.map(pick),
    calibration: calibration.map(pick),
  });
  const byName = new Map(calibration.map((image) => [image.name, image]));
  const ordered = calibrationRecords.map(({ name }) => byName.get(name) as ImageFeatures);
  const pixels = ({ width, height }: ImageFeatures): number => width * height;
  return [
    of('brightness', '', ({ brightness }) => brightness),
    of('contrast', '', ({ contrast }) => contrast),
    of('colour', '', ({ colour }) => colour),
    of('aspect ratio', '', ({ width, height }) => width / height),
    {
      name: 'object size',
      unit: ' of the image',
      validation: objectSizes(seen.validation, validation.map(pixels)),
      calibration: objectSizes(seen.calibration, ordered.map(pixels)),
    },
  ];
}

/** Side of the median object, as a share of the image's, by image; NaN where nothing is seen. */
function objectSizes(
  { count, image, score, bbox }: DetectionTable,
  pixels: readonly number[],
): readonly number[] {
  const sides: number[][] = pixels.map(() => []);
  for (let k = 0; k < count; k++)
    if ((score[k] as number) >= SEEN) {
      const at = image[k] as number;
      sides[at]?.push(
        Math.sqrt(((bbox[4 * k + 2] as number) * (bbox[4 * k + 3] as number)) / (pixels[at] as number)),
      );
    }
  return sides.map((all) => all.sort((a, b) => a - b)[all.length >> 1] ?? NaN);
}

function classesOf(
  { calibration, validation }: Seen,
  { truth, calibrationRecords }: Bench,
): Parameters<typeof findGaps>[1] {
  const shownIn = ({ count, image, score, category }: DetectionTable): readonly Set<number>[] => {
    const images = truth.categories.map(() => new Set<number>());
    for (let k = 0; k < count; k++)
      if ((score[k] as number) >= SEEN) images[category[k] as number]?.add(image[k] as number);
    return images;
  };
  const [before, now] = [shownIn(calibration), shownIn(validation)];
  return truth.categories.map(({ name }, i) => ({
    name,
    validation: { shown: (now[i] as Set<number>).size, of: truth.images.length },
    calibration: { shown: (before[i] as Set<number>).size, of: calibrationRecords.length },
  }));
}
