/** One run on a GPU at a time: builders time tactics, and two of them spoil each other's choice. */
import { open, readFile, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, SurroundingsFault, systemCode } from '../../faults/index.js';

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
 * Takes the lock file, waiting for its holder. A file whose process is gone is cleared away.
 * @throws SurroundingsFault when the holder does not finish in time, Interrupted when asked to stop.
 */
export async function lockGpu(path: string, options: LockOptions): Promise<GpuLock> {
  const until = Date.now() + options.patienceMs;
  for (let waited = false; ; waited = true) {
    if (options.signal?.aborted === true) throw new Interrupted();
    if (await take(path)) return { release: () => rm(path, { force: true }) };
    const holder = await holderOf(path);
    if (holder === 'gone') continue;
    if (!waited) options.onWait(holder.words);
    if (Date.now() >= until)
      throw new SurroundingsFault({
        where: path,
        what: `the GPU is still in use by ${holder.words}`,
        fix: 'One run at a time is allowed on a GPU. Wait for it, or give each runner a GPU of its own.',
      });
    await sleep(options.pollMs);
  }
}

async function take(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(`${process.pid} ${new Date().toISOString()} ${process.env.GITHUB_RUN_ID ?? ''}\n`);
    await file.close();
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** A file younger than this may be one that its owner is still writing. */
const FRESH_MS = 2000;

/** Who holds the lock; a file of a process that is gone is removed. */
async function holderOf(path: string): Promise<'gone' | { readonly words: string }> {
  try {
    const [text, { mtimeMs }] = [await readFile(path, 'utf8'), await stat(path)];
    const [, pid, since, runId] = /^(\d+) (\S+) (\S*)\n/.exec(text) ?? [];
    if (pid === undefined && Date.now() - mtimeMs < FRESH_MS) return { words: 'a run that has just begun' };
    if (pid !== undefined && alive(Number(pid)))
      return {
        words: `process ${pid}, since ${since ?? ''}${runId === '' ? '' : `, workflow run ${runId ?? ''}`}`,
      };
    await rm(path, { force: true });
    return 'gone';
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 'gone';
    throw error;
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM'; // somebody else's process, but a process
  }
}
