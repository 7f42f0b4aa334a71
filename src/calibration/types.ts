/** What calibration keeps of a tensor and what a calibrator answers. */

/**
 * Fixed number of bins over |x|: eight times the 2048 that calibrators count in elsewhere, so that a histogram whose
 * limit is a power of two can be laid over any other limit without moving a threshold.
 */
export const BINS = 16384;

/** Statistics of one tensor over all calibration images. Same result for any order of images and any batch split. */
export interface TensorStatistics {
  readonly name: string;
  /** Finite elements seen. */
  readonly count: number;
  readonly min: number;
  readonly max: number;
  /** Elements equal to 0. */
  readonly zeros: number;
  /** NaN or infinite elements (a fault when not 0). */
  readonly nonFinite: number;
  /** Images seen. */
  readonly images: number;
  /** Least and greatest finite value by index of the image; NaN where an image was not seen. */
  readonly minByImage: Float32Array;
  readonly maxByImage: Float32Array;
  /**
   * Histogram of |x|: `BINS` float64 counts over [0, limit], limit a power of two not below the largest |x|.
   * Bin i holds i < |x| * BINS / limit <= i + 1, bin 0 the zeros too.
   */
  readonly limit: number;
  readonly bins: Float64Array;
  /** Dimensions of the tensor at batch 1, as observed; where images differ, those with the most elements. */
  readonly shape: readonly number[];
  /** Who reached how far; kept only where it was asked for. */
  readonly reach?: TensorReach | undefined;
}

/** What tells who set a range, beside the extremes by image. */
export interface TensorReach {
  /** Least and greatest finite value by channel (axis 1 of a tensor of rank 4) over all images; empty for other ranks. */
  readonly channelMin: Float32Array;
  readonly channelMax: Float32Array;
  /** Undefined before any image gave a finite value. */
  readonly peak: Peak | undefined;
}

/** The largest |x| that a tensor reached; of equals that of the first image, and its first place there. */
export interface Peak {
  readonly image: number;
  /** Index into the data of that image, row-major. */
  readonly index: number;
  /** The value itself, with its sign. */
  readonly value: number;
  /** Dimensions of the tensor in that image, at batch 1. */
  readonly shape: readonly number[];
}

/** The clipping range that a calibrator chose: values beyond ±amax saturate. */
export interface TensorRange {
  readonly amax: number;
  /** Observed extremes, for explanations. */
  readonly min: number;
  readonly max: number;
  /** The calibrator that set it, e.g. `minmax`, `percentile:99.999`. */
  readonly calibrator: string;
}

export type Ranges = ReadonlyMap<string, TensorRange>;

/** Turns statistics of a tensor into a range. Pure. */
export interface Calibrator {
  readonly name: string;
  range(statistics: TensorStatistics): TensorRange;
}
