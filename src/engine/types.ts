/** The interface that every engine implements: onnxruntime here, TensorRT beside it. */
import type { PreparedImage, PreprocessingSpec } from '../dataset/index.js';
import type { TensorStatistics } from '../calibration/index.js';
import type { Probe, ProbeProgram } from './probe-types.js';

/** Element types that cross the border of an engine. */
export const ELEMENT_TYPES = ['float32', 'float16', 'int64', 'int32', 'uint8', 'int8', 'bool'] as const;
export type ElementType = (typeof ELEMENT_TYPES)[number];

/** A tensor in memory; float16 is widened to float32, int64 narrowed to float64 (exact to 2^53). */
export interface HostTensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: Float32Array | Float64Array | Int32Array | Uint8Array | Int8Array;
}

/** An input or output as the engine reports it; -1 marks a dimension that may vary. */
export interface TensorSpec {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
}

/** The images to run, by index. */
export interface ImageFeed {
  readonly count: number;
  readonly spec: PreprocessingSpec;
  image(index: number): Promise<PreparedImage>;
  /** Further inputs of the model for an image (RT-DETR's `orig_target_sizes`), each with batch dimension 1. */
  extras?(index: number, image: PreparedImage): Readonly<Record<string, HostTensor>>;
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Options of a pass that keeps statistics. */
export interface CollectOptions extends RunOptions {
  /** Also who set each range: `TensorStatistics.reach`. */
  readonly reach?: boolean;
}

/** Called in input order, once per image; tensors have batch dimension 1. Throwing stops the run. */
export type OutputHandler = (index: number, outputs: ReadonlyMap<string, HostTensor>) => void;

/** A model that is ready to run. */
export interface LoadedModel {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  run(feed: ImageFeed, onOutput: OutputHandler, options?: RunOptions): Promise<void>;
  /** Median and 99th percentile of the latency of one image in milliseconds, of the runs so far. */
  latency(): { readonly medianMs: number; readonly p99Ms: number } | undefined;
  release(): Promise<void>;
}

/** ONNX bytes plus where they came from (external data is looked for beside `path`). */
export interface EngineModel {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly path?: string;
  /** What a real engine is built for: `int8` follows the file's Q/DQ, with FP16 for the rest. `fp32` when left out. */
  readonly precision?: 'fp32' | 'fp16' | 'int8';
  /** A calibration cache for implicit INT8, which TensorRT up to 10 places by itself; the file must hold no Q/DQ. */
  readonly calibration?: string;
  /** Shapes of inputs with free dimensions beside the batch, batch included; a real engine is built for one size. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
}

export interface LoadOptions {
  /** Intermediate tensors to return beside the model's own outputs. */
  readonly extraOutputs?: readonly string[];
  /** One of many models, one after another: takes little memory beside its activations, and leaves no holes when released. */
  readonly lean?: boolean;
  /** Statistics are to tell who set each range. */
  readonly reach?: boolean;
}

/** What runs models. */
export interface Runner {
  readonly name: 'onnxruntime' | 'tensorrt';
  readonly version: string;
  /** Models that run side by side. */
  readonly threads: number;
  /** @throws InputFault when the engine refuses the model (with its reason), SurroundingsFault when the engine itself fails. */
  load(model: EngineModel, options?: LoadOptions): Promise<LoadedModel>;
  close(): Promise<void>;
}

/** A runner that also gathers statistics of tensors inside the model. */
export interface Engine extends Runner {
  /** One pass over the feed that keeps statistics of the named tensors; memory does not grow with the number of images. */
  collect(
    model: EngineModel,
    tensors: readonly string[],
    feed: ImageFeed,
    options?: CollectOptions,
  ): Promise<ReadonlyMap<string, TensorStatistics>>;
  /** Makes a program ready; absent where an engine cannot run parts of a network. Faults as of `load`. */
  probe?(program: ProbeProgram): Promise<Probe>;
}
