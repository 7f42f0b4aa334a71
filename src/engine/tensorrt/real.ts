/** What real engines are to the rest, whatever builds them. */
import type { EngineModel, LoadOptions, LoadedModel, Runner } from '../types.js';
import type { EngineLayer } from './inspector.js';
import type { Hello } from './protocol.js';

/** Latencies of an engine alone, without copies to and from the GPU; milliseconds of one batch. */
export interface Timing {
  readonly medianMs: number;
  readonly p99Ms: number;
}

/** What an engine says of itself. */
export interface EngineDetails {
  readonly engineBytes: number;
  readonly buildSeconds: number;
  /** Undefined where it is not told. */
  readonly deviceBytes: number | undefined;
  readonly batch: number;
  readonly timing: Timing;
  /** With a CUDA graph; undefined where the engine cannot be captured. */
  readonly graphTiming: Timing | undefined;
  /** Undefined when the inspector gives no detail. */
  readonly layers: readonly EngineLayer[] | undefined;
}

/** What builds real engines: the worker in Python, or trtexec. */
export interface RealEngine extends Runner {
  readonly hello: Hello;
  /** Images a run. */
  readonly batch: number;
  /** Process of the worker; -1 where there is none that stays. */
  readonly pid: number;
  /** Which flavour of Q/DQ file the library takes: `weak` up to TensorRT 10, `strong` where flags are gone. */
  readonly typing: 'weak' | 'strong';
  /** Why trtexec took the place of Python; undefined where it did not. */
  readonly because?: string;
  load(model: EngineModel, options?: LoadOptions): Promise<RealModel>;
}

/** A real engine that is loaded. */
export interface RealModel extends LoadedModel {
  /** Times, inspects and profiles the engine on what it ran last. Call after `run`. */
  details(signal?: AbortSignal): Promise<EngineDetails>;
}
