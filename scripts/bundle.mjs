// The bundles: one for the program, and for tests that run from src/ the worker alone.
import { chmod, copyFile, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
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
  const { outputFiles, metafile } = await build({
    ...COMMON,
    entryPoints: ['src/entry.ts'],
    write: false,
    metafile: true,
  });
  const licenses = await licensesOf(Object.keys(metafile.inputs));
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  await writeFile(join(out, 'int8-gate.js'), outputFiles[0].contents);
  await writeFile(join(out, 'LICENSES.txt'), licenses);
  for (const [name, text] of Object.entries(DOORS)) await writeFile(join(out, name), text);
  await copyFile('src/engine/tensorrt/worker.py', join(out, 'tensorrt-worker.py'));
  await chmod(join(out, 'cli.js'), 0o755);
}

/** The licences of the packages whose files are in the bundle: they ask to be handed on with the code. */
async function licensesOf(inputs) {
  const folders = new Set(
    inputs.flatMap((path) => path.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/)?.[0] ?? []),
  );
  const parts = await Promise.all(
    [...folders].map(async (folder) => {
      const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
      const files = (await readdir(folder))
        .filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
        .sort();
      const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
      const title = `${name} ${version} (${license ?? 'see below'})`;
      return [title, ...texts.map((text) => text.replaceAll('\r\n', '\n').trim())].join('\n\n');
    }),
  );
  const line = `\n\n${'-'.repeat(80)}\n\n`;
  return ['Packages inside int8-gate.js and their licences.', ...new Set(parts.sort())].join(line) + '\n';
}

/** Builds only the engine's worker: what tests need that run the rooms from source. */
export async function buildWorker(out) {
  await mkdir(out, { recursive: true });
  await build({ ...COMMON, entryPoints: ['src/engine/worker-entry.ts'], outfile: join(out, 'worker.js') });
}
