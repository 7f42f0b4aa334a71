/** Engines and timing caches on the runner's own disk. Nothing here ever comes from a checkout. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { InputFault, SurroundingsFault, systemCode } from '../../faults/index.js';

/** What is known of a kept engine. */
export interface EngineRecord {
  /** SHA-256 of the engine's file: checked by the worker before it is loaded. */
  readonly digest: string;
  readonly engineBytes: number;
  readonly seconds: number;
}

/**
 * The folder of engines. An engine is code that the driver runs, so the folder must lie outside the workspace, where a
 * pull request can write, and belong to this user alone.
 * @throws InputFault for a folder inside the workspace, SurroundingsFault when it cannot be made or others may write to it.
 */
export async function openStore(folder: string, workspace: string | undefined): Promise<EngineStore> {
  if (workspace !== undefined) {
    const away = relative(resolve(workspace), resolve(folder));
    if (!away.startsWith('..') && !isAbsolute(away))
      throw new InputFault({
        where: 'engine.tensorrt.cache',
        what: `${folder} lies inside the workspace, where a pull request can put an engine of its own`,
        fix: 'Name a folder of the runner outside the checkout, or leave the key out.',
      });
  }
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = await stat(folder);
    if (process.getuid !== undefined && (uid !== process.getuid() || (mode & 0o022) !== 0))
      throw new SurroundingsFault({
        where: folder,
        what: 'other users may write to the folder of engines',
        fix: `Run \`chmod 700 ${folder}\` as its owner, or name another folder in engine.tensorrt.cache.`,
      });
  } catch (cause) {
    if (systemCode(cause) === undefined) throw cause;
    throw new SurroundingsFault(
      {
        where: folder,
        what: `the folder of engines cannot be used (${systemCode(cause)})`,
        fix: 'Name another in engine.tensorrt.cache.',
      },
      { cause },
    );
  }
  return new EngineStore(resolve(folder));
}

/** Engines by a key of everything that decides them. */
export class EngineStore {
  constructor(private readonly folder: string) {}

  /** Digest of model, options, library and GPU: engines of others are never mistaken for this one. */
  static key(model: Uint8Array, circumstances: object): string {
    return createHash('sha256')
      .update(model)
      .update(JSON.stringify(circumstances))
      .digest('hex')
      .slice(0, 32);
  }

  path(key: string, ending: 'engine' | 'onnx' | 'timing' | 'calibration'): string {
    return join(this.folder, `${key}.${ending}`);
  }

  /** The record of a kept engine; undefined when there is none or it is damaged. */
  async find(key: string): Promise<EngineRecord | undefined> {
    try {
      const value: unknown = JSON.parse(await readFile(join(this.folder, `${key}.json`), 'utf8'));
      const record = value as Partial<EngineRecord>;
      return typeof record.digest === 'string' &&
        typeof record.engineBytes === 'number' &&
        typeof record.seconds === 'number'
        ? { digest: record.digest, engineBytes: record.engineBytes, seconds: record.seconds }
        : undefined;
    } catch (error) {
      // Not there, or not whole: then it is built again, which only costs time.
      if (error instanceof SyntaxError || systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async keep(key: string, record: EngineRecord): Promise<void> {
    const path = join(this.folder, `${key}.json`);
    await writeFile(`${path}.tmp`, JSON.stringify(record));
    await rename(`${path}.tmp`, path);
  }
}
