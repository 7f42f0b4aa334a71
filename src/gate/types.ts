import type { BootstrapResult, ClassResult, CocoStats, OutputDistances } from '../evaluation/index.js';
import type { Waiver } from '../settings/index.js';

/** The numbers of one engine that thresholds speak of. */
export interface Candidate {
  readonly stats: CocoStats;
  readonly perClass: readonly ClassResult[];
  readonly distances: OutputDistances | undefined;
  /** dB; Infinity when outputs are equal. */
  readonly sqnr: number | undefined;
  readonly modelSizeMiB: number;
  readonly latencyMs: number | undefined;
  /** Speed over the FP16 engine; undefined where no real engines were built. */
  readonly speedup?: number | undefined;
  /** Layers that it keeps in float; undefined where they were not counted. */
  readonly floatLayers?: number | undefined;
  /** Why times cannot be judged; limits on them are inconclusive then. */
  readonly noise?: string | undefined;
}

/** What the head is compared with. */
export type BaseAtHand =
  | {
      readonly kind: 'measured';
      /** The base's judged variant. */
      readonly reference: Candidate;
      /** Base minus head, resampled together; undefined where the base's detections are not at hand. */
      readonly intervals: BootstrapResult | undefined;
      readonly floatLayers: number | undefined;
      /** Images of the base's validation set. */
      readonly images: number | undefined;
      /** Why its accuracy cannot be compared with the head's, in words. */
      readonly incomparable: string | undefined;
    }
  /** There should be one. */
  | { readonly kind: 'missing'; readonly why: string }
  /** It does not know int8-gate yet: nothing to compare with, and nothing that was taken away. */
  | { readonly kind: 'first'; readonly why: string }
  /** Nobody wants one: a run on the default branch. */
  | { readonly kind: 'none' };

/** One threshold held against one number. */
export interface Check {
  readonly kind: 'pass' | 'fail' | 'inconclusive' | 'missing';
  readonly metric: string;
  /** The class, where the check is of one. */
  readonly subject?: string;
  /** The limit in words, e.g. `drop ≤ 0.010`. */
  readonly limit: string;
  /** The candidate's number; null when it is missing. */
  readonly value: number | null;
  /** FP32, or the base, minus candidate. */
  readonly drop?: number;
  /** What the drop is measured from; FP32 when left out. */
  readonly against?: 'base';
  /** It passes because of a waiver, which let this drop pass. */
  readonly waived?: true;
  readonly waiver?: Waiver & { readonly drop: number };
  readonly interval?: readonly [low: number, high: number];
  /** Of the interval: how it was made, its level, and the images that were resampled. */
  readonly method?: 'percentile' | 'bca';
  readonly confidence?: number;
  readonly images?: number;
  /** The interval clears the limit: it is inconclusive only for resting on too few images, which no engine can mend. */
  readonly onlyFew?: true;
  /** About how many images would decide an inconclusive drop, if it stayed as it is. */
  readonly imagesToDecide?: number;
  /** The finding in one sentence. */
  readonly sentence: string;
}

/** What the gate says. */
export type Verdict =
  | { readonly kind: 'pass'; readonly checks: readonly Check[] }
  | { readonly kind: 'fail'; readonly checks: readonly Check[] }
  | {
      readonly kind: 'inconclusive';
      readonly checks: readonly Check[];
      /** How the settings want it taken. */
      readonly counts: 'fail' | 'pass';
    };
