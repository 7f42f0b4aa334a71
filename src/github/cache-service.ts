/**
 * GitHub's cache service through @actions/cache, with one difference: what comes back is read as bytes. The package
 * itself unpacks with `tar -P`, which lets whoever made the archive write to any path of the machine.
 */
import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';
import { isFeatureAvailable, saveCache } from '@actions/cache';
import * as core from '@actions/core';
// Not among what the package exports, and pinned with it by the lock file.
import {
  downloadCache,
  getCacheEntry,
} from '../../node_modules/@actions/cache/lib/internal/cacheHttpClient.js';
import {
  getCacheVersion,
  getCompressionMethod,
} from '../../node_modules/@actions/cache/lib/internal/cacheUtils.js';
import {
  getCacheServiceVersion,
  getCacheMode,
  isCacheReadable,
} from '../../node_modules/@actions/cache/lib/internal/config.js';
import { CompressionMethod } from '../../node_modules/@actions/cache/lib/internal/constants.js';
import { internalCacheTwirpClient } from '../../node_modules/@actions/cache/lib/internal/shared/cacheTwirpClient.js';
import { temporaryFolder } from './temporary.js';

/** The one file of an entry. Its path is part of what GitHub finds the entry by, so all machines call it the same. */
const FILE = 'int8-gate.pack';

/** Most bytes of an entry, packed and unpacked. */
export const MOST_BYTES = 256 * 2 ** 20;

/** How long to wait for a part of an answer, and between tries, in milliseconds. */
export interface CachePatience {
  readonly timeoutMs: number;
  readonly firstMs: number;
}

/** What was found. */
export interface CacheEntry {
  readonly key: string;
  readonly bytes: Uint8Array;
}

/** Whether this runner has a cache that may be read. */
export function hasCache(): boolean {
  return isFeatureAvailable() && isCacheReadable(getCacheMode());
}

/** What GitHub tells entries apart by besides their key: the path inside, and how the archive is compressed. */
export async function entryVersion(): Promise<string> {
  return getCacheVersion([FILE], await getCompressionMethod());
}

/**
 * The entry of a key, else the newest whose key begins with one of `prefixes`, in their order. Nothing is unpacked to disk.
 * @throws Error when the service cannot be reached, or the entry is no archive
 */
export async function fetchEntry(
  key: string,
  prefixes: readonly string[],
  patience: CachePatience,
): Promise<CacheEntry | undefined> {
  const method = await getCompressionMethod();
  const found = await locate(key, prefixes, method, patience);
  if (found === undefined) return undefined;
  core.setSecret(found.url);
  const folder = await temporaryFolder('int8-gate-cache-');
  try {
    const archive = join(folder, 'archive');
    await downloadCache(found.url, archive, {
      timeoutInMs: patience.timeoutMs,
      segmentTimeoutInMs: 4 * patience.timeoutMs,
    });
    if ((await stat(archive)).size > MOST_BYTES) throw new Error('the entry is too large');
    return { key: found.key, bytes: onlyFile(await decompressed(archive, method)) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function locate(
  key: string,
  prefixes: readonly string[],
  method: CompressionMethod,
  { firstMs }: CachePatience,
): Promise<{ readonly key: string; readonly url: string } | undefined> {
  if (getCacheServiceVersion() === 'v2') {
    const client = internalCacheTwirpClient({ maxAttempts: 3, retryIntervalMs: Math.max(1, firstMs) });
    const version = getCacheVersion([FILE], method);
    const answer = await client.GetCacheEntryDownloadURL({ key, restoreKeys: [...prefixes], version });
    return answer.ok ? { key: answer.matchedKey, url: answer.signedDownloadUrl } : undefined;
  }
  const entry = await getCacheEntry([key, ...prefixes], [FILE], { compressionMethod: method });
  return entry?.cacheKey === undefined || entry.archiveLocation === undefined
    ? undefined
    : { key: entry.cacheKey, url: entry.archiveLocation };
}

/** The archive inside, or an error before more than an entry may have is in memory. */
async function decompressed(archive: string, method: CompressionMethod): Promise<Buffer> {
  // A block of 512 bytes for the name, one or two for its long form, and the end.
  const most = MOST_BYTES + 2 ** 20;
  if (method !== CompressionMethod.Gzip) {
    // As the package packs; a longer window only takes memory.
    const window = method === CompressionMethod.Zstd ? ['--long=30'] : [];
    const { stdout } = await promisify(execFile)('zstd', ['-d', '-c', '-q', ...window, archive], {
      encoding: 'buffer',
      maxBuffer: most,
    });
    return stdout;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of createReadStream(archive).pipe(createGunzip())) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > most) throw new Error('the entry is too large');
  }
  return Buffer.concat(chunks);
}

const BLOCK = 512;
/** Type of a tar header that is about the next one: a long name, times with fractions. */
const ABOUT_NEXT = /[xgLK]/;

/**
 * The content of the first file of a tar archive (POSIX.1-1988 ustar, with pax headers passed over). Its name is of no
 * interest: nothing is written by it.
 * @throws Error when there is none
 */
export function onlyFile(tar: Uint8Array): Uint8Array {
  const all = Buffer.from(tar.buffer, tar.byteOffset, tar.length);
  for (let at = 0; at + BLOCK <= all.length;) {
    const type = String.fromCharCode(all[at + 156] ?? 0);
    const size = Number.parseInt(all.toString('latin1', at + 124, at + 135).trim(), 8);
    if (!Number.isSafeInteger(size) || size < 0) break;
    const content = all.subarray(at + BLOCK, at + BLOCK + size);
    if (type === '0' || type === '\0') return content;
    if (!ABOUT_NEXT.test(type)) break;
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  throw new Error('the entry is no archive of one file');
}

/** Saves an entry. @returns whether it is there now; one that another job saved meanwhile is not */
export async function saveEntry(key: string, bytes: Uint8Array): Promise<boolean> {
  const folder = await temporaryFolder('int8-gate-cache-');
  const before = process.cwd();
  try {
    await writeFile(join(folder, FILE), bytes);
    // The package looks for relative paths from here; a fixed folder is one that two runners of a machine share.
    process.chdir(folder);
    return (await saveCache([FILE], key)) >= 0;
  } finally {
    process.chdir(before);
    await rm(folder, { recursive: true, force: true });
  }
}
