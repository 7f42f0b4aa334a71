import { DetectionBuilder, type DetectionTable, type ImageGeometry } from '../dataset/index.js';
import type { HostTensor, ImageFeed, LoadedModel } from '../engine/index.js';
import { InputFault } from '../faults/index.js';
import type { Bench } from './prepare.js';

/**
 * Decoded detections of a feed, images numbered as the feed does.
 * @param onImage is given each image's own, as image 0.
 * @param at - index in the validation set of an image of the feed, for messages; the same when left out
 */
export async function detect(
  bench: Bench,
  session: LoadedModel,
  name: string,
  feed: ImageFeed,
  onImage?: (image: number, table: DetectionTable) => void,
  at: (image: number) => number = (image) => image,
): Promise<DetectionTable> {
  const table = new DetectionBuilder();
  const geometries = new Map<number, ImageGeometry>();
  const remembering: ImageFeed = {
    ...feed,
    image: async (i) => {
      const image = await feed.image(i);
      geometries.set(i, image.geometry);
      return image;
    },
  };
  await session.run(
    remembering,
    (i, outputs) => {
      const geometry = geometries.get(i) as ImageGeometry;
      geometries.delete(i);
      if (onImage === undefined) return decodeInto(bench, table, name, i, outputs, geometry, at(i));
      const single = new DetectionBuilder();
      decodeInto(bench, single, name, 0, outputs, geometry, at(i));
      onImage(i, single.finish());
    },
    { signal: bench.context.signal, onProgress: (done, total) => bench.context.progress.update(done, total) },
  );
  return table.finish();
}

/**
 * Decodes one image's outputs into a table of detections.
 * @param named - its index in the validation set, for messages
 */
export function decodeInto(
  bench: Bench,
  table: DetectionBuilder,
  name: string,
  image: number,
  outputs: ReadonlyMap<string, HostTensor>,
  geometry: ImageGeometry,
  named = image,
): void {
  try {
    bench.choice.decoder.decode(outputs, geometry, (classIndex, x, y, w, h, score) => {
      const category = bench.classes[classIndex];
      if (category !== undefined && category >= 0) table.push(image, category, x, y, w, h, score);
    });
  } catch (error) {
    if (!(error instanceof InputFault)) throw error;
    const file = bench.truth.images[named]?.name ?? `image ${named}`;
    throw new InputFault(
      error.problems.map((problem) => ({ ...problem, where: `${name}, ${file}, ${problem.where}` })),
      { cause: error },
    );
  }
}

/** A model for the engine; external data is looked for beside the original file. */
export function modelOf(
  bench: Bench,
  name: string,
  bytes: Uint8Array,
): { name: string; bytes: Uint8Array; path?: string } {
  return { name, bytes, ...(bench.model.path !== undefined && { path: bench.model.path }) };
}

/** As {@link decodeInto}; false when a candidate's outputs cannot be decoded, as those of a layer that makes NaN. */
export function tryDecode(...args: Parameters<typeof decodeInto>): boolean {
  try {
    decodeInto(...args);
    return true;
  } catch (error) {
    if (!(error instanceof InputFault)) throw error;
    return false;
  }
}

/** Where the subset's images went on their way to the model. */
export function subsetGeometries({ validation, subset }: Bench): Promise<readonly ImageGeometry[]> {
  return Promise.all(subset.map(async (i) => (await validation.get(i)).geometry));
}

/** Detections on the images of a subset, numbered as in the subset. */
export function subsetOf(detections: DetectionTable, subset: readonly number[]): DetectionTable {
  const place = new Map(subset.map((image, i) => [image, i]));
  const table = new DetectionBuilder();
  for (let k = 0; k < detections.count; k++) {
    const image = place.get(detections.image[k] as number);
    if (image === undefined) continue;
    const [x, y, width, height] = detections.bbox.subarray(4 * k, 4 * k + 4);
    table.push(
      image,
      detections.category[k] as number,
      x as number,
      y as number,
      width as number,
      height as number,
      detections.score[k] as number,
    );
  }
  return table.finish();
}
