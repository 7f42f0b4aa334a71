/**
 * One run on a GPU at a time: builders time tactics, and two of them spoil each other's choice.
 *
 * A lock is a file that names its holder, made whole by one hard link. That of a dead holder is replaced, never removed:
 * between finding it dead and removing it another may have taken the lock. Only who holds the claim on this one holder, a
 * lock like any other, may replace it, and looks once more whether the file still names it.
 */
import { randomUUID } from 'node:crypto';
import { link, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, SurroundingsFault, systemCode } from '../../faults/index.js';
import { BEAT_MS, holderOf, idOf, ownLine, type Holder } from './lock-holder.js';

/** How a lock is waited for. */
export interface LockOptions {
  /** Milliseconds until waiting is given up. */
  readonly patienceMs: number;
  readonly pollMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Told once, when the queue is joined. */
  readonly onWait: (holder: string) => void;
}

/** A lock that is held. */
export interface GpuLock {
  release(): Promise<void>;
}

/**
 * Takes the lock file, waiting for its holder. The file of a process that is gone is taken over.
 * @throws SurroundingsFault when the holder does not finish in time or the folder knows no hard links, Interrupted when
 * asked to stop.
 */
export async function lockGpu(path: string, options: LockOptions): Promise<GpuLock> {
  const until = Date.now() + options.patienceMs;
  for (let waited = false; ; waited = true) {
    if (options.signal?.aborted === true) throw new Interrupted();
    const taken = await take(path);
    if ('release' in taken) {
      await sweep(path);
      return taken;
    }
    if (!waited) options.onWait(taken.words);
    if (Date.now() >= until)
      throw new SurroundingsFault({
        where: path,
        what: `the GPU is still in use by ${taken.words}`,
        fix: 'One run at a time is allowed on a GPU. Wait for it, or give each runner a GPU of its own.',
      });
    await sleep(options.pollMs);
  }
}

/** @returns the lock, or who holds it */
async function take(path: string): Promise<GpuLock | Pick<Holder, 'words'>> {
  const found = await holderOf(path);
  if (found?.alive === true) return found;
  const own = await OwnFile.write(path);
  try {
    for (;;) {
      if (await own.linkTo(path)) return own.held(path);
      const holder = await holderOf(path);
      if (holder === undefined) continue; // released meanwhile
      if (holder.alive) return holder;
      const claim = await take(`${path}.${holder.id}`);
      if (!('release' in claim)) return { words: `a run that takes over from ${holder.words}` };
      try {
        if ((await holderOf(path))?.id === holder.id) return await own.replace(path);
      } finally {
        await claim.release();
      }
    }
  } finally {
    await own.discard();
  }
}

/** A file that names this process, beside the lock until it is the lock. */
class OwnFile {
  private kept = false;

  private constructor(
    private readonly file: string,
    private readonly handle: FileHandle,
    private readonly id: string,
  ) {}

  static async write(path: string): Promise<OwnFile> {
    const line = await ownLine();
    const file = `${path}.${randomUUID()}`;
    const handle = await open(file, 'wx');
    await handle.writeFile(line);
    return new OwnFile(file, handle, idOf(line));
  }

  async linkTo(path: string): Promise<boolean> {
    try {
      await link(this.file, path);
      return true;
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return false;
      if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(systemCode(error) ?? '')) throw error;
      throw new SurroundingsFault({
        where: dirname(path),
        what: `a lock cannot be taken there: its file system knows no hard links (${systemCode(error)})`,
        fix: 'Name a folder on a local disk in `engine.tensorrt.cache`.',
      });
    }
  }

  async replace(path: string): Promise<GpuLock> {
    await rename(this.file, path);
    return this.held(path);
  }

  /** Held from here on, and touched, so that other containers see that its holder lives. */
  held(path: string): GpuLock {
    this.kept = true;
    const beat = setInterval(() => {
      const now = new Date();
      // A folder that is gone takes the lock with it.
      this.handle.utimes(now, now).catch(() => clearInterval(beat));
    }, BEAT_MS).unref();
    return {
      release: async () => {
        clearInterval(beat);
        await this.handle.close();
        if ((await holderOf(path))?.id === this.id) await rm(path, { force: true });
      },
    };
  }

  async discard(): Promise<void> {
    await rm(this.file, { force: true });
    if (!this.kept) await this.handle.close();
  }
}

/** Claims and own files of runs that died at it; what is older than this is nobody's any more. */
const LEFT_MS = 3_600_000;

async function sweep(path: string): Promise<void> {
  const held = (await holderOf(path))?.id ?? '';
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(`${basename(path)}.`) || name.startsWith(`${basename(path)}.${held}`)) continue;
    const file = join(dirname(path), name);
    const found = await stat(file).catch(() => undefined); // another's, gone meanwhile
    if (found !== undefined && Date.now() - found.mtimeMs > LEFT_MS) await rm(file, { force: true });
  }
}
