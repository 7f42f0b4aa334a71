/** What is known of one image by looking at it. */
export interface ImageFeatures {
  /** The image as its set names it. */
  readonly name: string;
  /** SHA-256 of the file, hexadecimal digits. */
  readonly digest: string;
  /** Pixels, as shown. */
  readonly width: number;
  readonly height: number;
  /** Mean luma, 0…255. */
  readonly brightness: number;
  /** Standard deviation of luma. */
  readonly contrast: number;
  /** Mean of largest minus smallest of red, green and blue, 0…255. */
  readonly colour: number;
  /** Luma of a grid of 17 × 16 cells, 0…255, row-major. */
  readonly grid: Float32Array;
  /** 256 bits: whether a cell of the grid is brighter than its right neighbour (a difference hash). */
  readonly hash: Uint32Array;
}

/** An image that cannot be read, and why. */
export interface BrokenImage {
  readonly name: string;
  readonly reason: string;
}

/** A kind of images that validation has and calibration lacks. */
export interface Gap {
  /** `brightness`, `contrast`, …, or `class`. */
  readonly attribute: string;
  /** The kind in words, `brightness 12…48 (the lowest fifth)`. */
  readonly kind: string;
  /** Images of the kind in each set. */
  readonly validation: number;
  readonly calibration: number;
}

/** What the ranges owe to one calibration image. */
export interface Dominating {
  readonly name: string;
  /** Share of tensors whose range would fall by more than a fifth without it, 0…1. */
  readonly tensors: number;
  /** Mean over tensors of the share of the range that would be lost. */
  readonly loss: number;
}

/** A pair of images that look alike. */
export interface Pair {
  readonly first: string;
  readonly second: string;
  readonly exact: boolean;
}

/** One question of the audit, answered. */
export interface AuditCheck {
  /** `warn` does not fail the audit. */
  readonly kind: 'pass' | 'warn' | 'fail';
  readonly metric: AuditMetric;
  readonly value: number;
  /** In words, `at most 0.1`. */
  readonly limit: string;
  readonly sentence: string;
  /** What to do; empty when it passes. */
  readonly advice: string;
  /** Images concerned, worst first. */
  readonly images: readonly string[];
}

/** What is asked of a calibration set. */
export type AuditMetric =
  | 'images'
  | 'broken'
  | 'duplicates'
  | 'overlap'
  | 'blank'
  | 'coverage'
  | 'dominance'
  | 'growth'
  | 'saturation'
  | 'drift';

/** The whole audit, as `audit.json` holds it. */
export interface Audit {
  readonly schema: 'int8-gate/audit';
  readonly version: 1;
  readonly tool: { readonly name: string; readonly version: string };
  readonly createdAt: string;
  readonly model: string;
  readonly calibration: { readonly source: string; readonly images: number; readonly calibrator: string };
  readonly validation: { readonly source: string; readonly images: number };
  readonly verdict: { readonly kind: 'pass' | 'fail'; readonly why: string };
  readonly checks: readonly AuditCheck[];
  readonly broken: readonly BrokenImage[];
  readonly duplicates: readonly Pair[];
  readonly overlap: readonly Pair[];
  readonly gaps: readonly Gap[];
  readonly dominating: readonly Dominating[];
  /** Mean over tensors of the range that so many images give, as a share of the range of all. */
  readonly growth: readonly { readonly images: number; readonly range: number }[];
  /** Images from which on nothing changed any more; null when only all give the range. */
  readonly settledAt: number | null;
  /** Tensors by how much further they reach on validation (99.9th percentile of |x|), worst first. */
  readonly drift: readonly {
    readonly tensor: string;
    readonly calibration: number;
    readonly validation: number;
    readonly ratio: number;
    /** Share of validation values beyond the calibrated range, less that of calibration. */
    readonly saturated: number;
  }[];
}
