/** What benchmarks of whole jobs need: the engine's worker, and a context that says nothing. */
import { build } from 'esbuild';
import type { Context } from '../src/pipeline/context.js';

/** Builds the worker beside the benchmark, as the bundle of the program has it. */
export async function buildWorker(): Promise<void> {
  await build({
    entryPoints: ['src/engine/worker-entry.ts'],
    outfile: 'build/bench/worker.js',
    bundle: true,
    format: 'esm',
    platform: 'node',
    external: ['onnxruntime-node', 'sharp'],
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
    },
  });
}

export const quietContext: Context = {
  signal: new AbortController().signal,
  out: 'build/bench/report',
  progress: { phase: () => undefined, update: () => undefined, end: () => undefined },
};
