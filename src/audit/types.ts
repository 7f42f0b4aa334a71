import type { AuditSection } from '../report/index.js';

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
export type BrokenImage = AuditSection['broken'][number];

/** A kind of images that validation has and calibration lacks. */
export type Gap = AuditSection['gaps'][number];

/** What the ranges owe to one calibration image. */
export type Dominating = AuditSection['dominating'][number];

/** A pair of images that look alike. */
export type Pair = AuditSection['duplicates'][number];

/** One question of the audit, answered. */
export type AuditCheck = AuditSection['checks'][number];

/** What is asked of a calibration set. */
export type AuditMetric = AuditCheck['metric'];

/** The whole audit, as `audit.json` holds it. */
export interface Audit extends AuditSection {
  readonly schema: 'int8-gate/audit';
  readonly version: 1;
  readonly tool: { readonly name: string; readonly version: string };
  readonly createdAt: string;
  readonly model: string;
}
