/** An engine that trtexec loads anew for each batch. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputFault, Interrupted } from '../../faults/index.js';
import { TensorProto_DataType, type Graph } from '../../onnx/index.js';
import type { ElementType, ImageFeed, OutputHandler, RunOptions, TensorSpec } from '../types.js';
import { batchInputs } from './batch.js';
import { timingOf } from './engine.js';
import type { EngineDetails, RealModel, Timing } from './real.js';
import { toBytes, toTensor } from './exchange.js';
import { parseInspector, withTimes } from './inspector.js';
import type { EngineRecord } from './store.js';
import { parseLayerInfo, parseOutputs, parseProfile, parseTimes, quoted } from './trtexec-files.js';
import { runTrtexec, type Trtexec } from './trtexec-process.js';

/** Starts of trtexec that the images of one engine may take: each loads the engine anew, which takes seconds. */
const MOST_STARTS = 400;
const RUN_MS = 120_000;
const TIMED_RUNS = 200;
const PROFILED_RUNS = 50;
const WARM_UP_MS = 500;

/** What it says when it goes on without a CUDA graph. */
const NOT_CAPTURED =
  /--useCudaGraph flag has been ignored|CUDA graph capture on the stream has failed|not permitted under CUDA graph/i;

/** A model as `--loadEngine` runs it. */
export class TrtexecModel implements RealModel {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  private readonly batch: number;
  private shapes: readonly string[] = [];

  constructor(
    private readonly trtexec: Trtexec,
    private readonly name: string,
    private readonly engine: string,
    private readonly record: EngineRecord,
    graph: Graph,
    private readonly options: { readonly batch: number; readonly runMs?: number },
    private readonly typing: 'weak' | 'strong',
  ) {
    const spec = (tensor: string): TensorSpec => ({
      name: tensor,
      type: typeOf(graph, tensor),
      dims: graph.shape(tensor) ?? [],
    });
    this.inputs = graph.inputs.map(spec);
    this.outputs = graph.outputs.map(spec);
    const first = this.inputs[0]?.dims[0] ?? -1;
    this.batch = first > 0 ? first : options.batch;
  }

  async run(
    feed: ImageFeed,
    onOutput: OutputHandler,
    { signal, onProgress }: RunOptions = {},
  ): Promise<void> {
    const starts = Math.ceil(feed.count / this.batch);
    if (starts > MOST_STARTS)
      throw new InputFault({
        where: this.name,
        what: `trtexec alone starts anew for each batch: ${feed.count} images at a batch of ${this.batch} are ${starts} starts, ${MOST_STARTS} are allowed`,
        fix: `Raise \`engine.batch\` to ${Math.ceil(feed.count / MOST_STARTS)}, lower \`validation.limit\`, or install TensorRT for a Python.`,
      });
    const folder = await mkdtemp(join(tmpdir(), 'int8-gate-trtexec-'));
    try {
      for (let from = 0; from < feed.count; from += this.batch) {
        if (signal?.aborted === true) throw new Interrupted();
        const count = Math.min(this.batch, feed.count - from);
        await this.runBatch(folder, feed, [from, count], onOutput, signal);
        onProgress?.(from + count, feed.count);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** A batch is filled up with its last image. */
  private async runBatch(
    folder: string,
    feed: ImageFeed,
    [from, count]: readonly [number, number],
    onOutput: OutputHandler,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const inputs = await batchInputs(feed, this.inputs, from, count);
    const files: string[] = [];
    for (const [k, { name, parts }] of inputs.entries()) {
      const file = join(folder, `input-${k}`);
      const filled = Array.from(
        { length: this.batch },
        (_, i) => parts[Math.min(i, count - 1)] as Uint8Array,
      );
      await writeFile(file, Buffer.concat(filled));
      files.push(`${quoted(name)}:${file}`);
    }
    this.shapes = inputs
      .filter(({ name }) => this.inputs.find((one) => one.name === name)?.dims.some((dim) => dim <= 0))
      .map(({ name, dims }) => `${quoted(name)}:${[this.batch, ...dims].join('x')}`);
    const out = join(folder, 'outputs.json');
    await this.start(
      [
        `--loadInputs=${files.join(',')}`,
        `--exportOutput=${out}`,
        '--iterations=1',
        '--warmUp=0',
        '--duration=0',
      ],
      signal,
    );
    this.deliver(parseOutputs(await this.read(out), '--exportOutput'), from, count, onOutput);
    await rm(out);
  }

  private deliver(
    written: ReturnType<typeof parseOutputs>,
    from: number,
    count: number,
    onOutput: OutputHandler,
  ): void {
    const maps = Array.from({ length: count }, () => new Map<string, ReturnType<typeof toTensor>>());
    for (const { name, type } of this.outputs) {
      const found = written.find((one) => one.name === name);
      if (found?.dims[0] !== this.batch)
        throw new InputFault({
          where: `${this.name}, output ${name}`,
          what:
            found === undefined
              ? 'is not among what trtexec wrote'
              : `has dimensions [${found.dims.join(', ')}] at a batch of ${this.batch}: it cannot be cut into images`,
          fix: 'Set `engine.batch: 1`.',
        });
      const size = found.values.length / this.batch;
      maps.forEach((map, i) => {
        const bytes = toBytes(found.values.slice(i * size, (i + 1) * size), type);
        map.set(name, toTensor(Uint8Array.from(bytes), type, [1, ...found.dims.slice(1)]));
      });
    }
    maps.forEach((map, i) => onOutput(from + i, map));
  }

  /** Runs of single batches are cold: {@link details} measures. */
  latency(): Timing | undefined {
    return undefined;
  }

  async details(signal?: AbortSignal): Promise<EngineDetails> {
    const folder = await mkdtemp(join(tmpdir(), 'int8-gate-trtexec-'));
    try {
      const plain = await this.times(folder, false, signal);
      // An engine that cannot be captured fails, or says so and runs without.
      const graph = await this.times(folder, true, signal).catch((error: unknown) => {
        if (error instanceof Interrupted) throw error;
        return undefined;
      });
      const [profile, info] = [join(folder, 'profile.json'), join(folder, 'layers.json')];
      await this.start(
        [
          `--exportProfile=${profile}`,
          `--exportLayerInfo=${info}`,
          '--profilingVerbosity=detailed',
          `--iterations=${PROFILED_RUNS}`,
          '--warmUp=0',
          '--duration=0',
        ],
        signal,
      );
      const parsed = parseInspector(parseLayerInfo(await this.read(info), '--exportLayerInfo'));
      const layers = parseProfile(await this.read(profile), '--exportProfile');
      return {
        engineBytes: this.record.engineBytes,
        buildSeconds: this.record.seconds,
        deviceBytes: undefined,
        batch: this.batch,
        timing: timingOf(plain ?? []),
        graphTiming: graph && timingOf(graph),
        layers: parsed && withTimes(parsed, layers),
      };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Undefined when a graph was asked for and there was none. */
  private async times(
    folder: string,
    graph: boolean,
    signal: AbortSignal | undefined,
  ): Promise<readonly number[] | undefined> {
    const file = join(folder, 'times.json');
    // What is on by default from TensorRT 11 on must be asked for before.
    const how =
      this.typing === 'weak'
        ? ['--useSpinWait', '--noDataTransfers', ...(graph ? ['--useCudaGraph'] : [])]
        : graph
          ? []
          : ['--noCudaGraph'];
    const said = await this.start(
      [
        ...how,
        `--exportTimes=${file}`,
        `--iterations=${TIMED_RUNS}`,
        `--warmUp=${WARM_UP_MS}`,
        '--duration=0',
      ],
      signal,
    );
    const times = parseTimes(await this.read(file), '--exportTimes');
    await rm(file);
    return graph && NOT_CAPTURED.test(said) ? undefined : times;
  }

  private start(args: readonly string[], signal: AbortSignal | undefined): Promise<string> {
    const { runMs = RUN_MS } = this.options;
    const shapes = this.shapes.length === 0 ? [] : [`--shapes=${this.shapes.join(',')}`];
    return runTrtexec(this.trtexec, [`--loadEngine=${this.engine}`, ...shapes, ...args], {
      timeoutMs: runMs,
      subject: this.name,
      signal,
    });
  }

  private async read(file: string): Promise<string> {
    // It may end well and write nothing, where the disk is full.
    const size = await stat(file).then(
      (info) => info.size,
      () => 0,
    );
    return size === 0 ? '' : readFile(file, 'utf8');
  }

  release(): Promise<void> {
    return Promise.resolve();
  }
}

const TYPES: ReadonlyMap<TensorProto_DataType | undefined, ElementType> = new Map([
  [TensorProto_DataType.FLOAT, 'float32'],
  [TensorProto_DataType.FLOAT16, 'float16'],
  [TensorProto_DataType.INT64, 'int64'],
  [TensorProto_DataType.INT32, 'int32'],
  [TensorProto_DataType.UINT8, 'uint8'],
  [TensorProto_DataType.INT8, 'int8'],
  [TensorProto_DataType.BOOL, 'bool'],
]);

function typeOf(graph: Graph, tensor: string): ElementType {
  const type = TYPES.get(graph.elementType(tensor));
  if (type !== undefined) return type;
  throw new InputFault({
    where: `tensor ${tensor}`,
    what: 'has a type that is not read',
    fix: 'Export the model with inputs and outputs of float32, float16, int64, int32, uint8, int8 or bool.',
  });
}
