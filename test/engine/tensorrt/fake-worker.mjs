// Speaks the protocol of the TensorRT worker without a GPU; FAKE_MODE says how it misbehaves.
// Its engine answers, for each image, the sum of the image's first channel and the batch it ran in.
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

const mode = process.env.FAKE_MODE ?? 'good';
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const digestOf = (bytes) => createHash('sha256').update(bytes).digest('hex');

const HELLO = {
  event: 'ready',
  protocol: mode === 'other protocol' ? 99 : 1,
  tensorrt: '10.6.0',
  python: '3.12.1',
  cuda: { runtime: '12.6', driver: '12.8' },
  capabilities: {
    weak: mode !== 'strong only',
    strong: true,
    calibrators: mode !== 'strong only',
    obey: mode !== 'strong only',
    dla: false,
  },
  gpu: {
    index: mode === 'other gpu' ? 1 : 0,
    bus: '0000:01:00.0',
    computeCapability: '8.7',
    memoryBytes: 8e9,
    freeBytes: 7e9,
  },
};

if (mode === 'garbage') console.log('Loading site packages…');
else if (mode === 'flood') {
  const chunk = 'x'.repeat(2 ** 20);
  const pour = () => {
    while (process.stdout.write(chunk));
    process.stdout.once('drain', pour);
  };
  pour();
} else if (mode === 'library missing') {
  say({
    event: 'fatal',
    code: 'missing-library',
    message: "Python cannot import tensorrt: No module named 'tensorrt'",
  });
} else if (mode === 'exit at start') {
  console.error('Traceback: libnvinfer.so.10: cannot open shared object file');
  process.exit(1);
} else if (mode !== 'silent') {
  say({ event: 'warning', message: 'a warning of the library' });
  say(HELLO);
}

const SIZE = 4;
const CHANNELS = 3;

const OPERATIONS = {
  build({ onnx, engine, mode: built, batch, calibration, calibrationCache }) {
    if (mode === 'build hangs') return undefined;
    if (mode === 'refuses')
      throw { code: 'refused', message: 'node Conv_0: Quantized constant is only allowed before DQ' };
    if (mode === 'out of memory') throw { code: 'out-of-memory', message: 'Requested 9 GiB of GPU memory' };
    const cached =
      calibrationCache === undefined
        ? 'none'
        : `${calibration} ${readFileSync(calibrationCache).length} bytes`;
    const bytes = Buffer.from(
      JSON.stringify({ onnx: digestOf(readFileSync(onnx)), built, batch, calibration: cached }),
    );
    writeFileSync(engine, bytes);
    return { engineBytes: bytes.length, digest: digestOf(bytes), seconds: 1.5 };
  },
  load({ engine, digest }) {
    if (digestOf(readFileSync(engine)) !== digest) throw { code: 'refused', message: 'its digest differs' };
    return {
      session: 7,
      deviceBytes: 1000,
      tensors: [
        { name: 'images', mode: 'input', type: 'float16', dims: [-1, CHANNELS, SIZE, SIZE] },
        { name: 'output0', mode: 'output', type: 'float32', dims: [-1, 2] },
        { name: 'count', mode: 'output', type: 'int64', dims: [-1] },
      ],
    };
  },
  run({ file, inputs, at }) {
    if (mode === 'hangs' || mode === 'run hangs') return undefined;
    if (mode === 'dies') process.exit(3);
    if (mode === 'is ended') process.kill(process.pid, 'SIGTERM');
    if (mode === 'is interrupted') process.kill(process.pid, 'SIGINT');
    if (mode === 'is killed') process.kill(process.pid, 'SIGKILL');
    if (mode === 'crashes') process.kill(process.pid, 'SIGSEGV');
    if (mode === 'floods errors') process.stderr.write('x'.repeat(2 ** 24));
    if (mode === 'floods warnings')
      for (let i = 0; i < 20_000; i++) say({ event: 'warning', message: 'again' });
    if (mode === 'floods a line') {
      const chunk = 'x'.repeat(2 ** 20);
      const pour = () => {
        while (process.stdout.write(chunk));
        process.stdout.once('drain', pour);
      };
      pour();
      return undefined;
    }
    if (mode === 'lies') return { outputs: 'none', ms: 'fast' };
    const [{ shape, offset }] = inputs;
    const handle = openSync(file, 'r+');
    const each = 2 * CHANNELS * SIZE * SIZE;
    const halves = new Uint16Array(shape[0] * CHANNELS * SIZE * SIZE);
    readSync(handle, halves, 0, halves.byteLength, offset);
    const rows = new Float32Array(shape[0] * 2);
    const counts = new BigInt64Array(shape[0]);
    for (let i = 0; i < shape[0]; i++) {
      let sum = 0;
      for (let j = 0; j < SIZE * SIZE; j++) sum += widen(halves[(i * each) / 2 + j]);
      rows.set([sum, shape[0]], 2 * i);
      counts[i] = BigInt(i);
    }
    writeSync(handle, rows, 0, rows.byteLength, at);
    const next = Math.ceil((at + rows.byteLength) / 64) * 64;
    writeSync(handle, counts, 0, counts.byteLength, next);
    closeSync(handle);
    const outputs = [
      { name: 'output0', shape: [shape[0], 2], offset: at },
      { name: 'count', shape: [shape[0]], offset: next },
    ];
    const [first, second] = outputs;
    const LIES = {
      'wrong shape': { outputs: [{ ...first, shape: [shape[0], 3] }, second] },
      'other rank': { outputs: [{ ...first, shape: [2 * shape[0]] }, second] },
      'negative shape': { outputs: [{ ...first, shape: [-1, 2] }, second] },
      'missing output': { outputs: [first] },
      'unknown output': { outputs: [first, second, { ...second, name: 'extra' }] },
      'inside the inputs': { outputs: [{ ...first, offset: 0 }, second] },
      'behind the file': { outputs: [{ ...first, offset: 2 ** 40 }, second] },
      'negative time': { ms: -1 },
    };
    return { outputs, ms: 2, ...LIES[mode] };
  },
  time({ id, iterations, graph }) {
    if (graph) return { times: null, reason: 'no graph here' };
    if (mode === 'too few times') return { times: [1, 2] };
    if (mode === 'negative times') return { times: Array.from({ length: iterations }, () => -1) };
    if (mode === 'times of nothing') return { times: Array.from({ length: iterations }, () => null) };
    // What Python's json writes for NaN.
    if (mode === 'nan times') {
      process.stdout.write(`{"id": ${id}, "ok": {"times": [NaN]}}\n`);
      return undefined;
    }
    return { times: Array.from({ length: iterations }, (_, i) => i) };
  },
  profile: () => ({ layers: [{ name: 'conv', ms: 0.5 }] }),
  inspect: () => ({ layers: JSON.parse(readFileSync(process.env.FAKE_INSPECTOR, 'utf8')) }),
  release: () => ({}),
  ping: () => ({ freeBytes: 1, memoryBytes: 2 }),
};

/** A positive, normal half. */
function widen(bits) {
  return bits === 0 ? 0 : 2 ** ((bits >> 10) - 15) * (1 + (bits & 1023) / 1024);
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const request = JSON.parse(line);
  if (mode === 'answers what was not asked') return say({ id: request.id + 1000, ok: {} });
  try {
    const ok = OPERATIONS[request.op](request);
    if (ok !== undefined) say({ id: request.id, ok });
  } catch (error) {
    say({ id: request.id, error });
  }
});
