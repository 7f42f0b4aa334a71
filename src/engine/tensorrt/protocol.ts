/** Messages between the program and the TensorRT worker, JSON lines both ways. What the worker says is checked. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { ELEMENT_TYPES } from '../types.js';

/** Raised when messages change; the worker's must be the same. */
export const PROTOCOL = 1;

const text = { type: 'string' } as const;
const number = { type: 'number' } as const;
const flag = { type: 'boolean' } as const;
const shape = { type: 'array', items: number } as const;

const object = (properties: Record<string, unknown>, optional: readonly string[] = []): object => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((key) => !optional.includes(key)),
});
const list = (items: object): object => ({ type: 'array', items });

/** What the library on this machine can do, found out by asking for names. */
export interface Capabilities {
  /** Precision by builder flags and Q/DQ in a weakly typed network (TensorRT up to 10). */
  readonly weak: boolean;
  /** Precision by the types in the file (TensorRT 10 and newer). */
  readonly strong: boolean;
  /** Implicit INT8 from a calibration cache (TensorRT up to 10). */
  readonly calibrators: boolean;
  readonly obey: boolean;
  readonly dla: boolean;
}

/** The worker's first words. */
export interface Hello {
  readonly event: 'ready';
  readonly protocol: number;
  readonly tensorrt: string;
  readonly python: string;
  /** The worker's own process: another than the one started where `python` is a wrapper. */
  readonly pid?: number;
  readonly cuda: { readonly runtime: string; readonly driver: string };
  readonly capabilities: Capabilities;
  readonly gpu: {
    readonly index: number;
    readonly bus: string;
    readonly computeCapability: string;
    readonly memoryBytes: number;
    readonly freeBytes: number;
  };
}

/** How TensorRT may choose precisions. `strong` takes them from the file. */
export type BuildMode = 'fp32' | 'fp16' | 'int8' | 'int8+fp16' | 'strong';

/** An input as it lies in the exchange file. */
export interface PlacedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Byte offset; a multiple of 64. */
  readonly offset: number;
}

/** Requests and what they answer. */
export interface Operations {
  build: {
    readonly ask: {
      readonly onnx: string;
      readonly engine: string;
      readonly mode: BuildMode;
      /** Smallest, usual and largest batch. */
      readonly batch: readonly [number, number, number];
      readonly shapes: Readonly<Record<string, readonly number[]>>;
      /** ONNX nodes that must not run in INT8 where flags choose. */
      readonly float: readonly string[];
      readonly optimizationLevel: number;
      readonly workspaceMiB: number | undefined;
      readonly timingCache: string | undefined;
      readonly calibrationCache: string | undefined;
      readonly calibration: 'entropy' | 'minmax' | undefined;
      readonly dla: number | undefined;
    };
    readonly answer: {
      readonly engineBytes: number;
      readonly digest: string;
      readonly seconds: number;
    };
  };
  load: {
    readonly ask: { readonly engine: string; readonly digest: string };
    readonly answer: {
      readonly session: number;
      readonly deviceBytes: number;
      readonly tensors: readonly {
        readonly name: string;
        readonly mode: 'input' | 'output';
        readonly type: (typeof ELEMENT_TYPES)[number];
        readonly dims: readonly number[];
      }[];
    };
  };
  run: {
    readonly ask: {
      readonly session: number;
      readonly file: string;
      readonly inputs: readonly PlacedTensor[];
      readonly at: number;
    };
    readonly answer: { readonly outputs: readonly PlacedTensor[]; readonly ms: number };
  };
  time: {
    readonly ask: {
      readonly session: number;
      readonly inputs: readonly Omit<PlacedTensor, 'offset'>[];
      readonly iterations: number;
      readonly warmUpMs: number;
      readonly graph: boolean;
    };
    /** Milliseconds of every run; null where the engine cannot be captured as a CUDA graph. */
    readonly answer: { readonly times: readonly number[] | null; readonly reason?: string };
  };
  profile: {
    readonly ask: {
      readonly session: number;
      readonly inputs: readonly Omit<PlacedTensor, 'offset'>[];
      readonly iterations: number;
    };
    readonly answer: { readonly layers: readonly { readonly name: string; readonly ms: number }[] };
  };
  inspect: {
    readonly ask: { readonly session: number };
    /** The engine inspector's own JSON. */
    readonly answer: { readonly layers: unknown };
  };
  release: { readonly ask: { readonly session: number }; readonly answer: object };
  ping: {
    readonly ask: object;
    readonly answer: { readonly freeBytes: number; readonly memoryBytes: number };
  };
}

export type Operation = keyof Operations;

/** Why the worker says no. */
export const FAILURES = [
  'refused',
  'unsupported',
  'out-of-memory',
  'missing-library',
  'no-gpu',
  'driver',
  'cuda',
  'disk',
  'bad-request',
  'internal',
] as const;
export type Failure = (typeof FAILURES)[number];

/** Anything that the worker may say. */
export type Message =
  | Hello
  | { readonly event: 'fatal'; readonly code: Failure; readonly message: string }
  | { readonly event: 'warning'; readonly message: string }
  | { readonly id: number; readonly ok: unknown }
  | { readonly id: number; readonly error: { readonly code: Failure; readonly message: string } };

const placed = object({ name: text, shape, offset: number });
const failure = { code: { enum: FAILURES }, message: text };

const ANSWERS: Readonly<Record<Operation, object>> = {
  build: object({ engineBytes: number, digest: text, seconds: number }),
  load: object({
    session: number,
    deviceBytes: number,
    tensors: list(
      object({ name: text, mode: { enum: ['input', 'output'] }, type: { enum: ELEMENT_TYPES }, dims: shape }),
    ),
  }),
  run: object({ outputs: list(placed), ms: number }),
  time: object({ times: { type: ['array', 'null'], items: number }, reason: text }, ['reason']),
  profile: object({ layers: list(object({ name: text, ms: number })) }),
  inspect: object({ layers: {} }),
  release: object({}),
  ping: object({ freeBytes: number, memoryBytes: number }),
};

const MESSAGE = {
  anyOf: [
    object(
      {
        event: { const: 'ready' },
        protocol: number,
        tensorrt: text,
        python: text,
        pid: number,
        cuda: object({ runtime: text, driver: text }),
        capabilities: object({ weak: flag, strong: flag, calibrators: flag, obey: flag, dla: flag }),
        gpu: object({
          index: number,
          bus: text,
          computeCapability: text,
          memoryBytes: number,
          freeBytes: number,
        }),
      },
      ['pid'],
    ),
    object({ event: { const: 'fatal' }, ...failure }),
    object({ event: { const: 'warning' }, message: text }),
    object({ id: number, ok: { type: 'object' } }),
    object({ id: number, error: object(failure) }),
  ],
};

const ajv = new Ajv2020({ strict: false });
const compiled = new Map<object, ValidateFunction>();

function conforms(schema: object, value: unknown): boolean {
  const validate = compiled.get(schema) ?? ajv.compile(schema);
  compiled.set(schema, validate);
  return validate(value);
}

/** One line of the worker as a message; undefined when it is none. */
export function parseMessage(line: string): Message | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined; // garbage is an answer that the caller names
  }
  return conforms(MESSAGE, value) ? (value as Message) : undefined;
}

/** Whether an answer has the form that its operation promises. */
export function isAnswer<O extends Operation>(
  operation: O,
  value: unknown,
): value is Operations[O]['answer'] {
  return conforms(ANSWERS[operation], value);
}
