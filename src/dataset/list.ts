/** Folders of images without annotations: calibration sets. */
import { extname, join } from 'node:path';
import { InputFault } from '../faults/index.js';
import { readFolder } from './files.js';
import type { ImageRecord } from './types.js';

/** File name endings that count as images. */
export const IMAGE_EXTENSIONS: ReadonlySet<string> = new Set([
  '.jpg',
  '.jpeg',
  '.jpe',
  '.png',
  '.bmp',
  '.webp',
  '.tif',
  '.tiff',
  '.gif',
  '.avif',
]);

/** Whether a file name ends like an image. */
export function looksLikeImage(name: string): boolean {
  return IMAGE_EXTENSIONS.has(extname(name).toLowerCase());
}

/**
 * The images of a folder (not of its subfolders), sorted by name in code-unit
 * order, ids 1, 2, 3 …; sizes are 0 (unknown until decoded).
 * @throws InputFault when the folder is missing or holds no image
 */
export async function listImages(folder: string): Promise<ImageRecord[]> {
  const entries = await readFolder(folder, 'folder of images');
  const names = entries
    .filter((entry) => !entry.isDirectory() && looksLikeImage(entry.name))
    .map((e) => e.name);
  if (names.length === 0) {
    throw new InputFault({
      where: folder,
      what: `holds no image${entries.length > 0 ? ` (${entries.length} other entries)` : ''}`,
      fix: `Put images (${[...IMAGE_EXTENSIONS].join(' ')}) right into this folder; subfolders are not searched.`,
    });
  }
  return names.map((name, i) => ({ id: i + 1, name, file: join(folder, name), width: 0, height: 0 }));
}
