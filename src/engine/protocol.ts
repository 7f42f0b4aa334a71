import type { PreprocessingSpec } from '../dataset/index.js';
import type { CollectorMessage } from '../calibration/index.js';
import type { ProbePlan } from './probe.js';
import type { ProbeImage } from './probe-types.js';
import type { HostTensor, TensorSpec } from './types.js';

/** An input of a run: canvases in shared memory, and further inputs per image. */
export interface ImageTask {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly extras: Readonly<Record<string, HostTensor>> | undefined;
}

/** What the pool asks of a worker. `id` numbers the request. */
export type Request =
  | {
      readonly kind: 'load';
      readonly id: number;
      readonly model: number;
      readonly name: string;
      readonly bytes: Uint8Array;
      /** One of many sessions: keeps no memory between runs. */
      readonly lean: boolean;
      /** Its collector keeps who set each range. */
      readonly reach: boolean;
    }
  | {
      readonly kind: 'run';
      readonly id: number;
      readonly model: number;
      readonly batch: number;
      readonly spec: PreprocessingSpec;
      readonly images: readonly ImageTask[];
    }
  | {
      readonly kind: 'observe';
      readonly id: number;
      readonly model: number;
      readonly spec: PreprocessingSpec;
      /** Images that the run holds: 1, or the batch that the model fixes. */
      readonly batch: number;
      readonly tensors: readonly string[];
      /** Index of the first image; the others follow. */
      readonly first: number;
      readonly images: readonly ImageTask[];
    }
  | { readonly kind: 'statistics'; readonly id: number; readonly model: number }
  | {
      readonly kind: 'plan';
      readonly id: number;
      readonly probe: number;
      /** Undefined forgets the plan and its sessions. */
      readonly plan: ProbePlan | undefined;
    }
  | {
      readonly kind: 'probe';
      readonly id: number;
      readonly probe: number;
      /** The network's own inputs. */
      readonly inputs: readonly string[];
      readonly cases: readonly number[];
      readonly observe: boolean;
      readonly spec: PreprocessingSpec;
      readonly image: ImageTask;
    }
  | { readonly kind: 'release'; readonly id: number; readonly model: number };

/** What comes back. */
export type Reply =
  | {
      readonly kind: 'loaded';
      readonly id: number;
      readonly inputs: readonly TensorSpec[];
      readonly outputs: readonly TensorSpec[];
      /** Every output's first dimension is the first input's: outputs of several images can be told apart. */
      readonly batchable: boolean;
    }
  | {
      readonly kind: 'ran';
      readonly id: number;
      readonly images: readonly ReadonlyMap<string, HostTensor>[];
      readonly ms: number;
    }
  | {
      readonly kind: 'statistics';
      readonly id: number;
      readonly message: CollectorMessage;
    }
  | { readonly kind: 'probed'; readonly id: number; readonly result: ProbeImage }
  | { readonly kind: 'done'; readonly id: number }
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly stage: 'load' | 'run';
      readonly message: string;
    };

/** Given to a worker at birth. */
export interface WorkerSetup {
  readonly nativeRoot: string | undefined;
}
