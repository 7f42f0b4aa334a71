import { InputFault } from '../faults/index.js';
import { decodeImage } from './decode.js';
import { prepareImage } from './preprocess.js';
import type { ImageRecord, ImageStore, PreparedImage, PreprocessingSpec } from './types.js';

/** Decodes under way at once; more would only hold more full-size images. */
const DECODES = 4;

/** Opens images for running: decoded on demand, least recently used dropped when `memoryMiB` is spent. */
export function openImages(
  records: readonly ImageRecord[],
  spec: PreprocessingSpec,
  { memoryMiB }: { readonly memoryMiB: number },
): ImageStore {
  const keep = Math.max(DECODES, Math.floor((memoryMiB * 2 ** 20) / (spec.width * spec.height * 3)));
  const cache = new Map<number, Promise<PreparedImage>>();
  const gate = limit(DECODES);
  return {
    count: records.length,
    records,
    spec,
    get(index) {
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
    },
  };
}

async function prepare(record: ImageRecord, spec: PreprocessingSpec): Promise<PreparedImage> {
  const image = await decodeImage(record.file, spec.exif);
  if (record.width > 0 && (record.width !== image.width || record.height !== image.height))
    throw new InputFault({
      where: record.file,
      what: `is ${image.width}×${image.height} pixels, the annotations say ${record.width}×${record.height}`,
      fix:
        record.width === image.height && record.height === image.width
          ? `The sizes are swapped: set \`preprocessing.exif: ${String(!spec.exif)}\`.`
          : 'The boxes would not fit: use the images that were annotated.',
    });
  return prepareImage(image, spec);
}

/** At most `count` jobs at once. */
function limit(count: number): <T>(job: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (job) => {
    if (running >= count) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    try {
      return await job();
    } finally {
      running--;
      waiting.shift()?.();
    }
  };
}
