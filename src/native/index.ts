/**
 * The two packages with native code, which cannot be bundled: onnxruntime-node and sharp.
 *
 * They are resolved at run time from the folder that holds them: the package's
 * own `node_modules`, or the folder in the runner's tool cache that the action
 * prepared (`setNativeRoot`). Worker threads are told the same folder.
 */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { SurroundingsFault } from '../faults/index.js';

let root: string | undefined;
const loaded = new Map<string, unknown>();

/** Resolve native packages from `dir/node_modules` from now on. */
export function setNativeRoot(dir: string | undefined): void {
  root = dir;
  loaded.clear();
}

/** The folder given to {@link setNativeRoot}, to hand on to a worker thread. */
export function nativeRoot(): string | undefined {
  return root;
}

/** onnxruntime-node. @throws SurroundingsFault when it is not installed or does not load here. */
export function onnxruntime(): typeof import('onnxruntime-node') {
  return load('onnxruntime-node');
}

/** sharp. @throws SurroundingsFault when it is not installed or does not load here. */
export function sharp(): typeof import('sharp').default {
  return load('sharp');
}

function load<T>(name: string): T {
  const known = loaded.get(name);
  if (known !== undefined) return known as T;
  const from = root === undefined ? import.meta.url : pathToFileURL(join(root, 'package.json')).href;
  try {
    const module: unknown = createRequire(from)(name);
    loaded.set(name, module);
    return module as T;
  } catch (cause) {
    throw new SurroundingsFault(
      {
        where: name,
        what: `the native package cannot be loaded on ${process.platform}-${process.arch}, Node ${process.version}: ${cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause)}`,
        fix: 'Install it with `npm ci --ignore-scripts` in the folder of int8-gate; `int8-gate doctor` tells what is missing.',
      },
      { cause },
    );
  }
}
