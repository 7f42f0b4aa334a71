/** Prepared images on demand: decoded once, a few ahead, kept while a memory budget lasts. */
import { availableParallelism } from 'node:os';
import { InputFault } from '../faults/index.js';
import { decodeImage } from './decode.js';
import { limit } from './limit.js';
import { prepareImage } from './preprocess.js';
import { otherSize } from './sizes.js';
import type { ImageRecord, ImageStore, PreparedImage, PreprocessingSpec } from './types.js';

/** Decodes under way at once; more would only hold more full-size images. */
const DECODES = Math.min(4, availableParallelism());

/**
 * Opens images for running: decoded on demand, least recently used dropped when `memoryMiB` is spent.
 * Requests for one image share one decode; while images are asked for in order, the next ones are decoded ahead.
 */
export function openImages(
  records: readonly ImageRecord[],
  spec: PreprocessingSpec,
  { memoryMiB }: { readonly memoryMiB: number },
): ImageStore {
  const keep = Math.max(DECODES, Math.floor((memoryMiB * 2 ** 20) / (spec.width * spec.height * 3)));
  const ahead = Math.min(DECODES, keep - 1);
  const cache = new Map<number, Promise<PreparedImage>>();
  const gate = limit(DECODES);
  let last = -1;
  const fetch = (index: number): Promise<PreparedImage> => {
    const known = cache.get(index);
    if (known !== undefined) {
      cache.delete(index);
      cache.set(index, known);
      return known;
    }
    const fresh = gate(() => prepare(records[index] as ImageRecord, spec));
    cache.set(index, fresh);
    fresh.catch(() => cache.delete(index)); // a fault is told to whoever asked, and not kept
    for (const oldest of cache.keys()) {
      if (cache.size <= keep) break;
      cache.delete(oldest);
    }
    return fresh;
  };
  return {
    count: records.length,
    records,
    spec,
    get(index) {
      const inOrder = index === last + 1;
      last = index;
      const wanted = fetch(index);
      // At random, reading ahead would only push others out.
      if (inOrder)
        for (let next = index + 1; next <= Math.min(index + ahead, records.length - 1); next++)
          if (!cache.has(next)) void fetch(next);
      return wanted;
    },
  };
}

async function prepare(record: ImageRecord, spec: PreprocessingSpec): Promise<PreparedImage> {
  const image = await decodeImage(record.file, spec.exif, spec.interpolation);
  const wrong = otherSize(record, image.header, spec.exif);
  if (wrong !== undefined) throw new InputFault(wrong);
  return prepareImage(image, spec);
}
