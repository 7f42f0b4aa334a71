/** Sizes of images from their headers, and what annotations say of them. */
import { availableParallelism } from 'node:os';
import { InputFault, type Problem } from '../faults/index.js';
import { readImageHeader, shownSize, type ImageHeader } from './decode.js';
import { limit } from './limit.js';
import { Problems } from './problems.js';
import type { ImageRecord } from './types.js';

interface Measured {
  readonly record: ImageRecord;
  readonly wrong: readonly Problem[];
}

/** Runs a job for each item, a few at a time; results in order. */
export async function eachOf<T, R>(
  items: readonly T[],
  job: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const gate = limit(2 * availableParallelism());
  return Promise.all(items.map((item, i) => gate(() => job(item, i))));
}

/**
 * Fills in sizes that the annotations lack (0) and notes those that contradict the image: boxes drawn on another size
 * would be held against the wrong pixels. Only headers are read.
 * @param exif - whether images will be turned as their EXIF orientation says
 */
export async function measureImages(
  records: readonly ImageRecord[],
  exif: boolean,
  problems: Problems,
): Promise<ImageRecord[]> {
  const measured = await eachOf(records, async (record): Promise<Measured> => {
    try {
      const header = await readImageHeader(record.file);
      if (record.width === 0 || record.height === 0)
        return { record: { ...record, ...shownSize(header, exif) }, wrong: [] };
      const wrong = otherSize(record, header, exif);
      return { record, wrong: wrong === undefined ? [] : [wrong] };
    } catch (error) {
      if (!(error instanceof InputFault)) throw error;
      return { record, wrong: error.problems };
    }
  });
  for (const { wrong } of measured) for (const { where, what, fix } of wrong) problems.add(where, what, fix);
  return measured.map(({ record }) => record);
}

/**
 * Records with the sizes of their images, which are known to have a header that can be read.
 * @param source - what holds the images, for the message
 * @throws InputFault naming every image that cannot be read
 */
export async function checkImages(
  records: readonly ImageRecord[],
  exif: boolean,
  source: string,
): Promise<ImageRecord[]> {
  const problems = new Problems();
  const measured = await measureImages(records, exif, problems);
  problems.throwIfAny(source);
  return measured;
}

/** What is wrong when an image has another size than its annotations say; undefined when they agree or say nothing. */
export function otherSize(record: ImageRecord, header: ImageHeader, exif: boolean): Problem | undefined {
  const fits = ({ width, height }: { readonly width: number; readonly height: number }): boolean =>
    record.width === width && record.height === height;
  const shown = shownSize(header, exif);
  if (record.width === 0 || record.height === 0 || fits(shown)) return undefined;
  const { orientation } = header;
  const turned =
    orientation === 1 ? '' : ` (EXIF orientation ${orientation}, ${exif ? 'followed' : 'left aside'})`;
  return {
    where: record.file,
    what: `is ${shown.width}×${shown.height} pixels${turned}, the annotations say ${record.width}×${record.height}`,
    fix: fits(shownSize(header, !exif))
      ? `The annotations were made on the image ${exif ? 'as stored' : 'as shown'}: set \`preprocessing.exif: ${String(!exif)}\`.`
      : 'The boxes would not fit: use the images that were annotated.',
  };
}
