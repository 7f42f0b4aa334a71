import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createTensorRtEngine,
  createTrtexecEngine,
  gpuState,
  lockGpu,
  noiseOf,
  type GpuState,
  type RealEngine,
  type Slowdown,
  TrtexecMissing,
  WorkerMissing,
  watchSlowdowns,
} from '../engine/index.js';
import type { Settings } from '../settings/index.js';
import { userCacheFolder } from '../store/index.js';
import type { Context } from './context.js';

/** The GPU of this run: locked, its state noted, TensorRT ready. */
export interface Gpu {
  readonly engine: RealEngine;
  readonly state: GpuState | { readonly unknown: string };
  /** Why latencies are not to be trusted; empty when they are. */
  readonly noise: readonly string[];
  /** Looks whether others have come meanwhile; what is found is among {@link noise} then. */
  lookAgain(): Promise<void>;
  /**
   * Does a job that measures times; what slows the GPU down meanwhile is among {@link slowdowns} then.
   * @param name - what is timed, for people: `INT8 engine`
   */
  timed<T>(name: string, job: () => Promise<T>): Promise<T>;
  /** What was timed while each reason held. */
  readonly slowdowns: ReadonlyMap<Slowdown, readonly string[]>;
  /** Why it is not known what slowed the GPU down; undefined where it is. */
  readonly slowdownsUnknown: string | undefined;
  /** What the library warned of, each once. */
  readonly warnings: readonly string[];
  close(): Promise<void>;
}

const POLL_MS = 2000;

/**
 * Starts TensorRT and ends it again, so that what is missing is told before minutes are spent on simulation. Takes no
 * lock: another run may still be building.
 */
export async function probeGpu(settings: Settings, context: Context): Promise<void> {
  if (settings.engine.name !== 'tensorrt') return;
  context.progress.phase('Looking for TensorRT');
  const { engine } = await startEngine(settings, context);
  await engine.close();
}

/**
 * Takes the GPU, waiting for other runs, and starts TensorRT on it.
 * @returns undefined where the settings want no real engine
 * @throws SurroundingsFault when Python, TensorRT or the GPU is missing, or another run does not end
 */
export async function openGpu(settings: Settings, context: Context): Promise<Gpu | undefined> {
  const { engine } = settings;
  if (engine.name !== 'tensorrt') return undefined;
  const { gpu, waitMinutes } = engine.tensorrt;
  const cache = cacheOf(settings);
  await mkdir(cache, { recursive: true, mode: 0o700 });
  const lock = await lockGpu(join(cache, `gpu-${gpu}.lock`), {
    patienceMs: waitMinutes * 60_000,
    pollMs: POLL_MS,
    signal: context.signal,
    onWait: (holder) => context.progress.phase(`Waiting for the GPU: in use by ${holder}`),
  });
  try {
    context.progress.phase('Starting TensorRT');
    const { engine: tensorrt, warnings } = await startEngine(settings, context);
    const ours = [process.pid, tensorrt.pid, tensorrt.hello.pid ?? -1];
    const look = (): ReturnType<typeof gpuState> => gpuState(tensorrt.hello.gpu.bus, ours);
    const state = await look();
    const noise = [...noiseOf(state)];
    const slowdowns = new Map<Slowdown, string[]>();
    let slowdownsUnknown: string | undefined;
    return {
      engine: tensorrt,
      state,
      noise,
      lookAgain: async () => {
        const later = await look();
        // How busy it is now is our own doing.
        if ('unknown' in later || noise.length > 0) return;
        noise.push(
          ...noiseOf({ ...later, utilization: undefined }).map((one) => `${one}, since the first engine ran`),
        );
      },
      timed: async (name, job) => {
        const watched = await watchSlowdowns(tensorrt.hello.gpu.bus, job);
        if ('unknown' in watched.slowdowns) slowdownsUnknown ??= watched.slowdowns.unknown;
        else for (const one of watched.slowdowns) slowdowns.set(one, [...(slowdowns.get(one) ?? []), name]);
        return watched.result;
      },
      slowdowns,
      get slowdownsUnknown() {
        return slowdownsUnknown;
      },
      get warnings() {
        return [...warnings];
      },
      close: async () => {
        await tensorrt.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Where built engines are kept: on the runner, outside every checkout. */
function cacheOf({ engine }: Settings): string {
  return engine.tensorrt.cache ?? join(userCacheFolder(), 'engines');
}

async function startEngine(
  settings: Settings,
  { signal, progress }: Context,
): Promise<{ readonly engine: RealEngine; readonly warnings: ReadonlySet<string> }> {
  const { python, trtexec, gpu, optimizationLevel, workspaceMiB, timeoutMinutes, dla } =
    settings.engine.tensorrt;
  const warnings = new Set<string>();
  const common = {
    gpu,
    batch: settings.engine.batch === 'auto' ? 1 : settings.engine.batch,
    optimizationLevel,
    workspaceMiB,
    cache: cacheOf(settings),
    workspace: process.env.GITHUB_WORKSPACE,
    timeoutMs: timeoutMinutes * 60_000,
    dla,
    signal,
  };
  try {
    const onWarning = (message: string): void => void warnings.add(message);
    return { engine: await createTensorRtEngine({ ...common, python, onWarning }), warnings };
  } catch (error) {
    if (!(error instanceof WorkerMissing)) throw error;
    const { where, what } = error.problem;
    const because = where === python ? what : `${where} ${what}`;
    // Where trtexec is missing too, Python is what there should be.
    const engine = await createTrtexecEngine({ ...common, trtexec, because }).catch((other: unknown) => {
      if (!(other instanceof TrtexecMissing)) throw other;
      throw error;
    });
    progress.phase(`TensorRT by trtexec ${engine.version} alone: ${because}`);
    return { engine, warnings };
  }
}
