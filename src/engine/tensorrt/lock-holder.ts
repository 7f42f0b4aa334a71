/** Who holds a lock file, and whether that process still lives. */
import { createHash, randomUUID } from 'node:crypto';
import { readFile, readlink, stat } from 'node:fs/promises';
import { systemCode } from '../../faults/index.js';

/** A holder touches its file so often; only containers beside it need that. */
export const BEAT_MS = 15_000;
/** A holder of another container that has not touched its file for so long is gone. */
const LOST_MS = 300_000;

/** What a lock file says. */
export interface Holder {
  /** Stands for this holder alone. */
  readonly id: string;
  /** For people, e.g. `process 57, since 2026-01-01T00:00:00Z, workflow run 4711`. */
  readonly words: string;
  readonly alive: boolean;
}

/** The line by which this process is known. No two lines are alike. */
export async function ownLine(): Promise<string> {
  const born = await bornAt('self');
  return `${process.pid} ${new Date().toISOString()} ${process.env.GITHUB_RUN_ID ?? ''} ${await ownSpace()} ${born} ${randomUUID()}\n`;
}

/** @returns who holds the file, undefined where there is none */
export async function holderOf(path: string): Promise<Holder | undefined> {
  try {
    const [text, { mtimeMs }] = [await readFile(path, 'utf8'), await stat(path)];
    const [, pid = '', since = '', run = '', space = '', born = ''] =
      /^(\d+) (\S+) (\S*)(?: (\S+) (\d*) \S+)?\n$/.exec(text) ?? [];
    // A process number of another container says nothing here.
    const near = space === '' || space === (await ownSpace());
    return {
      id: idOf(text),
      words: `process ${pid}${near ? '' : ' of another container'}, since ${since}${run === '' ? '' : `, workflow run ${run}`}`,
      alive: pid !== '' && (near ? await lives(Number(pid), born) : Date.now() - mtimeMs < LOST_MS),
    };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The {@link Holder.id} of a line. */
export function idOf(line: string): string {
  return createHash('sha256').update(line).digest('hex').slice(0, 16);
}

/** @param born - as it was noted, empty where nothing was; numbers are given out again, most of all in containers */
async function lives(pid: number, born: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (systemCode(error) !== 'EPERM') return false; // EPERM: somebody else's process, but a process
  }
  const now = await bornAt(pid);
  return born === '' || now === '' || born === now;
}

/** When a process was started, in ticks since the machine was; empty where the system does not tell (proc(5), field 22). */
async function bornAt(pid: number | 'self'): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name, in brackets, may hold anything.
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

/** Where process numbers mean the same: a start of the machine and a namespace of processes. */
async function ownSpace(): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'any');
  const namespace = await readlink('/proc/self/ns/pid').catch(() => 'any');
  return `${boot.trim()}/${namespace}`;
}
