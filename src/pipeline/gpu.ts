import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createTensorRtEngine,
  gpuState,
  lockGpu,
  noiseOf,
  type GpuState,
  type TensorRtEngine,
} from '../engine/index.js';
import type { Settings } from '../settings/index.js';
import { userCacheFolder } from '../store/index.js';
import type { Context } from './context.js';

/** The GPU of this run: locked, its state noted, TensorRT ready. */
export interface Gpu {
  readonly engine: TensorRtEngine;
  readonly state: GpuState | { readonly unknown: string };
  /** Why latencies are not to be trusted; empty when they are. */
  readonly noise: readonly string[];
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
  const { engine } = await startEngine(settings, context.signal);
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
    const { engine: tensorrt, warnings } = await startEngine(settings, context.signal);
    const state = await gpuState(tensorrt.hello.gpu.bus, [
      process.pid,
      tensorrt.pid,
      tensorrt.hello.pid ?? -1,
    ]);
    return {
      engine: tensorrt,
      state,
      noise: noiseOf(state),
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
  signal: AbortSignal,
): Promise<{ readonly engine: TensorRtEngine; readonly warnings: ReadonlySet<string> }> {
  const { python, gpu, optimizationLevel, workspaceMiB, timeoutMinutes, dla } = settings.engine.tensorrt;
  const warnings = new Set<string>();
  const engine = await createTensorRtEngine({
    python,
    gpu,
    batch: settings.engine.batch === 'auto' ? 1 : settings.engine.batch,
    optimizationLevel,
    workspaceMiB,
    cache: cacheOf(settings),
    workspace: process.env.GITHUB_WORKSPACE,
    timeoutMs: timeoutMinutes * 60_000,
    dla,
    onWarning: (message) => warnings.add(message),
    signal,
  });
  return { engine, warnings };
}
