/** TensorRT by trtexec alone, where no Python has it: engines are built and run by a process each time. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { InputFault } from '../../faults/index.js';
import { buildGraph, encodeModel, exposeOutputs, parseModel, type Graph } from '../../onnx/index.js';
import type { EngineModel, LoadOptions } from '../types.js';
import type { TensorRtOptions } from './engine.js';
import type { RealEngine } from './real.js';
import type { Hello } from './protocol.js';
import { EngineStore, openStore, type EngineRecord } from './store.js';
import { quoted } from './trtexec-files.js';
import { TrtexecModel } from './trtexec-model.js';
import { runTrtexec, trtexecVersion, type Trtexec } from './trtexec-process.js';

/** As of {@link TensorRtOptions}, with trtexec in place of Python. */
export interface TrtexecOptions extends Omit<TensorRtOptions, 'python' | 'script' | 'startMs' | 'onWarning'> {
  readonly trtexec: string;
  /** Why Python is not used. */
  readonly because: string;
  readonly nvidiaSmi?: string;
}

/** @throws SurroundingsFault when trtexec is not there, cannot run, or is older than 8.6 */
export async function createTrtexecEngine(options: TrtexecOptions): Promise<TrtexecEngine> {
  const store = await openStore(options.cache, options.workspace);
  const trtexec = { program: options.trtexec, gpu: options.gpu };
  const tensorrt = await trtexecVersion(trtexec);
  const hello = await helloOf(tensorrt, options.gpu, options.nvidiaSmi);
  return new TrtexecEngine(options, trtexec, store, hello);
}

/** What the worker would say, as far as trtexec and nvidia-smi tell it. */
async function helloOf(tensorrt: string, gpu: number, program = 'nvidia-smi'): Promise<Hello> {
  const major = Number(tensorrt.split('.')[0]);
  const fields = ['pci.bus_id', 'compute_cap', 'memory.total', 'memory.free', 'driver_version'];
  const cells = await promisify(execFile)(
    program,
    [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits', `--id=${gpu}`],
    { timeout: 20_000 },
  ).then(
    ({ stdout }) => (stdout.split('\n')[0] ?? '').split(',').map((cell) => cell.trim()),
    () => [], // told as an unknown state of the GPU, which makes latencies inconclusive
  );
  const mebibytes = (text: string | undefined): number => (Number.parseFloat(text ?? '') || 0) * 2 ** 20;
  return {
    event: 'ready',
    protocol: 1,
    tensorrt,
    python: '',
    cuda: { runtime: 'unknown', driver: cells[4] ?? 'unknown' },
    capabilities: { weak: major <= 10, strong: major >= 10, calibrators: false, obey: false, dla: false },
    gpu: {
      index: gpu,
      bus: cells[0] ?? '',
      computeCapability: cells[1] ?? 'unknown',
      memoryBytes: mebibytes(cells[2]),
      freeBytes: mebibytes(cells[3]),
    },
  };
}

/** Builds engines with trtexec. */
export class TrtexecEngine implements RealEngine {
  readonly name = 'tensorrt';
  readonly threads = 1;
  readonly pid = -1;

  constructor(
    private readonly options: TrtexecOptions,
    private readonly trtexec: Trtexec,
    private readonly store: EngineStore,
    readonly hello: Hello,
  ) {}

  get version(): string {
    return this.hello.tensorrt;
  }

  get batch(): number {
    return this.options.batch;
  }

  /** Why Python is not used. */
  get because(): string {
    return this.options.because;
  }

  get typing(): 'weak' | 'strong' {
    return this.hello.capabilities.weak ? 'weak' : 'strong';
  }

  async load(model: EngineModel, { extraOutputs = [] }: LoadOptions = {}): Promise<TrtexecModel> {
    const proto = parseModel(model.bytes, model.name).proto;
    const shown = extraOutputs.length === 0 ? proto : exposeOutputs(proto, extraOutputs);
    const bytes = extraOutputs.length === 0 ? model.bytes : encodeModel(shown);
    const graph = buildGraph(parseModel(bytes, model.name));
    const flags = this.flagsOf(model, graph);
    const { tensorrt, gpu } = this.hello;
    const key = EngineStore.key(bytes, {
      by: 'trtexec',
      flags,
      tensorrt,
      gpu: [gpu.bus, gpu.computeCapability],
    });
    const engine = this.store.path(key, 'engine');
    const kept = await this.find(key, engine);
    const record = kept ?? (await this.build(key, engine, bytes, flags, model.name));
    return new TrtexecModel(this.trtexec, model.name, engine, record, graph, this.options, this.typing);
  }

  /** A kept engine that is still the one that was built. */
  private async find(key: string, engine: string): Promise<EngineRecord | undefined> {
    const record = await this.store.find(key);
    if (record === undefined || this.hello.gpu.bus === '') return undefined;
    const bytes = await readFile(engine).catch(() => undefined);
    return bytes !== undefined && digestOf(bytes) === record.digest ? record : undefined;
  }

  private flagsOf({ precision = 'fp32', shapes = {}, name }: EngineModel, graph: Graph): readonly string[] {
    const { batch, optimizationLevel, workspaceMiB, dla } = this.options;
    if (dla !== undefined)
      throw new InputFault({
        where: name,
        what: 'engine.tensorrt.dla is not supported with trtexec alone',
        fix: 'Leave the key out, or install TensorRT for a Python.',
      });
    const range = (count: number): string | undefined => {
      const free = graph.inputs.flatMap((input) => {
        const dims = shapes[input] ?? graph.shape(input) ?? [];
        if ((graph.shape(input) ?? []).every((dim) => dim > 0)) return [];
        return [`${quoted(input)}:${[count, ...dims.slice(1)].join('x')}`];
      });
      return free.length === 0 ? undefined : free.join(',');
    };
    const [low, high] = [range(1), range(batch)];
    // From TensorRT 11 on precisions come from the file alone.
    const weak = { fp32: [], fp16: ['--fp16'], int8: ['--int8', '--fp16'] }[precision];
    return [
      ...(this.typing === 'weak' ? weak : []),
      '--noTF32',
      '--profilingVerbosity=detailed',
      `--builderOptimizationLevel=${optimizationLevel}`,
      ...(workspaceMiB === undefined ? [] : [`--memPoolSize=workspace:${workspaceMiB}`]),
      ...(low === undefined || high === undefined
        ? []
        : [`--minShapes=${low}`, `--optShapes=${high}`, `--maxShapes=${high}`]),
    ];
  }

  private async build(
    key: string,
    engine: string,
    bytes: Uint8Array,
    flags: readonly string[],
    name: string,
  ): Promise<EngineRecord> {
    const { tensorrt, gpu } = this.hello;
    const onnx = this.store.path(key, 'onnx');
    const timing = this.store.path(
      EngineStore.key(new Uint8Array(0), { by: 'trtexec', tensorrt, gpu: gpu.computeCapability }),
      'timing',
    );
    const fresh = `${engine}.${process.pid}.tmp`;
    const started = Date.now();
    await writeFile(onnx, bytes);
    try {
      await runTrtexec(
        this.trtexec,
        [
          `--onnx=${onnx}`,
          `--saveEngine=${fresh}`,
          '--skipInference',
          `--timingCacheFile=${timing}`,
          ...flags,
        ],
        { timeoutMs: this.options.timeoutMs, subject: name, signal: this.options.signal },
      );
      const made = await readFile(fresh);
      await rename(fresh, engine);
      const record = {
        digest: digestOf(made),
        engineBytes: made.length,
        seconds: (Date.now() - started) / 1000,
      };
      await this.store.keep(key, record);
      return record;
    } finally {
      await rm(onnx, { force: true });
      await rm(fresh, { force: true });
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
