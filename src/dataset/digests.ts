import { createHash } from 'node:crypto';
import { readBytes } from './files.js';
import { eachOf } from './sizes.js';
import type { GroundTruth, ImageRecord } from './types.js';

/** Digits of a digest that is kept for each image. */
const DIGITS = 16;

/** SHA-256 of each image's file, its first 16 hexadecimal digits, in the order of the records. */
export async function imageDigests(records: readonly ImageRecord[]): Promise<string[]> {
  return eachOf(records, async ({ file }) =>
    createHash('sha256')
      .update(await readBytes(file, 'image'))
      .digest('hex')
      .slice(0, DIGITS),
  );
}

/** SHA-256 over what is evaluated on: classes, images with their content, and boxes. Paths and the file's layout do not count. */
export async function truthDigest({ images, categories, annotations }: GroundTruth): Promise<string> {
  const hash = createHash('sha256');
  const files = await imageDigests(images);
  hash.update(JSON.stringify(categories.map(({ id, name }) => [id, name])));
  hash.update(JSON.stringify(images.map(({ id, name }, i) => [id, name, files[i]])));
  const { image, category, bbox, area, crowd, ignore } = annotations;
  for (const column of [image, category, bbox, area, crowd, ignore])
    hash.update(new Uint8Array(column.buffer, column.byteOffset, column.byteLength));
  return hash.digest('hex');
}
