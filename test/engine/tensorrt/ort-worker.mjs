// A stand-in for a GPU: speaks the protocol of the TensorRT worker and runs engines in onnxruntime, as simulation does.
// INT8 engines say that they take twice the time of the others.
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const digestOf = (bytes) => createHash('sha256').update(bytes).digest('hex');
const sessions = [];

const bytesOf = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
const read = (file, offset, view) => {
  readSync(file, bytesOf(view), 0, view.byteLength, offset);
  return view;
};
const dimsOf = ({ shape }) => shape.map((dim) => (typeof dim === 'number' ? dim : -1));

const OPERATIONS = {
  build({ onnx, engine, mode }) {
    const bytes = Buffer.concat([Buffer.from(mode.padEnd(16)), readFileSync(onnx)]);
    writeFileSync(engine, bytes);
    return { engineBytes: bytes.length, digest: digestOf(bytes), seconds: 1 };
  },
  async load({ engine, digest }) {
    const bytes = readFileSync(engine);
    if (digestOf(bytes) !== digest) throw { code: 'refused', message: 'its digest differs' };
    const model = await InferenceSession.create(bytes.subarray(16), {
      graphOptimizationLevel: 'all',
      intraOpNumThreads: 1,
      extra: { session: { disable_quant_qdq: '1' } },
    });
    const int8 = bytes.subarray(0, 16).toString().startsWith('int8');
    const tensors = [
      ...model.inputMetadata.map((one) => ({
        name: one.name,
        mode: 'input',
        type: one.type,
        dims: dimsOf(one),
      })),
      ...model.outputMetadata.map((one) => ({
        name: one.name,
        mode: 'output',
        type: one.type,
        dims: dimsOf(one),
      })),
    ];
    return { session: sessions.push({ model, int8 }) - 1, deviceBytes: 0, tensors };
  },
  async run({ session, file, inputs, at }) {
    const handle = openSync(file, 'r+');
    const feeds = Object.fromEntries(
      inputs.map(({ name, shape, offset }) => {
        const length = shape.reduce((a, b) => a * b, 1);
        return [name, new Tensor('float32', read(handle, offset, new Float32Array(length)), shape)];
      }),
    );
    const answers = await sessions[session].model.run(feeds);
    let next = at;
    const outputs = Object.entries(answers).map(([name, { dims, data }]) => {
      writeSync(handle, bytesOf(data), 0, data.byteLength, next);
      const placed = { name, shape: dims, offset: next };
      next = Math.ceil((next + data.byteLength) / 64) * 64;
      return placed;
    });
    closeSync(handle);
    return { outputs, ms: 1 };
  },
  time: ({ session, iterations }) => ({ times: new Array(iterations).fill(sessions[session].int8 ? 2 : 1) }),
  profile: () => ({
    layers: [
      { name: 'conv 1', ms: 0.5 },
      { name: 'copy 1', ms: 0.25 },
    ],
  }),
  inspect: ({ session }) => ({
    layers: {
      Layers: [
        {
          Name: 'conv 1',
          LayerType: 'CaskConvolution',
          Inputs: [],
          Outputs: [],
          Weights: { Type: 'Half', Count: 1 },
          Metadata: '[ONNX Layer: /b1/conv/Conv]',
        },
        ...(sessions[session].int8
          ? [{ Name: 'copy 1', LayerType: 'Reformat', Inputs: [], Outputs: [], Metadata: '' }]
          : []),
      ],
    },
  }),
  release: () => ({}),
  ping: () => ({ freeBytes: 1, memoryBytes: 1 }),
};

say({
  event: 'ready',
  protocol: 1,
  tensorrt: '10.6.0',
  python: '3.12',
  cuda: { runtime: '12.6', driver: '12.6' },
  capabilities: { weak: true, strong: true, calibrators: true, obey: true, dla: false },
  gpu: { index: 0, bus: '0000:01:00.0', computeCapability: '8.7', memoryBytes: 8e9, freeBytes: 8e9 },
});
let turn = Promise.resolve();
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, op, ...request } = JSON.parse(line);
  turn = turn
    .then(() => OPERATIONS[op](request))
    .then(
      (ok) => say({ id, ok }),
      (error) => say({ id, error: error.code ? error : { code: 'internal', message: String(error) } }),
    );
});
