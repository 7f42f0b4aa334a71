import { Worker } from 'node:worker_threads';
import { SurroundingsFault, messageOf } from '../faults/index.js';
import { nativeRoot } from '../native/index.js';
import type { Reply, Request, WorkerSetup } from './protocol.js';

/** Where the worker's code lies: beside the bundle, or where tests put it when this runs from source. */
function workerUrl(): URL {
  return import.meta.url.endsWith('.ts')
    ? new URL('../../build/dist/worker.js', import.meta.url)
    : new URL('./worker.js', import.meta.url);
}

interface Pending {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
}

type Unnumbered<T> = T extends Request ? Omit<T, 'id'> : never;
export type Ask = Unnumbered<Request>;

/** One worker thread; requests are answered in the order in which they were sent. */
export class EngineWorker {
  private readonly thread: Worker;
  private readonly pending = new Map<number, Pending>();
  private next = 0;
  private dead: SurroundingsFault | undefined;

  constructor(readonly index: number) {
    const setup: WorkerSetup = { nativeRoot: nativeRoot() };
    this.thread = new Worker(workerUrl(), { workerData: setup, name: `engine-${index}` });
    this.thread.on('message', (reply: Reply) => this.settle(reply));
    this.thread.on('error', (error) => this.die(messageOf(error)));
    this.thread.on('exit', (code) => this.die(`it ended with status ${code}`));
    this.thread.unref();
  }

  /** Requests not yet answered. */
  get load(): number {
    return this.pending.size;
  }

  /** Sends a request and waits for its answer; a `failed` answer is returned, not thrown. */
  ask(request: Ask): Promise<Reply> {
    if (this.dead !== undefined) return Promise.reject(this.dead);
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      this.thread.ref();
      this.thread.postMessage({ ...request, id });
    });
  }

  private settle(reply: Reply): void {
    const waiting = this.pending.get(reply.id);
    this.pending.delete(reply.id);
    if (this.pending.size === 0) this.thread.unref();
    waiting?.resolve(reply);
  }

  private die(reason: string): void {
    this.dead ??= new SurroundingsFault({
      where: `engine worker ${this.index}`,
      what: `the thread that runs the model is gone: ${reason}`,
      fix: 'Most often memory ran out: lower `engine.threads`, or free memory.',
    });
    for (const { reject } of this.pending.values()) reject(this.dead);
    this.pending.clear();
  }

  async close(): Promise<void> {
    this.thread.removeAllListeners('exit');
    await this.thread.terminate();
    this.die('it was closed');
  }
}
