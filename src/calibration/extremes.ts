import type { Peak, TensorStatistics } from './types.js';

/** Extremes of one tensor, image by image and channel by channel: what tells who set a range. */
export interface TensorExtremes {
  readonly name: string;
  /** Dimensions at batch 1 in the image that holds the peak; as in the statistics where there is none. */
  readonly shape: readonly number[];
  /** Least and greatest value by index of the image; NaN where an image was not seen, or gave none. */
  readonly min: Float32Array;
  readonly max: Float32Array;
  /** Least and greatest value by channel (axis 1 of a tensor of rank 4) over all images; empty for other ranks. */
  readonly channelMin: Float32Array;
  readonly channelMax: Float32Array;
  /** Where the largest |x| lies: image, and place in the tensor's data; of equals the first. Undefined before any image. */
  readonly peak: Peak | undefined;
}

/** Extremes by tensor name, of the statistics for which a collector was asked to keep their reach. */
export function extremesOf(
  statistics: ReadonlyMap<string, TensorStatistics>,
): ReadonlyMap<string, TensorExtremes> {
  return new Map(
    [...statistics].flatMap(([name, { shape, minByImage: min, maxByImage: max, reach }]) =>
      reach === undefined ? [] : [[name, { name, shape: reach.peak?.shape ?? shape, min, max, ...reach }]],
    ),
  );
}
