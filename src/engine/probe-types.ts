/** Running one network again and again with small changes, from stored activations instead of from the image. */
import type { EngineModel, HostTensor, ImageFeed, RunOptions } from './types.js';

/**
 * One whole network, cut into parts: models, as indexes into {@link ProbeProgram.models}, in the order in which they run.
 * Each reads tensors by name, of the network's inputs or of what ran before it.
 */
export interface ProbeBase {
  readonly plain: readonly number[];
  /** Models that also return the tensors of `observed`. */
  readonly observing: readonly number[];
}

/** A candidate: what differs from a base, and all that lies behind it. */
export interface ProbeCase {
  readonly base: number;
  /** Models in the order in which they run; what none of them makes is read from the base. */
  readonly steps: readonly number[];
  /** Tensor whose error against the base is measured too. */
  readonly local: string | undefined;
}

/** Everything that a probe runs. */
export interface ProbeProgram {
  readonly models: readonly EngineModel[];
  /** The network's own inputs. */
  readonly inputs: readonly string[];
  /** The first is the reference that errors are measured against. */
  readonly bases: readonly ProbeBase[];
  readonly cases: readonly ProbeCase[];
  /** Tensors that errors are measured on. */
  readonly heads: readonly string[];
  /** The network's own outputs, handed back for decoding. */
  readonly outputs: readonly string[];
  /** Tensors whose error in every further base is measured against the reference. */
  readonly observed: readonly string[];
}

/** Sums of squares of a tensor of one image: of the reference's values, and of the difference. */
export interface Power {
  readonly signal: number;
  readonly noise: number;
}

/** What a case made of one image. */
export interface ProbeOutcome {
  readonly case: number;
  /** By head tensor. */
  readonly heads: readonly Power[];
  readonly local: Power | undefined;
  readonly outputs: ReadonlyMap<string, HostTensor>;
}

/** What a probe made of one image. */
export interface ProbeImage {
  /** By base: outputs, error of the heads, error of each observed tensor (empty for the reference). */
  readonly bases: readonly {
    readonly outputs: ReadonlyMap<string, HostTensor>;
    readonly heads: readonly Power[];
    readonly observed: readonly Power[];
  }[];
  readonly cases: readonly ProbeOutcome[];
}

/** A program that is ready to run. */
export interface Probe {
  /**
   * Every image of the feed through all bases and the cases that `casesOf` names when the image's turn comes; results in
   * input order. Activations never leave the worker and are kept for one image at a time. Observed tensors, and the
   * local errors of cases, are looked at only on images that `observed` names: they need more memory than all the rest.
   * @throws SurroundingsFault when the engine refuses or fails to run a part.
   */
  run(
    feed: ImageFeed,
    observed: (image: number) => boolean,
    casesOf: (image: number) => readonly number[],
    onImage: (image: number, result: ProbeImage) => void,
    options?: RunOptions,
  ): Promise<void>;
  release(): Promise<void>;
}
