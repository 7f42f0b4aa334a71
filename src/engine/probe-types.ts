/** Running one network again and again with small changes, from stored activations instead of from the image. */
import type { EngineModel, HostTensor, ImageFeed, RunOptions } from './types.js';

/** A part of the network; its tensors go by the names of the whole. Regions are listed in topological order. */
export interface ProbeRegion {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** One whole network, cut into regions. */
export interface ProbeBase {
  /** By region: model (index into {@link ProbeProgram.models}) that runs when only what lies in front of it changed. */
  readonly plain: readonly number[];
  /** By region: model that also returns the tensors of `observed`; run once an image. */
  readonly observing: readonly number[];
}

/** A candidate: a base with some regions replaced. */
export interface ProbeCase {
  readonly base: number;
  readonly replaced: readonly { readonly region: number; readonly model: number }[];
  /** Tensor whose error against the base is measured too. */
  readonly local: string | undefined;
}

/** Everything that a probe runs. */
export interface ProbeProgram {
  readonly models: readonly EngineModel[];
  readonly regions: readonly ProbeRegion[];
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
