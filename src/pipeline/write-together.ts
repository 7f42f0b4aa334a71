import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SurroundingsFault, messageOf, systemCode } from '../faults/index.js';

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/**
 * Writes files that belong together: all into temporary files first, then each into its place, so that a full disk
 * leaves none of them. @throws SurroundingsFault when the folder cannot be written.
 */
export async function writeTogether(
  folder: string,
  files: Readonly<Record<string, Uint8Array | string>>,
): Promise<void> {
  const places = Object.entries(files).map(([name, content]) => {
    const path = join(folder, name);
    return { path, temporary: `${path}.${process.pid}.tmp`, content };
  });
  try {
    await mkdir(folder, { recursive: true });
    for (const { temporary, content } of places) await writeFile(temporary, content);
    for (const { path, temporary } of places) await rename(temporary, path);
  } catch (cause) {
    for (const { temporary } of places) await rm(temporary, { force: true }).catch(() => undefined);
    const full = FULL.has(systemCode(cause) ?? '');
    const bytes = places.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
    throw new SurroundingsFault(
      {
        where: folder,
        what: full
          ? `the disk (or a limit on file sizes) is full: ${messageOf(cause)}`
          : `cannot be written: ${messageOf(cause)}`,
        fix: full
          ? `Make room for ${Math.ceil(bytes / 2 ** 20)} MiB, or name another folder with \`--out\`.`
          : 'Name another folder with `--out`.',
      },
      { cause },
    );
  }
}
