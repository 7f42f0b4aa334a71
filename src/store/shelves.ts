/** The files of a store, as they go from one machine to another. */
import { mkdir, readFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../faults/index.js';
import type { PackedFile } from './pack.js';

/** What a shelf's file may be called: a kind and a digest. */
const SHELF = /^[a-z][a-z-]*-[0-9a-f]{64}\.shelf$/;
/** Not used yet, so the first to go when room is needed, and not counted as used. */
const BEFORE_MS = 3_600_000;

/**
 * Puts shelves into a store's folder, but for those that are there already.
 * @returns the names that were put there
 */
export async function putShelves(folder: string, files: readonly PackedFile[]): Promise<readonly string[]> {
  const put: string[] = [];
  await mkdir(folder, { recursive: true });
  for (const { name, bytes } of files) {
    if (!SHELF.test(name) || (await isThere(join(folder, name)))) continue;
    const fresh = join(folder, `${name}.${process.pid}.tmp`);
    try {
      await writeFile(fresh, bytes);
      const before = new Date(Date.now() - BEFORE_MS);
      await utimes(fresh, before, before);
      await rename(fresh, join(folder, name));
    } catch (error) {
      // A full disk, above all: nothing half written stays behind.
      await rm(fresh, { force: true });
      throw error;
    }
    put.push(name);
  }
  return put;
}

/**
 * Shelves of a store's folder that were used since a time, then those that are named, until `maxBytes` are full.
 * @param since - milliseconds as of `Date.now()`
 */
export async function takeShelves(
  folder: string,
  since: number,
  named: ReadonlySet<string>,
  maxBytes: number,
): Promise<readonly PackedFile[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  const found: { readonly name: string; readonly used: number; readonly size: number }[] = [];
  for (const name of names.filter((one) => SHELF.test(one))) {
    const { mtimeMs, size } = await stat(join(folder, name));
    if (mtimeMs >= since || named.has(name)) found.push({ name, used: mtimeMs, size });
  }
  const files: PackedFile[] = [];
  let left = maxBytes;
  for (const { name, size } of found.sort((a, b) => b.used - a.used || (a.name < b.name ? -1 : 1))) {
    if (size > left) continue;
    left -= size;
    files.push({ name, bytes: await readFile(join(folder, name)) });
  }
  // By name: the same shelves make the same pack.
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
