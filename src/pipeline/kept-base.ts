/** Bases that were measured, kept on disk between runs under everything that they depend on. */
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { readDetections, writeDetections, type Kept } from '../baseline/index.js';
import { imageDigests, listImages, truthDigest } from '../dataset/index.js';
import { InputFault } from '../faults/index.js';
import { encodeModel, readModel } from '../onnx/index.js';
import { parseReport } from '../report/index.js';
import type { LoadedSettings, Settings } from '../settings/index.js';
import { codeDigest, keyOf, type Shelf } from '../store/index.js';
import type { Context } from './context.js';
import { groundTruthOf } from './ground-truth.js';
import { digestOf, storeOf } from './keys.js';

/** A place for the base of some settings. */
export interface BaseShelf {
  get(): Promise<Kept | undefined>;
  put(kept: Kept): Promise<void>;
}

/**
 * The shelf of a base: its key holds the digests of model, data, plan and settings, of the program and the machine, so
 * that what is found there is what would be measured. The model's digest is of all its weights, those in files beside it too.
 * @param loaded - the settings that the base is measured with
 */
export async function shelfOf(loaded: LoadedSettings, context: Context): Promise<BaseShelf> {
  const { settings } = loaded;
  const model = await readModel(settings.model);
  const digest = model.inlined ? digestOf(encodeModel(model.proto)) : model.digest;
  const store = await storeOf(loaded, context);
  const shelf = await store.shelf('base', keyOf(await dependencies(settings, digest)));
  return { get: () => kept(shelf, context), put: (one) => put(shelf, one) };
}

async function dependencies(settings: Settings, model: string): Promise<unknown> {
  const { calibration, quantization, sensitivity } = settings;
  const fileDigest = async (path: string | undefined): Promise<string | null> =>
    path === undefined ? null : digestOf(await readFile(path));
  return {
    program: codeDigest() ?? null,
    machine: [process.platform, process.arch, [...new Set(cpus().map((cpu) => cpu.model))].sort()],
    model,
    validation: await truthDigest(await groundTruthOf(settings)),
    calibration: await imageDigests(await listImages(calibration.images)),
    files: await Promise.all(
      [quantization.plan, quantization.reference, calibration.cache, sensitivity.profile].map(fileDigest),
    ),
    // Paths tell nothing: what they name is told above.
    settings: {
      ...settings,
      ...NO_PATHS,
      cache: null,
      report: null,
      validation: null,
      calibration: { ...calibration, images: '', cache: '' },
      quantization: { ...quantization, plan: '', reference: '' },
      sensitivity: { ...sensitivity, profile: '' },
    },
  };
}

const NO_PATHS = { model: null } as const;

/** What is damaged or of another shape is measured again. */
async function kept(shelf: Shelf, { progress }: Context): Promise<Kept | undefined> {
  const [report, detections] = [shelf.get('report'), shelf.get('detections')];
  if (typeof report !== 'string' || typeof detections !== 'string') return undefined;
  try {
    return {
      report: parseReport(report, 'kept base'),
      detections: await readDetections(Buffer.from(detections, 'base64'), 'kept base'),
    };
  } catch (error) {
    if (!(error instanceof InputFault)) throw error;
    progress.phase(`The kept base is left aside: ${error.message}`);
    return undefined;
  }
}

async function put(shelf: Shelf, { report, detections }: Kept): Promise<void> {
  if (detections === undefined) return;
  const packed = await writeDetections(detections);
  shelf.put('report', JSON.stringify(report));
  shelf.put('detections', packed.toString('base64'));
}
