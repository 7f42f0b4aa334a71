/** TensorRT behind the interface of engines: built from Q/DQ files in the worker, run in batches, measured by itself. */
import { rm, writeFile } from 'node:fs/promises';
import { InputFault, Interrupted } from '../../faults/index.js';
import { encodeModel, exposeOutputs, parseModel } from '../../onnx/index.js';
import type { EngineModel, ImageFeed, LoadOptions, OutputHandler, RunOptions, TensorSpec } from '../types.js';
import { batchInputs } from './batch.js';
import { doubtOfRun, doubtOfTimes } from './belief.js';
import { TensorRtWorker } from './client.js';
import { ELEMENT_BYTES, ExchangeFile, after, toTensor } from './exchange.js';
import { parseInspector, withTimes } from './inspector.js';
import type { BuildMode, Hello, Operations, PlacedTensor } from './protocol.js';
import type { EngineDetails, RealEngine, RealModel, Timing } from './real.js';
import { EngineStore, openStore, type EngineRecord } from './store.js';

/** How engines are built and run. */
export interface TensorRtOptions {
  readonly python: string;
  readonly gpu: number;
  /** Images a run. */
  readonly batch: number;
  /** 0 … 5; 0 ignores the timing cache. */
  readonly optimizationLevel: number;
  readonly workspaceMiB: number | undefined;
  /** Absolute folder of engines and the timing cache, outside the workspace. */
  readonly cache: string;
  readonly workspace: string | undefined;
  /** Milliseconds that one build may take. */
  readonly timeoutMs: number;
  /** Milliseconds for the handshake; CUDA and TensorRT load slowly from a cold disk. */
  readonly startMs?: number;
  /** Milliseconds that one batch, timing or profile may take. */
  readonly runMs?: number;
  readonly dla: number | undefined;
  /** The worker's code, for tests. */
  readonly script?: string;
  readonly onWarning?: (message: string) => void;
  /** Ends the worker at once, in the midst of a build too. */
  readonly signal?: AbortSignal | undefined;
}

const START_MS = 180_000;
const RUN_MS = 120_000;
const TIMED_RUNS = 200;
const PROFILED_RUNS = 50;
const WARM_UP_MS = 500;

/** Starts the worker. @throws SurroundingsFault when Python, TensorRT, CUDA or the GPU is missing, with the cure. */
export async function createTensorRtEngine(options: TensorRtOptions): Promise<TensorRtEngine> {
  const store = await openStore(options.cache, options.workspace);
  const { worker, hello } = await TensorRtWorker.start({
    python: options.python,
    gpu: options.gpu,
    startMs: options.startMs ?? START_MS,
    ...(options.script !== undefined && { script: options.script }),
    ...(options.onWarning !== undefined && { onWarning: options.onWarning }),
    signal: options.signal,
  });
  return new TensorRtEngine(options, store, worker, hello);
}

/** The TensorRT engine. Models run one after another: two on one GPU would spoil each other's times. */
export class TensorRtEngine implements RealEngine {
  readonly name = 'tensorrt';
  readonly threads = 1;

  constructor(
    private readonly options: TensorRtOptions,
    private readonly store: EngineStore,
    private readonly worker: TensorRtWorker,
    readonly hello: Hello,
  ) {}

  get version(): string {
    return this.hello.tensorrt;
  }

  /** Images a run. */
  get batch(): number {
    return this.options.batch;
  }

  /** Process of the worker. */
  get pid(): number {
    return this.worker.pid;
  }

  /** Which flavour of Q/DQ file the library takes: `weak` up to TensorRT 10, `strong` where flags are gone. */
  get typing(): 'weak' | 'strong' {
    return this.hello.capabilities.weak ? 'weak' : 'strong';
  }

  async load(model: EngineModel, options: LoadOptions = {}): Promise<TensorRtModel> {
    const { extraOutputs = [] } = options;
    const bytes =
      extraOutputs.length === 0
        ? model.bytes
        : encodeModel(exposeOutputs(parseModel(model.bytes, model.name).proto, extraOutputs));
    const mode = this.modeOf(model);
    const { calibration, shapes } = model;
    const key = EngineStore.key(bytes, { mode, calibration, shapes, ...this.circumstances() });
    const kept = await this.store.find(key);
    if (kept !== undefined) {
      const known = await this.open(key, kept, model.name).catch((error: unknown) => {
        // A kept engine that does not fit any more is only old: it is built again.
        if (error instanceof InputFault) return undefined;
        throw error;
      });
      if (known !== undefined) return known;
    }
    const record = await this.build(key, bytes, mode, model);
    return this.open(key, record, model.name);
  }

  private modeOf({ precision = 'fp32' }: EngineModel): BuildMode {
    if (precision === 'int8') return this.typing === 'weak' ? 'int8+fp16' : 'strong';
    if (this.typing === 'weak') return precision;
    return 'strong';
  }

  private circumstances(): object {
    const { tensorrt, gpu, cuda } = this.hello;
    const { batch, optimizationLevel, workspaceMiB, dla } = this.options;
    return {
      tensorrt,
      gpu: [gpu.bus, gpu.computeCapability],
      cuda,
      batch,
      optimizationLevel,
      workspaceMiB,
      dla,
    };
  }

  private async build(
    key: string,
    bytes: Uint8Array,
    mode: BuildMode,
    model: EngineModel,
  ): Promise<EngineRecord> {
    const onnx = this.store.path(key, 'onnx');
    const { calibration, shapes = {} } = model;
    const cache = calibration === undefined ? undefined : this.store.path(key, 'calibration');
    await writeFile(onnx, bytes);
    if (cache !== undefined) await writeFile(cache, calibration as string);
    const { batch, optimizationLevel, workspaceMiB, dla, timeoutMs } = this.options;
    try {
      const { digest, engineBytes, seconds } = await this.worker.ask(
        'build',
        {
          onnx,
          engine: this.store.path(key, 'engine'),
          mode,
          batch: [1, batch, batch],
          shapes,
          float: [],
          optimizationLevel,
          workspaceMiB,
          timingCache: this.store.path(EngineStore.key(new Uint8Array(0), this.timingKey()), 'timing'),
          calibrationCache: cache,
          calibration: cache === undefined ? undefined : calibratorOf(calibration as string),
          dla,
        },
        { timeoutMs, subject: model.name },
      );
      await this.store.keep(key, { digest, engineBytes, seconds });
      return { digest, engineBytes, seconds };
    } finally {
      await rm(onnx, { force: true });
      if (cache !== undefined) await rm(cache, { force: true });
    }
  }

  /** A timing cache belongs to a library and a GPU, and is shared by all models. */
  private timingKey(): object {
    return { tensorrt: this.hello.tensorrt, gpu: this.hello.gpu.computeCapability, cuda: this.hello.cuda };
  }

  private async open(key: string, record: EngineRecord, name: string): Promise<TensorRtModel> {
    const loaded = await this.worker.ask(
      'load',
      { engine: this.store.path(key, 'engine'), digest: record.digest },
      { timeoutMs: RUN_MS, subject: name },
    );
    const { batch, runMs = RUN_MS } = this.options;
    return new TensorRtModel(this.worker, name, loaded, record, batch, runMs);
  }

  async close(): Promise<void> {
    await this.worker.close();
  }
}

/** An engine that is loaded. */
export class TensorRtModel implements RealModel {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  private readonly batch: number;
  private readonly times: number[] = [];
  private lastInputs: readonly PlacedTensor[] = [];
  private file: ExchangeFile | undefined;

  constructor(
    private readonly worker: TensorRtWorker,
    private readonly name: string,
    private readonly loaded: Operations['load']['answer'],
    private readonly record: EngineRecord,
    wanted: number,
    private readonly runMs: number,
  ) {
    const specs = (mode: 'input' | 'output'): TensorSpec[] =>
      loaded.tensors
        .filter((one) => one.mode === mode)
        .map(({ name: tensor, type, dims }) => ({ name: tensor, type, dims }));
    this.inputs = specs('input');
    this.outputs = specs('output');
    const first = this.inputs[0]?.dims[0] ?? -1;
    this.batch = first > 0 ? first : wanted;
  }

  async run(
    feed: ImageFeed,
    onOutput: OutputHandler,
    { signal, onProgress }: RunOptions = {},
  ): Promise<void> {
    for (let from = 0; from < feed.count; from += this.batch) {
      if (signal?.aborted === true) throw new Interrupted();
      const count = Math.min(this.batch, feed.count - from);
      const inputs = await this.place(feed, from, count);
      const { outputs, ms } = await this.runBatch(inputs, signal);
      this.times.push(ms / this.batch);
      this.deliver(outputs, from, count, onOutput);
      onProgress?.(from + count, feed.count);
    }
  }

  private async runBatch(
    inputs: readonly PlacedTensor[],
    signal: AbortSignal | undefined,
  ): Promise<Operations['run']['answer']> {
    const { path, size } = this.exchange();
    const at = this.end(inputs);
    const answer = await this.ask('run', { file: path, inputs, at }, signal);
    return this.believe(answer, doubtOfRun(answer, { outputs: this.outputs, at, size }));
  }

  /** @throws SurroundingsFault when there is a doubt */
  private believe<T>(answer: T, doubt: string | undefined): T {
    if (doubt !== undefined) throw this.worker.distrust(doubt);
    return answer;
  }

  /** Writes images `from … from + count` into the exchange file; a batch is filled up with the last image. */
  private async place(feed: ImageFeed, from: number, count: number): Promise<PlacedTensor[]> {
    const placed: PlacedTensor[] = [];
    let offset = 0;
    for (const { name, dims, parts } of await batchInputs(feed, this.inputs, from, count)) {
      const size = (parts[0] as Uint8Array).length;
      for (let i = 0; i < this.batch; i++)
        this.exchange().write(offset + i * size, parts[Math.min(i, count - 1)] as Uint8Array);
      placed.push({ name, shape: [this.batch, ...dims], offset });
      offset = after(offset, this.batch * size);
    }
    this.lastInputs = placed;
    return placed;
  }

  private end(inputs: readonly PlacedTensor[]): number {
    return inputs.reduce((end, { name, shape, offset }) => {
      const type = this.inputs.find((one) => one.name === name)?.type ?? 'float32';
      return Math.max(end, after(offset, shape.reduce((a, b) => a * b, 1) * ELEMENT_BYTES[type]));
    }, 0);
  }

  private deliver(
    outputs: readonly PlacedTensor[],
    from: number,
    count: number,
    onOutput: OutputHandler,
  ): void {
    const maps = Array.from({ length: count }, () => new Map<string, ReturnType<typeof toTensor>>());
    for (const { name, shape, offset } of outputs) {
      const type = this.outputs.find((one) => one.name === name)?.type ?? 'float32';
      if (shape[0] !== this.batch)
        throw new InputFault({
          where: `${this.name}, output ${name}`,
          what: `has dimensions [${shape.join(', ')}] at a batch of ${this.batch}: it cannot be cut into images`,
          fix: 'Set `engine.batch: 1`.',
        });
      const size = (shape.reduce((a, b) => a * b, 1) / this.batch) * ELEMENT_BYTES[type];
      maps.forEach((map, i) =>
        map.set(name, toTensor(this.exchange().read(offset + i * size, size), type, [1, ...shape.slice(1)])),
      );
    }
    maps.forEach((map, i) => onOutput(from + i, map));
  }

  /** Room for a batch of inputs and outputs; free dimensions of images are allowed 4 megapixels. */
  private exchange(): ExchangeFile {
    if (this.file === undefined) {
      const bytes = [...this.inputs, ...this.outputs].reduce((sum, { type, dims }) => {
        const each = dims.slice(1).reduce((a, b) => a * (b > 0 ? b : 2048), 1);
        return after(sum, each * this.batch * ELEMENT_BYTES[type]);
      }, 64);
      this.file = new ExchangeFile(bytes);
    }
    return this.file;
  }

  latency(): Timing | undefined {
    return this.times.length === 0 ? undefined : timingOf(this.times);
  }

  /** Times, inspects and profiles the engine on what it ran last. Call after {@link run}. */
  async details(signal?: AbortSignal): Promise<EngineDetails> {
    const inputs = this.lastInputs.map(({ name, shape }) => ({ name, shape }));
    const timed = { inputs, iterations: TIMED_RUNS, warmUpMs: WARM_UP_MS };
    const time = async (graph: boolean): Promise<readonly number[] | null> => {
      const { times } = await this.ask('time', { ...timed, graph }, signal);
      return this.believe(times, doubtOfTimes(times, TIMED_RUNS));
    };
    const [plain, graph] = [await time(false), await time(true)];
    const { layers } = await this.ask('inspect', {}, signal);
    const profile = await this.ask('profile', { inputs, iterations: PROFILED_RUNS }, signal);
    const parsed = parseInspector(layers);
    return {
      engineBytes: this.record.engineBytes,
      buildSeconds: this.record.seconds,
      deviceBytes: this.loaded.deviceBytes,
      batch: this.batch,
      timing: timingOf(plain ?? []),
      graphTiming: graph === null ? undefined : timingOf(graph),
      layers: parsed && withTimes(parsed, profile.layers),
    };
  }

  private ask<O extends 'run' | 'time' | 'profile' | 'inspect' | 'release'>(
    operation: O,
    request: Omit<Operations[O]['ask'], 'session'>,
    signal?: AbortSignal,
  ): Promise<Operations[O]['answer']> {
    const whole = { ...request, session: this.loaded.session } as Operations[O]['ask'];
    return this.worker.ask(operation, whole, { timeoutMs: this.runMs, subject: this.name, signal });
  }

  async release(): Promise<void> {
    this.file?.close();
    this.file = undefined;
    await this.ask('release', {});
  }
}

/** TensorRT reads a cache only by the calibrator that its header names. */
function calibratorOf(cache: string): 'entropy' | 'minmax' {
  return /^TRT-\d+-MinMax/.test(cache) ? 'minmax' : 'entropy';
}

/** Median, of an even number the mean of the middle two, and 99th percentile. */
export function timingOf(times: readonly number[]): Timing {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (index: number): number => sorted[Math.max(0, Math.min(sorted.length - 1, index))] ?? NaN;
  const half = sorted.length / 2;
  return {
    medianMs: (at(Math.ceil(half) - 1) + at(Math.floor(half))) / 2,
    p99Ms: at(Math.floor(0.99 * sorted.length)),
  };
}
