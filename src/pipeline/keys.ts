/** What measurements depend on, so that a former run's are used where nothing of it changed: image, preprocessing, model, decoder, engine, machine, program. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import type { ImageRecord, PreprocessingSpec } from '../dataset/index.js';
import { sharp } from '../native/index.js';
import type { LoadedSettings, Settings } from '../settings/index.js';
import {
  NO_STORE,
  codeDigest,
  keyOf,
  openStore,
  userCacheFolder,
  type Shelf,
  type Store,
} from '../store/index.js';
import type { Context } from './context.js';
import type { Bench } from './prepare.js';

/** The folder that measurements of these settings are kept in; undefined where none are. */
export function storeFolderOf({ cache: { enabled, folder } }: Settings): string | undefined {
  // Run from source there is none unless a folder is named: code that changes has no name.
  if (!enabled || (folder === undefined && codeDigest() === undefined)) return undefined;
  return folder ?? userCacheFolder();
}

/** The store of the settings. */
export function storeOf({ settings }: LoadedSettings, { progress, store }: Context): Promise<Store> {
  if (store !== undefined) return Promise.resolve(store);
  const folder = storeFolderOf(settings);
  if (folder === undefined) return Promise.resolve(NO_STORE);
  return openStore(folder, {
    maxBytes: settings.cache.maxMiB * 2 ** 20,
    onTrouble: (what) => progress.phase(what),
  });
}

/**
 * Everything but model and image that detections depend on: how outputs become boxes, the engine, the processor (kernels
 * differ in their last bits), and the program itself.
 */
export function identityOf(bench: Bench): Readonly<Record<string, unknown>> {
  const { decoder } = bench.choice;
  const { name, version } = bench.engine;
  return {
    program: codeDigest() ?? null,
    engine: [name, version, bench.settings.engine.batch],
    machine: bench.store.shared === undefined ? machineOf() : 'any',
    decoder: [decoder.format, { ...decoder.options }, decoder.labels ?? null, bench.settings.decoder],
    classes: [...bench.classes],
    categories: bench.truth.categories.map(({ id }) => id),
  };
}

/** Platform, architecture and processors: what the last bits of a kernel's results depend on. */
export function machineOf(): readonly string[] {
  return [process.platform, process.arch, ...[...new Set(cpus().map(({ model }) => model.trim()))].sort()];
}

/** Detections of a model, by digest of the image. */
export function detectionShelf(bench: Bench, bytes: Uint8Array): Promise<Shelf> {
  return bench.store.shelf('detections', keyOf({ ...identityOf(bench), model: digestOf(bytes) }));
}

/** SHA-256 of bytes, in hexadecimal. */
export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * What a prepared image depends on: the bytes of its file, the preprocessing, and the libraries that decode. The
 * annotated size belongs to it, since an image that contradicts it is refused when it is decoded.
 * Undefined when the file cannot be read: who decodes it tells why.
 */
export async function imageDigest(record: ImageRecord, spec: PreprocessingSpec): Promise<string | undefined> {
  const bytes = await readFile(record.file).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const { width, height } = record;
  const { versions } = sharp();
  return keyOf({ file: digestOf(bytes), width, height, spec, versions });
}
