import type { BaseRequest } from '../baseline/index.js';
import type { Store } from '../store/index.js';

/** What a job is given besides its settings. */
export interface Context {
  readonly signal: AbortSignal;
  /** Absolute folder of the report. */
  readonly out: string;
  readonly progress: Progress;
  /** What the head is compared with; undefined where nobody said. */
  readonly base?: BaseRequest | undefined;
  /** File of earlier runs' mAP, to which this run is added. */
  readonly history?: string | undefined;
  /** Commit that the run is of, for the history. */
  readonly commit?: string | undefined;
  /** Measurements at hand, in place of those that the settings keep on disk. */
  readonly store?: Store;
}

/** Where long work shows how far it is. */
export interface Progress {
  phase(title: string): void;
  update(done: number, total: number): void;
  end(): void;
}
