/** The worker process: started, spoken to, watched, and its death explained. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { InputFault, Interrupted, SurroundingsFault, systemCode } from '../../faults/index.js';
import {
  PROTOCOL,
  isAnswer,
  parseMessage,
  type Failure,
  type Hello,
  type Message,
  type Operation,
  type Operations,
} from './protocol.js';

/** How the worker is started. */
export interface WorkerOptions {
  /** Python with `tensorrt`, e.g. `python3`. */
  readonly python: string;
  /** Index of the GPU as CUDA counts. */
  readonly gpu: number;
  /** Milliseconds that the handshake may take; CUDA and TensorRT load slowly from a cold disk. */
  readonly startMs: number;
  /** The worker's code; the own one when left out. */
  readonly script?: string;
  readonly onWarning?: (message: string) => void;
  /** Ends the worker at once, whatever it does. */
  readonly signal?: AbortSignal | undefined;
}

interface Pending {
  readonly operation: Operation;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

const STDERR_KEPT = 4000;
/** A line longer than this is no message: a worker that floods must not fill our memory. */
const LONGEST_LINE = 64 * 2 ** 20;

/** Where the worker's code lies: beside this file, or beside the bundle. */
function workerScript(): string {
  const name = import.meta.url.endsWith('.ts') ? './worker.py' : './tensorrt-worker.py';
  return fileURLToPath(new URL(name, import.meta.url));
}

/** One TensorRT worker. Requests are answered in the order in which they were sent. */
export class TensorRtWorker {
  private readonly pending = new Map<number, Pending>();
  private next = 0;
  private dead: Error | undefined;
  private stderr = '';
  private received = 0;
  private greeting: { resolve: (hello: Hello) => void; reject: (error: Error) => void } | undefined;

  private constructor(
    private readonly child: ChildProcessWithoutNullStreams,
    private readonly options: WorkerOptions,
  ) {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-STDERR_KEPT);
    });
    child.stdout.on('data', (chunk: Buffer) => {
      const newline = chunk.lastIndexOf(10);
      this.received = newline < 0 ? this.received + chunk.length : chunk.length - newline;
      if (this.received > LONGEST_LINE)
        this.die(this.fault('sends a line without end', 'It is no worker of int8-gate.'));
    });
    createInterface({ input: child.stdout }).on('line', (line) => this.hear(line));
    child.stdin.on('error', () => undefined); // a dead worker is told by its exit, not by our writing to it
    child.on('error', (error) => this.die(this.notStarted(error)));
    child.on('close', (code, signal) => this.die(this.ended(code, signal)));
    options.signal?.addEventListener('abort', this.stop, { once: true });
    if (options.signal?.aborted === true) this.stop();
  }

  private readonly stop = (): void => this.die(new Interrupted());

  /** Starts a worker and waits for its first words. @throws SurroundingsFault with the reason and the cure. */
  static async start(options: WorkerOptions): Promise<{ worker: TensorRtWorker; hello: Hello }> {
    const child = spawn(options.python, [options.script ?? workerScript()], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        ...process.env,
        PYTHONUNBUFFERED: '1',
        INT8_GATE_GPU: String(options.gpu),
        CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
        CUDA_MODULE_LOADING: 'LAZY',
      },
    });
    const worker = new TensorRtWorker(child, options);
    let timer: NodeJS.Timeout | undefined;
    try {
      const hello = await new Promise<Hello>((resolve, reject) => {
        worker.greeting = { resolve, reject };
        if (worker.dead !== undefined) reject(worker.dead);
        timer = setTimeout(
          () =>
            reject(
              worker.fault(
                `does not answer within ${options.startMs / 1000} s of its start`,
                'Look at `nvidia-smi`: a GPU that hangs or is busy is the usual cause.',
              ),
            ),
          options.startMs,
        );
      });
      if (hello.protocol !== PROTOCOL)
        throw worker.fault(
          `speaks protocol ${hello.protocol}, ${PROTOCOL} is spoken here`,
          'Program and worker are of different versions: install int8-gate anew.',
        );
      if (hello.gpu.index !== options.gpu)
        throw worker.fault(
          `works on GPU ${hello.gpu.index}, GPU ${options.gpu} was asked for`,
          'Look at CUDA_VISIBLE_DEVICES, and at `engine.tensorrt.gpu`.',
        );
      return { worker, hello };
    } catch (error) {
      await worker.close();
      throw error;
    } finally {
      clearTimeout(timer);
      worker.greeting = undefined;
    }
  }

  /**
   * Sends a request. Past its time the worker is killed: what it does on the GPU cannot be taken back otherwise.
   * @param subject - file or model that a refusal is about
   */
  async ask<O extends Operation>(
    operation: O,
    request: Operations[O]['ask'],
    { timeoutMs, subject, signal }: { timeoutMs: number; subject: string; signal?: AbortSignal | undefined },
  ): Promise<Operations[O]['answer']> {
    if (this.dead !== undefined) throw this.dead;
    if (signal?.aborted === true) throw new Interrupted();
    const id = this.next++;
    const stop = (): void => this.die(new Interrupted());
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const answer = await new Promise<unknown>((resolve, reject) => {
        const timer = setTimeout(
          () =>
            this.die(
              this.fault(
                `did not finish ${operation} of ${subject} within ${Math.round(timeoutMs / 1000)} s`,
                'Raise `engine.tensorrt.timeoutMinutes`, or look at `nvidia-smi` for a GPU that hangs.',
              ),
            ),
          timeoutMs,
        );
        this.pending.set(id, { operation, resolve, reject, timer });
        this.child.stdin.write(`${JSON.stringify({ ...request, id, op: operation })}\n`);
      });
      if (isAnswer(operation, answer)) return answer;
      throw this.distrust(`answers ${operation} in a form that is not agreed on`);
    } catch (error) {
      throw error instanceof WorkerFailure ? explain(error, subject) : error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  /**
   * A worker whose answer has the right form and cannot be true: nothing that it says counts any more.
   * @returns the fault to throw
   */
  distrust(what: string): SurroundingsFault {
    const fault = this.fault(what, 'Program and worker are of different versions: install int8-gate anew.');
    this.die(fault);
    return fault;
  }

  private hear(line: string): void {
    const message = parseMessage(line);
    if (message === undefined) {
      this.die(
        this.fault(
          `says what is no message: ${JSON.stringify(line.slice(0, 120))}`,
          'Something else writes to its standard output; Python start-up files are the usual cause.',
        ),
      );
      return;
    }
    if ('event' in message) this.hearEvent(message);
    else this.settle(message);
  }

  private hearEvent(message: Extract<Message, { event: string }>): void {
    if (message.event === 'warning') this.options.onWarning?.(message.message);
    else if (message.event === 'ready') this.greeting?.resolve(message);
    else this.die(explain(new WorkerFailure(message.code, message.message), this.options.python));
  }

  private settle(message: Extract<Message, { id: number }>): void {
    const waiting = this.pending.get(message.id);
    if (waiting === undefined) {
      this.die(this.fault(`answers request ${message.id}, which was not asked`, 'Install int8-gate anew.'));
      return;
    }
    this.pending.delete(message.id);
    clearTimeout(waiting.timer);
    if ('error' in message) waiting.reject(new WorkerFailure(message.error.code, message.error.message));
    else waiting.resolve(message.ok);
  }

  private die(reason: Error): void {
    this.dead ??= reason;
    this.greeting?.reject(this.dead);
    for (const { reject, timer } of this.pending.values()) {
      clearTimeout(timer);
      reject(this.dead);
    }
    this.pending.clear();
    this.child.kill('SIGKILL');
  }

  private notStarted(error: Error): SurroundingsFault {
    return systemCode(error) === 'ENOENT'
      ? new WorkerMissing({
          where: `TensorRT worker (${this.options.python})`,
          what: 'cannot be started: there is no such program',
          fix: 'Install Python 3, or name another in `engine.tensorrt.python`.',
        })
      : this.fault(`cannot be started: ${error.message}`, 'Check its permissions.');
  }

  private ended(code: number | null, signal: NodeJS.Signals | null): Error {
    if (signal === 'SIGINT') return new Interrupted(); // a terminal sends Ctrl-C to the worker too
    const last = this.stderr.trim().split('\n').slice(-3).join(' | ');
    const said = last === '' ? '' : ` Its last words: ${last}`;
    if (signal === 'SIGKILL')
      return this.fault(
        `was killed (SIGKILL).${said}`,
        'Most often the machine ran out of memory (`dmesg` names it); lower `engine.batch` or `engine.tensorrt.workspaceMiB`.',
      );
    if (signal === 'SIGTERM' || signal === 'SIGHUP')
      return this.fault(
        `was ended from outside (${signal}).${said}`,
        'Something on this machine stops it: look at limits of time and memory of the service or container it runs in.',
      );
    if (signal !== null)
      return this.fault(
        `crashed (${signal}).${said}`,
        'A crash inside TensorRT or the driver: run `int8-gate doctor`, then try `engine.tensorrt.optimizationLevel: 1`.',
      );
    return this.fault(`ended with status ${code ?? 'unknown'}.${said}`, 'Run `int8-gate doctor`.');
  }

  private fault(what: string, fix: string): SurroundingsFault {
    return new SurroundingsFault({ where: `TensorRT worker (${this.options.python})`, what, fix });
  }

  /** The worker's process, -1 when it never started. */
  get pid(): number {
    return this.child.pid ?? -1;
  }

  /** Ends the worker; waits until it is gone, so that the GPU is free. */
  async close(): Promise<void> {
    const gone =
      this.child.exitCode !== null || this.child.signalCode !== null || this.child.pid === undefined;
    const closed = new Promise<void>((resolve) =>
      gone ? resolve() : this.child.once('close', () => resolve()),
    );
    this.options.signal?.removeEventListener('abort', this.stop);
    this.die(
      new SurroundingsFault({ where: 'TensorRT worker', what: 'was closed', fix: 'Start the run again.' }),
    );
    await closed;
  }
}

/** No Python, or none that has TensorRT: what trtexec can stand in for. */
export class WorkerMissing extends SurroundingsFault {}

/** A refusal by the worker, before it is put into words. */
class WorkerFailure extends Error {
  constructor(
    readonly code: Failure,
    message: string,
  ) {
    super(message);
  }
}

/** What a person can do about each kind of failure; `undefined` marks those that the model is to blame for. */
const CURES: Readonly<Record<Failure, string | undefined>> = {
  refused: undefined,
  unsupported: undefined,
  'out-of-memory':
    'Free GPU memory (`nvidia-smi` shows who holds it), or lower `engine.batch` or `engine.tensorrt.workspaceMiB`.',
  'missing-library':
    'Install TensorRT for this Python (`pip install tensorrt`), or put its libraries on LD_LIBRARY_PATH; `int8-gate doctor` tells what is missing.',
  'no-gpu':
    'The container or runner must be given the GPU (`--gpus`, the device plugin), and `engine.tensorrt.gpu` must name one that is there.',
  driver:
    "The driver is older than CUDA's libraries ask for: update it, or use a container with an older TensorRT.",
  cuda: 'Look at `nvidia-smi` and `dmesg` for errors of the GPU, and whether the libraries of TensorRT are whole and of one version.',
  disk: 'Make room, or name another folder in `engine.tensorrt.cache`.',
  'bad-request': 'This is a mistake in int8-gate: please report it.',
  internal: 'This is a mistake in int8-gate: please report it.',
};

function explain(failure: WorkerFailure, subject: string): InputFault | SurroundingsFault {
  const cure = CURES[failure.code];
  return cure === undefined
    ? new InputFault({
        where: subject,
        what: `TensorRT refuses it: ${failure.message}`,
        fix: '`int8-gate lint` names what TensorRT does not take in a Q/DQ file, and how to mend it.',
      })
    : new (failure.code === 'missing-library' ? WorkerMissing : SurroundingsFault)({
        where: subject,
        what: failure.message,
        fix: cure,
      });
}
