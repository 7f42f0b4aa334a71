import { loadCoco } from './coco.js';
import type { GroundTruth } from './types.js';

/** Where a labelled set lies. */
export interface GroundTruthSource {
  readonly format: 'coco';
  readonly annotations: string;
  /** Folder of the images; undefined when only boxes matter. */
  readonly images: string | undefined;
  /** Use only this many images, spread evenly over the set. */
  readonly limit?: number | undefined;
}

/** Loads a labelled set. @throws InputFault naming record and key of every mistake. */
export async function loadGroundTruth({
  annotations,
  images,
  limit,
}: GroundTruthSource): Promise<GroundTruth> {
  const truth = await loadCoco(annotations, images);
  if (limit === undefined || limit >= truth.images.length) return truth;
  return pickImages(
    truth,
    Array.from({ length: limit }, (_, i) => Math.floor((i * truth.images.length) / limit)),
  );
}

/** The set cut to the images at these places (ascending), with their annotations. */
export function pickImages(truth: GroundTruth, kept: readonly number[]): GroundTruth {
  const place = new Map(kept.map((index, i) => [index, i]));
  const { annotations } = truth;
  const rows = Array.from(annotations.image.keys()).filter((row) =>
    place.has(annotations.image[row] as number),
  );
  return {
    ...truth,
    images: kept.map((index) => truth.images[index] as GroundTruth['images'][number]),
    annotations: {
      count: rows.length,
      image: Int32Array.from(rows, (row) => place.get(annotations.image[row] as number) as number),
      category: Int32Array.from(rows, (row) => annotations.category[row] as number),
      bbox: Float64Array.from(rows.flatMap((row) => [...annotations.bbox.subarray(4 * row, 4 * row + 4)])),
      area: Float64Array.from(rows, (row) => annotations.area[row] as number),
      crowd: Uint8Array.from(rows, (row) => annotations.crowd[row] as number),
      ignore: Uint8Array.from(rows, (row) => annotations.ignore[row] as number),
      id: Float64Array.from(rows, (row) => annotations.id[row] as number),
    },
  };
}
