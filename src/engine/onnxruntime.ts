import { availableParallelism, freemem } from 'node:os';
import { RangeCollector, type TensorStatistics } from '../calibration/index.js';
import { InputFault, Interrupted, SurroundingsFault } from '../faults/index.js';
import { onnxruntime } from '../native/index.js';
import { encodeModel, exposeOutputs, parseModel } from '../onnx/index.js';
import { collectGarbage } from './garbage.js';
import { groupsThatFit } from './groups.js';
import { EngineWorker, type Ask } from './pool.js';
import type { Probe, ProbeImage, ProbeProgram } from './probe-types.js';
import type { ImageTask, Reply } from './protocol.js';
import type {
  CollectOptions,
  Engine,
  EngineModel,
  ImageFeed,
  LoadOptions,
  LoadedModel,
  OutputHandler,
  RunOptions,
  TensorSpec,
} from './types.js';

/** Memory that one session with its activations is expected to need, bytes. */
const SESSION_BYTES = 768 * 2 ** 20;

/** Options of the embedded engine. */
export interface OnnxRuntimeOptions {
  /** Worker threads, one session each; `auto` = the cores, as far as memory allows. */
  readonly threads: 'auto' | number;
  /** Images a run where the model's batch is free; `auto` = 1. */
  readonly batch: 'auto' | number;
}

/** The embedded engine: onnxruntime in worker threads, one intra-op thread each. */
export function createOnnxRuntimeEngine(options: OnnxRuntimeOptions): Promise<Engine> {
  const { env } = onnxruntime();
  const cores = availableParallelism();
  const fitting = Math.max(1, Math.floor(freemem() / SESSION_BYTES));
  const threads = options.threads === 'auto' ? Math.min(cores, fitting) : options.threads;
  const workers = Array.from({ length: threads }, (_, i) => new EngineWorker(i));
  return Promise.resolve(new OnnxRuntimeEngine(env.versions.node ?? 'unknown', workers, options.batch));
}

class OnnxRuntimeEngine implements Engine {
  readonly name = 'onnxruntime';
  private nextModel = 0;

  constructor(
    readonly version: string,
    private readonly workers: readonly EngineWorker[],
    private readonly batch: 'auto' | number,
  ) {}

  get threads(): number {
    return this.workers.length;
  }

  async load(model: EngineModel, options: LoadOptions = {}): Promise<LoadedModel> {
    const id = this.nextModel++;
    const { extraOutputs = [], lean = false, reach = false } = options;
    const bytes =
      extraOutputs.length === 0
        ? model.bytes
        : encodeModel(exposeOutputs(parseModel(model.bytes, model.name).proto, extraOutputs));
    const replies = await Promise.all(
      this.workers.map((worker) =>
        worker.ask({ kind: 'load', model: id, name: model.name, bytes, lean, reach }),
      ),
    );
    const failed = replies.find((reply) => reply.kind === 'failed');
    if (failed !== undefined) {
      await Promise.all(
        this.workers
          .filter((_, i) => replies[i]?.kind === 'loaded')
          .map((worker) => worker.ask({ kind: 'release', model: id })),
      );
      throw refused(model.name, failed.message);
    }
    const loaded = replies[0] as Extract<Reply, { kind: 'loaded' }>;
    return new Session(this.workers, id, model.name, loaded, this.batch, lean);
  }

  async collect(
    model: EngineModel,
    tensors: readonly string[],
    feed: ImageFeed,
    options: CollectOptions = {},
  ): Promise<ReadonlyMap<string, TensorStatistics>> {
    const parsed = parseModel(model.bytes, model.name);
    const inputs = new Set(parsed.proto.graph?.input.map(({ name }) => name));
    const open = (group: readonly string[]) =>
      this.load(model, {
        extraOutputs: group.filter((name) => !inputs.has(name)),
        lean: true,
        reach: options.reach === true,
      }) as Promise<Session>;
    let session = await open(tensors);
    const statistics = new Map<string, TensorStatistics>();
    try {
      const free = session.leavesFree(tensors) && feed.count > 0;
      const groups = groupsThatFit(tensors, free ? await session.sizesOf(tensors, feed) : session.outputs);
      for (const [i, group] of groups.entries()) {
        // What sizes were learnt from was counted.
        if (groups.length > 1 || free) {
          await session.release();
          session = await open(group);
        }
        const onProgress = (done: number, total: number): void =>
          options.onProgress?.(i * total + done, groups.length * total);
        for (const [name, one] of await session.collect(group, feed, { ...options, onProgress }))
          statistics.set(name, one);
      }
    } finally {
      await session.release();
    }
    return statistics;
  }

  async probe(program: ProbeProgram): Promise<Probe> {
    const probe = this.nextModel++;
    // One copy for all workers; each makes a session of a model when it first needs it.
    const models = program.models.map(({ bytes }) => {
      const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
      shared.set(bytes);
      return shared;
    });
    const plan = { ...program, models };
    await Promise.all(this.workers.map((worker) => worker.ask({ kind: 'plan', probe, plan })));
    return new ProbeSession(this.workers, probe, program.inputs);
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.close()));
  }
}

function refused(name: string, message: string): InputFault {
  return new InputFault({
    where: name,
    what: `onnxruntime refuses the model: ${message.split('\n')[0] ?? message}`,
    fix: 'The model must load in onnxruntime by itself; export it again, with standard ONNX operators only.',
  });
}

class Session implements LoadedModel {
  private readonly times: number[] = [];
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Images in every run, where the model fixes it; 1 where it does not. */
  private readonly fixed: number;
  private readonly batch: number;

  constructor(
    private readonly workers: readonly EngineWorker[],
    private readonly id: number,
    private readonly name: string,
    loaded: Extract<Reply, { kind: 'loaded' }>,
    wanted: 'auto' | number,
    private readonly lean: boolean,
  ) {
    this.inputs = loaded.inputs;
    this.outputs = loaded.outputs;
    // A model without an input of rank 4 takes its images one by one.
    const first = loaded.inputs.find(({ dims }) => dims.length === 4)?.dims[0] ?? 1;
    this.fixed = first > 0 ? first : 1;
    this.batch = first > 0 ? first : wanted === 'auto' || !loaded.batchable ? 1 : wanted;
  }

  async run(feed: ImageFeed, onOutput: OutputHandler, options: RunOptions = {}): Promise<void> {
    const { batch } = this;
    const batches = Math.ceil(feed.count / batch);
    let done = 0;
    await inOrder(
      batches,
      this.workers.length * 2,
      options.signal,
      async (b) => {
        const indexes = indexesOf(b, batch, feed.count);
        const images = await Promise.all(indexes.map((i) => taskOf(feed, i)));
        const reply = await this.ask({ kind: 'run', model: this.id, batch, spec: feed.spec, images });
        if (reply.kind !== 'ran') throw new Error(`unexpected answer ${reply.kind}`);
        return { reply, indexes };
      },
      ({ reply, indexes }) => {
        this.times.push(reply.ms);
        reply.images.forEach((outputs, i) => onOutput(indexes[i] as number, outputs));
        done += indexes.length;
        options.onProgress?.(done, feed.count);
      },
    );
  }

  /** True when a tensor's size shows only when it runs: it has a free dimension beside the batch, as where inputs have a free size. */
  leavesFree(tensors: readonly string[]): boolean {
    const wanted = new Set(tensors);
    const freeBatch = this.inputs.some(({ dims }) => dims.length === 4 && (dims[0] as number) < 0);
    return this.outputs.some(
      ({ name, dims }) =>
        wanted.has(name) && (dims.length === 0 || dims.some((dim, i) => dim < 0 && !(i === 0 && freeBatch))),
    );
  }

  /** Tensors with the dimensions that they have for the first image, which the statistics then have seen. */
  async sizesOf(tensors: readonly string[], feed: ImageFeed): Promise<readonly TensorSpec[]> {
    const seen = await this.collect(tensors, { ...feed, count: 1 }, {});
    return [...seen.values()].map(({ name, shape }) => ({ name, type: 'float32', dims: shape }));
  }

  async collect(
    tensors: readonly string[],
    feed: ImageFeed,
    options: CollectOptions,
  ): Promise<ReadonlyMap<string, TensorStatistics>> {
    // One image a run unless the model fixes more: statistics then do not depend on what shares a run.
    const batch = this.fixed;
    let done = 0;
    await inOrder(
      Math.ceil(feed.count / batch),
      this.workers.length * 2,
      options.signal,
      async (b) => {
        const images = await Promise.all(indexesOf(b, batch, feed.count).map((i) => taskOf(feed, i)));
        await this.ask({
          kind: 'observe',
          model: this.id,
          spec: feed.spec,
          batch,
          tensors,
          first: b * batch,
          images,
        });
        return images.length;
      },
      (count) => {
        done += count;
        options.onProgress?.(done, feed.count);
      },
    );
    const merged = new RangeCollector();
    for (const worker of this.workers) {
      const reply = await worker.ask({ kind: 'statistics', model: this.id });
      if (reply.kind !== 'statistics') throw new Error(`unexpected answer ${reply.kind}`);
      merged.merge(RangeCollector.fromMessage(reply.message));
    }
    const statistics = merged.statistics();
    const unseen = tensors.filter((name) => !statistics.has(name));
    if (unseen.length > 0)
      throw new InputFault(
        unseen.slice(0, 10).map((name) => ({
          where: `${this.name}, tensor ${name}`,
          what: `has no statistics: ${feed.count === 0 ? 'there are no images' : 'it holds no floats'}`,
          fix: 'Calibrate float activations, on at least one image.',
        })),
      );
    return statistics;
  }

  /** Asks the worker that has least to do. */
  private async ask(request: Ask): Promise<Reply> {
    const reply = await leastBusy(this.workers).ask(request);
    if (reply.kind === 'failed') throw failedRun(this.name, reply);
    return reply;
  }

  latency(): { medianMs: number; p99Ms: number } | undefined {
    if (this.times.length === 0) return undefined;
    const sorted = [...this.times].sort((a, b) => a - b);
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number;
    return { medianMs: at(0.5), p99Ms: at(0.99) };
  }

  async release(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.ask({ kind: 'release', model: this.id })));
    // The model as it was written, and as it was sent.
    if (this.lean) collectGarbage();
  }
}

class ProbeSession implements Probe {
  constructor(
    private readonly workers: readonly EngineWorker[],
    private readonly probe: number,
    private readonly inputs: readonly string[],
  ) {}

  async run(
    feed: ImageFeed,
    observed: (image: number) => boolean,
    casesOf: (image: number) => readonly number[],
    onImage: (image: number, result: ProbeImage) => void,
    options: RunOptions = {},
  ): Promise<void> {
    const { probe, inputs, workers } = this;
    // The models as they were written, before threads shared them, are done with.
    collectGarbage();
    await inOrder(
      feed.count,
      workers.length * 2,
      options.signal,
      async (index) => {
        const image = await taskOf(feed, index);
        const worker = leastBusy(workers);
        const asked = { cases: casesOf(index), observe: observed(index) };
        const reply = await worker.ask({ kind: 'probe', probe, inputs, ...asked, spec: feed.spec, image });
        if (reply.kind !== 'probed') throw failedRun('the network in parts', reply);
        return { index, result: reply.result };
      },
      ({ index, result }) => {
        onImage(index, result);
        options.onProgress?.(index + 1, feed.count);
      },
    );
  }

  async release(): Promise<void> {
    const { probe } = this;
    await Promise.all(this.workers.map((worker) => worker.ask({ kind: 'plan', probe, plan: undefined })));
    // Its models lie in memory that all threads share: this one was the last to hold them.
    collectGarbage();
  }
}

function leastBusy(workers: readonly EngineWorker[]): EngineWorker {
  return workers.reduce((least, one) => (one.load < least.load ? one : least));
}

function failedRun(where: string, reply: Reply): Error {
  return reply.kind === 'failed'
    ? new SurroundingsFault({
        where,
        what: `onnxruntime failed to run the model: ${reply.message.split('\n')[0] ?? ''}`,
        fix: 'Run the model by itself in onnxruntime: what fails there must be mended in the export; where memory ran out, lower `engine.threads` or `engine.batch`.',
      })
    : new Error(`unexpected answer ${reply.kind}`);
}

/** Indexes of the images of batch `b`. */
function indexesOf(b: number, batch: number, count: number): number[] {
  return Array.from({ length: Math.min(batch, count - b * batch) }, (_, i) => b * batch + i);
}

async function taskOf(feed: ImageFeed, index: number): Promise<ImageTask> {
  const image = await feed.image(index);
  const { pixels, width, height } = image;
  return { pixels, width, height, extras: feed.extras?.(index, image) };
}

/** Runs `count` jobs, at most `ahead` at once, and hands results on in order. The first fault stops all. */
async function inOrder<T>(
  count: number,
  ahead: number,
  signal: AbortSignal | undefined,
  job: (index: number) => Promise<T>,
  deliver: (result: T) => void,
): Promise<void> {
  const running: Promise<T>[] = [];
  let started = 0;
  const stopWhenAsked = (): void => {
    if (signal?.aborted === true) throw new Interrupted();
  };
  stopWhenAsked();
  try {
    for (let finished = 0; finished < count; finished++) {
      while (started < count && running.length < ahead) {
        const one = job(started++);
        one.catch(() => undefined); // told when its turn comes; until then it is no unhandled rejection
        running.push(one);
      }
      const result = await (running.shift() as Promise<T>);
      stopWhenAsked();
      deliver(result);
    }
  } finally {
    // Jobs still under way after a fault end unheard; only the first fault is told.
    await Promise.allSettled(running);
  }
}
