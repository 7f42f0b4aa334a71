import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, copyFile, mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import * as tools from '@actions/tool-cache';
import { SurroundingsFault, messageOf } from '../faults/index.js';
import { setNativeRoot } from '../native/index.js';
import { temporaryFolder } from './temporary.js';

const run = promisify(execFile);
const TOOL = 'int8-gate-native';
const PACKAGES = ['onnxruntime-node', 'sharp'] as const;
const TIMEOUT_MS = 10 * 60_000;

/**
 * Makes onnxruntime-node and sharp loadable: from beside the action where they are baked in, else from the runner's
 * tool cache, where they are installed once as the action's lock file pins them.
 * @throws SurroundingsFault when they cannot be installed.
 */
export async function ensureNativePackages(actionRoot: string, say: (line: string) => void): Promise<void> {
  if (resolves(actionRoot)) return setNativeRoot(actionRoot);
  const version = await cacheVersion(actionRoot);
  const cached = tools.find(TOOL, version, process.arch);
  if (cached !== '' && resolves(cached)) return setNativeRoot(cached);
  say('Installing onnxruntime-node and sharp into the tool cache; later runs reuse them.');
  const staging = await temporaryFolder('int8-gate-');
  try {
    await install(actionRoot, staging);
    await prune(staging);
    const kept = await tools.cacheDir(staging, TOOL, version, process.arch);
    if (!resolves(kept)) throw new Error('the packages were installed and still cannot be found');
    setNativeRoot(kept);
  } catch (cause) {
    throw new SurroundingsFault(
      {
        where: 'native packages',
        what: `onnxruntime-node and sharp cannot be installed: ${messageOf(cause).split('\n').slice(0, 3).join(' ')}`,
        fix: 'The runner needs npm and a package registry once, or `npm ci --omit=dev --ignore-scripts` run in the folder of the action when its image is made.',
      },
      { cause },
    );
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

function resolves(root: string): boolean {
  const require = createRequire(join(root, 'package.json'));
  return PACKAGES.every((name) => {
    try {
      require.resolve(name);
      return true;
    } catch {
      return false; // not being there is an answer, not a fault
    }
  });
}

/** A semantic version from what decides the packages: lock file, platform, Node's ABI. */
async function cacheVersion(actionRoot: string): Promise<string> {
  const lock = await readFile(join(actionRoot, 'package-lock.json'));
  const hash = createHash('sha256')
    .update(lock)
    .update(`${process.platform}-${process.versions.modules}`)
    .digest('hex');
  return `1.0.0-${hash.slice(0, 16)}`;
}

async function install(actionRoot: string, staging: string): Promise<void> {
  for (const name of ['package.json', 'package-lock.json'])
    await copyFile(join(actionRoot, name), join(staging, name));
  const args = ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
  const environment = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' };
  const bundled = join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js');
  const hasBundled = await access(bundled).then(
    () => true,
    () => false,
  );
  const [file, before] = hasBundled ? [process.execPath, [bundled]] : ['npm', []];
  await run(file, [...before, ...args], {
    cwd: staging,
    env: environment,
    timeout: TIMEOUT_MS,
    maxBuffer: 2 ** 26,
  });
}

/** onnxruntime-node carries the libraries of all platforms in one package; the others' are dropped. */
async function prune(staging: string): Promise<void> {
  const binaries = join(staging, 'node_modules', 'onnxruntime-node', 'bin');
  for (const api of await readdir(binaries))
    for (const platform of await readdir(join(binaries, api))) {
      const folder = join(binaries, api, platform);
      if (platform !== process.platform) await rm(folder, { recursive: true, force: true });
      else
        for (const arch of await readdir(folder))
          if (arch !== process.arch) await rm(join(folder, arch), { recursive: true, force: true });
    }
  await mkdir(staging, { recursive: true });
}
