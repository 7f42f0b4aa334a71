import { parentPort, workerData } from 'node:worker_threads';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { RangeCollector } from '../calibration/index.js';
import { messageOf } from '../faults/index.js';
import { onnxruntime, setNativeRoot } from '../native/index.js';
import { halfToFloat } from '../onnx/index.js';
import { fillInput, floatToHalf } from './canvas.js';
import { collectGarbage } from './garbage.js';
import { probeImage, type ProbePlan } from './probe.js';
import type { ImageTask, Reply, Request, WorkerSetup } from './protocol.js';
import type { ElementType, HostTensor, TensorSpec } from './types.js';

/** A probe's plan and the sessions that it needed so far, by index of the model. */
interface Planned {
  readonly plan: ProbePlan;
  readonly sessions: Map<number, InferenceSession>;
}

interface Held {
  readonly lean: boolean;
  readonly session: InferenceSession;
  readonly collector: RangeCollector;
}

/** Runs in the worker thread: sessions are blocking, and statistics stay where activations are. */
export function serve(): void {
  if (parentPort === null) throw new Error('this is the entry of a worker thread, not a program');
  const port = parentPort;
  setNativeRoot((workerData as WorkerSetup).nativeRoot);
  const models = new Map<number, Held>();
  const plans = new Map<number, Planned>();
  // Probes keep a network's activations: one at a time.
  let probing: Promise<unknown> = Promise.resolve();
  const inTurn = (request: Request): Promise<Reply> => {
    if (request.kind !== 'probe') return answer(models, plans, request);
    const reply = probing.then(() => answer(models, plans, request));
    probing = reply.catch(() => undefined);
    return reply;
  };
  port.on('message', (request: Request) => {
    inTurn(request).then(
      (reply) => port.postMessage(reply, transfersOf(reply)),
      (error: unknown) => {
        const stage = request.kind === 'load' ? 'load' : 'run';
        port.postMessage({
          kind: 'failed',
          id: request.id,
          stage,
          message: messageOf(error),
        } satisfies Reply);
      },
    );
  });
}

async function answer(
  models: Map<number, Held>,
  plans: Map<number, Planned>,
  request: Request,
): Promise<Reply> {
  const { id } = request;
  if (request.kind === 'plan') {
    for (const session of plans.get(request.probe)?.sessions.values() ?? []) await session.release();
    plans.delete(request.probe);
    if (request.plan !== undefined) plans.set(request.probe, { plan: request.plan, sessions: new Map() });
    else collectGarbage();
    return { kind: 'done', id };
  }
  if (request.kind === 'probe') return { kind: 'probed', id, result: await probe(plans, request) };
  if (request.kind === 'load') {
    const session = await createSession(request.bytes, request.lean ? 'arena' : 'arena and pattern');
    models.set(request.model, {
      session,
      lean: request.lean,
      collector: new RangeCollector({ reach: request.reach }),
    });
    return {
      kind: 'loaded',
      id,
      inputs: specsOf(session.inputMetadata),
      outputs: specsOf(session.outputMetadata),
      batchable: batchable(session),
    };
  }
  const held = models.get(request.model);
  if (held === undefined) throw new Error(`model ${request.model} is not loaded`);
  switch (request.kind) {
    case 'run': {
      const started = performance.now();
      const outputs = await held.session.run(
        inputsOf(held.session.inputNames, request.spec, request.images, request.batch),
      );
      const ms = (performance.now() - started) / request.batch;
      return { kind: 'ran', id, ms, images: split(outputs, request.images.length, request.batch) };
    }
    case 'observe':
      await observe(held, request);
      collectGarbage();
      return { kind: 'done', id };
    case 'statistics':
      return { kind: 'statistics', id, message: held.collector.toMessage() };
    case 'release':
      models.delete(request.model);
      await held.session.release();
      // The model's bytes are dead too.
      if (held.lean) collectGarbage();
      return { kind: 'done', id };
  }
}

/** Activations that may be dead before V8 is made to look. */
const GARBAGE_BYTES = 32 * 2 ** 20;
let garbage = 0;

async function probe(
  plans: ReadonlyMap<number, Planned>,
  { probe: number, inputs, cases, observe, spec, image }: Extract<Request, { kind: 'probe' }>,
): ReturnType<typeof probeImage> {
  const planned = plans.get(number);
  if (planned === undefined) throw new Error(`probe ${number} is not planned`);
  const { plan, sessions } = planned;
  const feeds = inputsOf(inputs, spec, [image], 1);
  return probeImage(plan, { cases, observe }, new Map(Object.entries(feeds)), {
    async session(model) {
      const known = sessions.get(model);
      if (known !== undefined) return known;
      // The engine takes no shared memory.
      const made = await createSession(new Uint8Array(plan.models[model] as Uint8Array), 'none');
      sessions.set(model, made);
      return made;
    },
    toHost: hostTensor,
    spent(bytes) {
      garbage += bytes;
      if (garbage < GARBAGE_BYTES) return;
      garbage = 0;
      collectGarbage();
    },
  });
}

/**
 * What a session keeps of memory between runs. An arena keeps the most that was ever in use, rounded up to powers of two, and
 * gives it all back when the session is released; a pattern takes one block for all activations of a run, beside it. Without
 * both, activations lie in the C library's heap: least while many sessions live at once, but holes stay when they are gone.
 */
type Keeps = 'arena and pattern' | 'arena' | 'none';

function createSession(bytes: Uint8Array, keeps: Keeps): Promise<InferenceSession> {
  return onnxruntime().InferenceSession.create(bytes, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    enableCpuMemArena: keeps !== 'none',
    enableMemPattern: keeps === 'arena and pattern',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    // Q/DQ pairs run as float fake quantization: what TensorRT computes, at FP32's speed.
    extra: { session: { disable_quant_qdq: '1' } },
  });
}

function specsOf(metadata: InferenceSession['inputMetadata']): TensorSpec[] {
  return metadata.flatMap((one) =>
    one.isTensor
      ? [
          {
            name: one.name,
            type: one.type as ElementType,
            dims: one.shape.map((dim) => (typeof dim === 'number' && dim >= 0 ? dim : -1)),
          },
        ]
      : [],
  );
}

/**
 * Whether all outputs carry the first input's batch dimension. Names tell: an output of detections in rows, [rows, 7]
 * with the image's index in a column, has a free first dimension too, and cut into equal parts would give objects to
 * the wrong images.
 */
function batchable({ inputMetadata, outputMetadata }: InferenceSession): boolean {
  const first = inputMetadata.find((one) => one.isTensor && one.shape.length === 4);
  const batch = first?.isTensor === true ? first.shape[0] : undefined;
  if (batch === undefined || batch === '' || batch === -1) return false;
  return outputMetadata.every((one) => one.isTensor && one.shape[0] === batch);
}

function inputsOf(
  names: readonly string[],
  spec: Extract<Request, { kind: 'run' }>['spec'],
  images: readonly ImageTask[],
  batch: number,
): Record<string, Tensor> {
  const first = images[0] as ImageTask;
  const each = 3 * first.width * first.height;
  const floats = spec.dtype === 'uint8' ? new Uint8Array(batch * each) : new Float32Array(batch * each);
  for (let i = 0; i < batch; i++)
    // A fixed batch is filled up with the last image.
    fillInput(
      images[Math.min(i, images.length - 1)] as ImageTask,
      spec,
      floats.subarray(i * each, (i + 1) * each),
    );
  const one = spec.layout === 'nchw' ? [3, first.height, first.width] : [first.height, first.width, 3];
  const dims = spec.batchless === true ? one : [batch, ...one];
  const { Tensor: OrtTensor } = onnxruntime();
  const feeds: Record<string, Tensor> = {};
  for (const name of names) {
    const extra = images[0]?.extras?.[name];
    if (extra !== undefined) feeds[name] = joined(images, name, batch);
    else if (spec.dtype === 'float16') feeds[name] = halfTensor(floats as Float32Array, dims);
    else feeds[name] = new OrtTensor(spec.dtype, floats as Float32Array, dims);
  }
  return feeds;
}

function halfTensor(floats: Float32Array, dims: readonly number[]): Tensor {
  const { Tensor: OrtTensor } = onnxruntime();
  const bits = Uint16Array.from(floats, floatToHalf);
  // Node 24 has Float16Array and the tensor insists on it, but onnxruntime's native side knows no such array and would read
  // nothing of it: it is given the bits, as in Node 20.
  const Half = (globalThis as { Float16Array?: new (buffer: ArrayBufferLike) => Uint16Array }).Float16Array;
  const tensor = new OrtTensor('float16', Half === undefined ? bits : new Half(bits.buffer), dims);
  return Object.defineProperty(tensor, 'data', { value: bits });
}

/** A further input of all images, joined along the batch. */
function joined(images: readonly ImageTask[], name: string, batch: number): Tensor {
  const { Tensor: OrtTensor } = onnxruntime();
  const parts = Array.from(
    { length: batch },
    (_, i) => images[Math.min(i, images.length - 1)]?.extras?.[name] as HostTensor,
  );
  const first = parts[0] as HostTensor;
  const values = parts.flatMap(({ data }) => Array.from(data));
  const dims = [batch, ...first.dims.slice(1)];
  if (first.type === 'int64')
    return new OrtTensor(
      'int64',
      BigInt64Array.from(values, (v) => BigInt(v)),
      dims,
    );
  if (first.type === 'int32') return new OrtTensor('int32', Int32Array.from(values), dims);
  return new OrtTensor('float32', Float32Array.from(values), dims);
}

/** Cuts batched outputs into one map an image. */
function split(
  outputs: InferenceSession.OnnxValueMapType,
  count: number,
  batch: number,
): ReadonlyMap<string, HostTensor>[] {
  const images = Array.from({ length: count }, () => new Map<string, HostTensor>());
  for (const [name, value] of Object.entries(outputs)) {
    const whole = hostTensor(value);
    if (batch > 1 && whole.dims[0] !== batch)
      throw new Error(
        `output ${name} has dimensions [${whole.dims.join(', ')}] at a batch of ${batch}: it cannot be cut into images`,
      );
    const each = whole.data.length / batch;
    const dims = batch > 1 ? [1, ...whole.dims.slice(1)] : whole.dims;
    images.forEach((map, i) =>
      map.set(name, {
        type: whole.type,
        dims,
        data: batch === 1 ? whole.data : whole.data.slice(i * each, (i + 1) * each),
      }),
    );
  }
  return images;
}

function hostTensor(tensor: Tensor): HostTensor {
  const dims = [...tensor.dims];
  switch (tensor.type) {
    case 'float32':
      return { type: 'float32', dims, data: tensor.data as Float32Array };
    case 'float16': {
      const { buffer, byteOffset, length } = tensor.data as Uint16Array;
      return {
        type: 'float16',
        dims,
        data: Float32Array.from(new Uint16Array(buffer, byteOffset, length), halfToFloat),
      };
    }
    case 'int64':
      return { type: 'int64', dims, data: Float64Array.from(tensor.data as BigInt64Array, Number) };
    case 'int32':
      return { type: 'int32', dims, data: tensor.data as Int32Array };
    case 'uint8':
    case 'bool':
      return { type: tensor.type, dims, data: tensor.data as Uint8Array };
    case 'int8':
      return { type: 'int8', dims, data: tensor.data as Int8Array };
    default:
      throw new Error(`an output has type ${tensor.type}, which int8-gate does not read`);
  }
}

async function observe(held: Held, request: Extract<Request, { kind: 'observe' }>): Promise<void> {
  const { images, batch, tensors } = request;
  const feeds = inputsOf(held.session.inputNames, request.spec, images, batch);
  const fetched = tensors.filter((name) => !(name in feeds));
  const outputs = fetched.length === 0 ? {} : await held.session.run(feeds, fetched);
  for (const name of tensors) {
    const { data, dims } = hostTensor((feeds[name] ?? outputs[name]) as Tensor);
    if (data instanceof Float32Array) keep(held, request, name, data, dims);
  }
}

/** Image by image, without the copies that fill a fixed batch up. What has no batch dimension belongs to them all. */
function keep(
  { collector }: Held,
  { images, batch, first }: Extract<Request, { kind: 'observe' }>,
  name: string,
  data: Float32Array,
  dims: readonly number[],
): void {
  const whole = batch === 1 || dims[0] !== batch;
  const each = whole ? data.length : data.length / batch;
  const shape = whole ? dims : [1, ...dims.slice(1)];
  for (let i = 0; i < (whole ? 1 : images.length); i++) {
    const values = whole ? data : data.subarray(i * each, (i + 1) * each);
    collector.observe(first + i, name, values, shape);
  }
}

/** Memory that moves with a reply instead of being copied. */
function transfersOf(reply: Reply): ArrayBuffer[] {
  const maps =
    reply.kind === 'ran'
      ? reply.images
      : reply.kind === 'probed'
        ? [...reply.result.bases, ...reply.result.cases].map(({ outputs }) => outputs)
        : [];
  const buffers = new Set<ArrayBuffer>();
  for (const image of maps) for (const { data } of image.values()) buffers.add(data.buffer as ArrayBuffer);
  return [...buffers];
}
