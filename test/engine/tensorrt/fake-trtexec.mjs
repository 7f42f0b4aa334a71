// Stands in for trtexec: takes its options, writes its files in its forms (samples/common/sampleReporting.cpp of TensorRT
// 8.6 to 10), and runs engines in onnxruntime. FAKE_TRTEXEC says how it misbehaves, and FAKE_VERSION which one it is.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const mode = process.env.FAKE_TRTEXEC ?? 'good';
const version = process.env.FAKE_VERSION ?? '100600';
const args = process.argv.slice(2);
const value = (name) => args.find((one) => one.startsWith(`--${name}=`))?.slice(name.length + 3);
const has = (name) => args.includes(`--${name}`);
const log = (level, text) => console.log(`[09/25/2026-10:00:00] [${level}] ${text}`);
const title = (word) =>
  console.log(`&&&& ${word} TensorRT.trtexec [TensorRT v${version}] # trtexec ${args.join(' ')}`);
const fail = (...lines) => {
  for (const line of lines) log('E', line);
  title('FAILED');
  process.exit(1);
};
// Numbers as C++ prints them.
const digits = (x) =>
  Number.isNaN(x) ? 'nan' : !Number.isFinite(x) ? (x > 0 ? 'inf' : '-inf') : String(Number(x.toPrecision(6)));

if (process.env.FAKE_LOG !== undefined) appendFileSync(process.env.FAKE_LOG, `${args.join(' ')}\n`);
if (mode === 'no library') {
  console.error(
    'trtexec: error while loading shared libraries: libnvinfer.so.10: cannot open shared object file: No such file or directory',
  );
  process.exit(127);
}
if (mode === 'no version') {
  console.log('usage: trtexec');
  process.exit(0);
}
title('RUNNING');
if (has('help')) process.exit(0);
if (mode === 'driver')
  fail('CUDA initialization failure with error: 35. Please check your CUDA installation');
if (mode === 'no gpu') fail('Cuda failure: no CUDA-capable device is detected');

const KNOWN =
  /^--(onnx|saveEngine|loadEngine|skipInference|timingCacheFile|noTF32|profilingVerbosity|builderOptimizationLevel|memPoolSize|minShapes|optShapes|maxShapes|shapes|fp16|int8|loadInputs|exportOutput|exportTimes|exportProfile|exportLayerInfo|iterations|warmUp|duration|useSpinWait|noDataTransfers|useCudaGraph|device)(=|$)/;
const odd = args.find((one) => !KNOWN.test(one));
if (odd !== undefined || mode === 'option') fail(`Unknown option: ${odd ?? '--noTF32'}`);

if (value('saveEngine') !== undefined) {
  if (mode === 'refuses')
    fail(
      'ModelImporter.cpp:836: While parsing node number 3 [QuantizeLinear]:',
      'Failed to parse onnx file',
      'Parsing model failed',
    );
  if (mode === 'out of memory')
    fail('[defaultAllocator.cpp::allocate] Error Code 1: Cuda Runtime (out of memory)');
  if (mode === 'build hangs') await new Promise((resolve) => setTimeout(resolve, 60_000));
  if (mode === 'is killed') process.kill(process.pid, 'SIGKILL');
  if (mode === 'crashes') process.kill(process.pid, 'SIGSEGV');
  writeFileSync(
    value('saveEngine'),
    Buffer.concat([
      Buffer.from((has('int8') ? 'int8' : has('fp16') ? 'fp16' : 'fp32').padEnd(16)),
      readFileSync(value('onnx')),
    ]),
  );
  writeFileSync(value('timingCacheFile'), 'timing');
  title('PASSED');
  process.exit(0);
}

const engine = readFileSync(value('loadEngine'));
const precision = engine.subarray(0, 16).toString().trim();
if (mode === 'run dies') process.exit(3);
if (mode === 'flood') for (let i = 0; i < 20_000; i++) log('V', 'x'.repeat(200));

if (value('loadInputs') !== undefined) {
  const session = await InferenceSession.create(engine.subarray(16), {
    intraOpNumThreads: 1,
    extra: { session: { disable_quant_qdq: '1' } },
  });
  const [, name, file] = /^'(.*)':(.*)$/.exec(value('loadInputs'));
  const { shape } = session.inputMetadata.find((one) => one.name === name);
  const asked = /^'.*':([\dx]+)$/
    .exec(value('shapes') ?? '')?.[1]
    ?.split('x')
    .map(Number);
  const bytes = readFileSync(file);
  const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const outputs = await session.run({ [name]: new Tensor('float32', data, asked ?? shape) });
  const rows = Object.entries(outputs).map(([key, { dims, data: values }]) => {
    let numbers = Array.from(values, (x) => digits(Number(x)));
    if (mode === 'wrong count') numbers = numbers.slice(1);
    if (mode === 'infinite') numbers[0] = 'nan';
    return `{ "name" : "${mode === 'wrong output' ? 'other' : key}"\n  , "dimensions" : "${dims.join('x')}"\n  , "values" : [ ${numbers.join(', ')} ]\n  }\n`;
  });
  if (mode !== 'writes nothing')
    writeFileSync(value('exportOutput'), mode === 'garbage' ? 'Segmentation' : `[\n  ${rows.join(', ')}]\n`);
}
if (value('exportTimes') !== undefined) {
  if (has('useCudaGraph') && mode === 'no graph') {
    log('W', 'The CUDA graph capture on the stream has failed.');
    log(
      'W',
      'The specified --useCudaGraph flag has been ignored. The inference will be launched without using CUDA graph launch.',
    );
  }
  // INT8 takes half the time; a graph takes some off.
  const ms = ({ fp32: 4, fp16: 2, int8: 1 }[precision] ?? 4) - (has('useCudaGraph') ? 0.1 : 0);
  const one = mode === 'nan times' ? 'nan' : ms;
  const row = `"startEnqMs" : 1, "endEnqMs" : 2, "startH2dMs" : 0, "endH2dMs" : 0, "startComputeMs" : 1, "endComputeMs" : 2, "startD2hMs" : 0, "endD2hMs" : 0, "h2dMs" : 0, "computeMs" : ${one}, "d2hMs" : 0, "latencyMs" : ${one}`;
  const rows = Array.from(
    { length: mode === 'no times' ? 0 : Number(value('iterations')) },
    () => `{ ${row} }\n`,
  );
  writeFileSync(value('exportTimes'), `[\n  ${rows.join(', ')}]\n`);
}
if (value('exportProfile') !== undefined)
  writeFileSync(
    value('exportProfile'),
    '[\n  { "count" : 50 }\n, { "name" : "/b1/conv/Conv", "timeMs" : 25, "averageMs" : 0.5, "medianMs" : 0.5, "percentage" : 100 }\n]\n',
  );
if (value('exportLayerInfo') !== undefined)
  writeFileSync(
    value('exportLayerInfo'),
    JSON.stringify({
      Layers: [
        {
          Name: '/b1/conv/Conv',
          LayerType: 'CaskConvolution',
          Inputs: [{ Name: 'images', 'Format/Datatype': precision === 'int8' ? 'Int8 NCHW' : 'FP16' }],
          Outputs: [],
          ParameterType: 'Convolution',
          Metadata: '[ONNX Layer: /b1/conv/Conv]',
        },
      ],
      Bindings: [],
    }),
  );
title('PASSED');
