import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where programs of this user keep what they can make anew: a folder of ours in it. */
export function userCacheFolder(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const { XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = environment;
  if (platform === 'win32' && local !== undefined && local !== '') return join(local, 'int8-gate', 'cache');
  if (platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'int8-gate');
  // A relative path is invalid by the XDG specification and must be ignored.
  const base = xdg?.startsWith('/') === true ? xdg : join(homedir(), '.cache');
  return join(base, 'int8-gate');
}

let digest: string | undefined;

/**
 * SHA-256 of the program that runs, in hexadecimal: a version number says too little of a build in between.
 * Undefined when it runs from source, which is many files that change one by one.
 */
export function codeDigest(): string | undefined {
  if (import.meta.url.endsWith('.ts')) return undefined;
  digest ??= createHash('sha256')
    .update(readFileSync(fileURLToPath(import.meta.url)))
    .digest('hex');
  return digest;
}
