/** Reading of files, with system errors turned into faults that name the file. */
import { open, readFile, readdir, stat } from 'node:fs/promises';
import type { Dirent } from 'node:fs';
import { join } from 'node:path';
import { InputFault, SurroundingsFault, messageOf, systemCode } from '../faults/index.js';

function faultOf(error: unknown, path: string, kind: string): Error {
  const code = systemCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new InputFault(
      {
        where: path,
        what: `this ${kind} does not exist`,
        fix: 'Check the path; in a settings file it is relative to that file.',
      },
      { cause: error },
    );
  }
  if (code === 'EISDIR') {
    return new InputFault(
      { where: path, what: `this is a folder, no ${kind}`, fix: 'Name the file itself.' },
      { cause: error },
    );
  }
  if (code === 'ERR_FS_FILE_TOO_LARGE') {
    return new InputFault(
      {
        where: path,
        what: `the ${kind} has more than the 2 GiB that can be read`,
        fix: 'Drop segmentations (only boxes are used) or split the set.',
      },
      { cause: error },
    );
  }
  return new SurroundingsFault(
    {
      where: path,
      what: `cannot read the ${kind}: ${messageOf(error)}`,
      fix: 'Check the permissions of the file, and the disk.',
    },
    { cause: error },
  );
}

/**
 * A whole file, or its first `most` bytes.
 * @throws InputFault when the file does not exist, SurroundingsFault when it cannot be read.
 */
export async function readBytes(path: string, kind: string, most?: number): Promise<Buffer> {
  try {
    return most === undefined ? await readFile(path) : await readStart(path, most);
  } catch (error) {
    throw faultOf(error, path, kind);
  }
}

async function readStart(path: string, most: number): Promise<Buffer> {
  const handle = await open(path);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(most), 0, most, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Entries of a folder, sorted by name in code-unit order (the same on every machine). */
export async function readFolder(path: string, kind: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  } catch (error) {
    if (systemCode(error) === 'ENOTDIR') {
      throw new InputFault(
        { where: path, what: `this is a file, a ${kind} is needed`, fix: 'Name the folder itself.' },
        { cause: error },
      );
    }
    throw faultOf(error, path, kind);
  }
}

/** Paths of the files in a folder and its subfolders, sorted in code-unit order. Links to folders are not followed. */
export async function filesBelow(path: string, kind: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readFolder(path, kind)) {
    const inside = join(path, entry.name);
    if (entry.isDirectory()) found.push(...(await filesBelow(inside, kind)));
    else found.push(inside);
  }
  return found.sort();
}

/** The text of a file, undefined when there is none. */
export async function readTextIfThere(path: string, kind: string): Promise<string | undefined> {
  return (await kindOf(path)) === 'none' ? undefined : (await readBytes(path, kind)).toString('utf8');
}

/** What a path is; `none` when nothing is there. */
export async function kindOf(path: string): Promise<'file' | 'folder' | 'none'> {
  try {
    const found = await stat(path);
    return found.isDirectory() ? 'folder' : 'file';
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return 'none';
    throw faultOf(error, path, 'file');
  }
}
