// The bundles: one for the program, and for tests that run from src/ the worker alone.
import { mkdir, readFile, rm, writeFile, chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));

const COMMON = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: ['onnxruntime-node', 'sharp'],
  legalComments: 'none',
  charset: 'utf8',
  logLevel: 'warning',
  define: { INT8_GATE_VERSION: JSON.stringify(version) },
  // CommonJS packages inside the bundle call require() for Node's own modules.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
  },
};

const DOORS = {
  'index.js': "import { action } from './int8-gate.js';\nawait action();\n",
  'cli.js': "#!/usr/bin/env node\nimport { cli } from './int8-gate.js';\nawait cli();\n",
  'worker.js': "import { worker } from './int8-gate.js';\nawait worker();\n",
};

/** Builds the program into `out`. */
export async function buildAll(out) {
  // Built before anything is removed: a mistake in src/ leaves the old bundle as it was.
  const { outputFiles } = await build({ ...COMMON, entryPoints: ['src/entry.ts'], write: false });
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  await writeFile(join(out, 'int8-gate.js'), outputFiles[0].contents);
  for (const [name, text] of Object.entries(DOORS)) await writeFile(join(out, name), text);
  await chmod(join(out, 'cli.js'), 0o755);
}

/** Builds only the engine's worker: what tests need that run the rooms from source. */
export async function buildWorker(out) {
  await mkdir(out, { recursive: true });
  await build({ ...COMMON, entryPoints: ['src/engine/worker-entry.ts'], outfile: join(out, 'worker.js') });
}
