import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { createTrtexecEngine, type EngineModel, type HostTensor } from '../../../src/engine/index.js';
import { timingOf } from '../../../src/engine/tensorrt/engine.js';
import { parseInspector, withTimes } from '../../../src/engine/tensorrt/inspector.js';
import {
  failureIn,
  parseLayerInfo,
  parseOutputs,
  parseProfile,
  parseTimes,
  reasonIn,
  versionIn,
} from '../../../src/engine/tensorrt/trtexec-files.js';
import { InputFault, SurroundingsFault } from '../../../src/faults/index.js';
import { encodeModel } from '../../../src/onnx/index.js';
import { writeExecutable } from '../../commands/child.js';
import { feedOf, outlierChannel } from '../../sensitivity/nets.js';

let folder: string;
let environment: NodeJS.ProcessEnv;
beforeEach(async () => {
  environment = { ...process.env };
  folder = await mkdtemp(join(tmpdir(), 'trtexec-'));
  await writeExecutable(
    folder,
    'trtexec',
    `#!/bin/sh\nexec '${process.execPath}' '${resolve('test/engine/tensorrt/fake-trtexec.mjs')}' "$@"\n`,
  );
  await writeExecutable(folder, 'nvidia-smi', "#!/bin/sh\necho '00000000:01:00.0, 8.7, 8000, 7000, 540.3'\n");
  process.env.FAKE_LOG = join(folder, 'log');
});
afterEach(async () => {
  process.env = environment;
  await rm(folder, { recursive: true, force: true });
});

const engine = (more: Partial<Parameters<typeof createTrtexecEngine>[0]> = {}) =>
  createTrtexecEngine({
    trtexec: join(folder, 'trtexec'),
    nvidiaSmi: join(folder, 'nvidia-smi'),
    because: 'no Python',
    gpu: 0,
    batch: 1,
    optimizationLevel: 3,
    workspaceMiB: 512,
    cache: join(folder, 'engines'),
    workspace: undefined,
    timeoutMs: 20_000,
    dla: undefined,
    ...more,
  });
const model: EngineModel = {
  name: 'net.onnx',
  bytes: encodeModel(outlierChannel(3).model.proto),
  precision: 'int8',
};
const calls = async (): Promise<string[]> => (await readFile(join(folder, 'log'), 'utf8')).trim().split('\n');

describe('trtexec alone', () => {
  test('builds, runs each image, times and inspects', async () => {
    const one = await engine();
    expect([one.version, one.typing, one.hello.gpu.computeCapability]).toEqual(['10.6.0', 'weak', '8.7']);
    const session = await one.load(model);
    const seen: [number, ReadonlyMap<string, HostTensor>][] = [];
    await session.run(feedOf(3, 1), (i, outputs) => seen.push([i, outputs]));
    expect(seen.map(([i]) => i)).toEqual([0, 1, 2]);
    for (const [, outputs] of seen)
      expect([...outputs.keys()]).toEqual(session.outputs.map(({ name }) => name));
    expect(await session.details()).toEqual({
      engineBytes: model.bytes.length + 16,
      buildSeconds: expect.any(Number),
      deviceBytes: undefined,
      batch: 1,
      timing: { medianMs: 1, p99Ms: 1 },
      graphTiming: { medianMs: 0.9, p99Ms: 0.9 },
      layers: [
        {
          name: '/b1/conv/Conv',
          type: 'CaskConvolution',
          nodes: ['/b1/conv/Conv'],
          precision: 'int8',
          reformat: false,
          ms: 0.5,
        },
      ],
    });
    const [, build = '', run = '', , , plain = '', graph = '', profile = ''] = await calls();
    expect(build).toMatch(
      /--onnx=\S+ --saveEngine=\S+ --skipInference --timingCacheFile=\S+ --int8 --fp16 --noTF32/,
    );
    expect(build).toMatch(/--profilingVerbosity=detailed .*--memPoolSize=workspace:512/);
    expect(run).toMatch(
      /--loadEngine=\S+ .*--loadInputs='\w+':\S+ --exportOutput=\S+ --iterations=1 --warmUp=0/,
    );
    expect(plain).toMatch(/--useSpinWait --noDataTransfers --exportTimes=\S+ --iterations=200 --warmUp=500/);
    expect(graph).toContain('--useCudaGraph');
    // Profiling slows what it times: it has a run of its own.
    expect(profile).not.toContain('--exportTimes');
  });

  test('keeps engines: built once, and again when the file is not the one that was built', async () => {
    await (await engine()).load(model);
    await (await engine()).load(model);
    const builds = async (): Promise<number> =>
      (await calls()).filter((one) => one.includes('--onnx')).length;
    expect(await builds()).toBe(1);
    const name = (await readdir(join(folder, 'engines'))).find((file) => file.endsWith('.engine')) ?? '';
    await writeFile(join(folder, 'engines', name), 'another');
    await (await engine()).load(model);
    expect(await builds()).toBe(2);
    await (await engine()).load({ ...model, precision: 'fp16' });
    expect(await builds()).toBe(3);
    expect((await readdir(join(folder, 'engines'))).filter((file) => /onnx|tmp/.test(file))).toEqual([]);
  });

  test('an engine that cannot be captured as a CUDA graph has no such time', async () => {
    process.env.FAKE_TRTEXEC = 'no graph';
    const session = await (await engine()).load(model);
    await session.run(feedOf(1, 1), () => undefined);
    expect((await session.details()).graphTiming).toBeUndefined();
  });

  test('more starts than a person would wait for are refused, with what helps', async () => {
    const session = await (await engine()).load(model);
    await expect(session.run({ ...feedOf(1, 1), count: 5000 }, () => undefined)).rejects.toThrow(
      /5000 images at a batch of 1 are 5000 starts, 400 are allowed\n.*Raise `engine\.batch` to 13/,
    );
  });

  test('stops when asked', async () => {
    process.env.FAKE_TRTEXEC = 'build hangs';
    const session = await (await engine({ timeoutMs: 700 })).load(model).catch((error: unknown) => error);
    expect(String(session)).toMatch(/did not finish with net\.onnx within 1 s/);
  });

  const START: readonly [string, Record<string, string>, RegExp][] = [
    [
      'missing library',
      { FAKE_TRTEXEC: 'no library' },
      /ended with status 127[^]*libnvinfer\.so\.10[^]*LD_LIBRARY_PATH/,
    ],
    ['old version', { FAKE_VERSION: '8503' }, /is of TensorRT 8\.5\.3\n.*8\.6 or newer/],
    ['something else', { FAKE_TRTEXEC: 'no version' }, /does not tell its version/],
  ];
  test.each(START)('does not start: %s', async (_, env, message) => {
    Object.assign(process.env, env);
    await expect(engine()).rejects.toThrow(SurroundingsFault);
    await expect(engine()).rejects.toThrow(message);
  });
  test('does not start: not there', async () => {
    await expect(engine({ trtexec: join(folder, 'none') })).rejects.toThrow(
      /is not installed[^]*engine\.tensorrt\.trtexec/,
    );
  });

  const BUILD: readonly [string, RegExp][] = [
    ['out of memory', /out of memory[^]*nvidia-smi/],
    ['driver', /error: 35[^]*driver is older/],
    ['no gpu', /no CUDA-capable device[^]*--gpus/],
    ['is killed', /was killed \(SIGKILL\)[^]*ran out of memory/],
    ['crashes', /crashed \(SIGSEGV\)/],
    ['option', /Unknown option: --noTF32[^]*8\.6 to 11/],
  ];
  test.each(BUILD)('a build that fails is told with its cure: %s', async (mode, message) => {
    process.env.FAKE_TRTEXEC = mode;
    const loading = (await engine()).load(model);
    await expect(loading).rejects.toThrow(SurroundingsFault);
    await expect(loading).rejects.toThrow(message);
    expect((await readdir(join(folder, 'engines'))).filter((file) => /onnx|tmp|json/.test(file))).toEqual([]);
  });

  test('a model that TensorRT refuses is bad input, with its words', async () => {
    process.env.FAKE_TRTEXEC = 'refuses';
    const loading = (await engine()).load(model);
    await expect(loading).rejects.toThrow(InputFault);
    await expect(loading).rejects.toThrow(
      /net\.onnx: TensorRT refuses it: ModelImporter.*node number 3[^]*lint/,
    );
  });

  const RUN: readonly [string, RegExp][] = [
    ['run dies', /ended with status 3/],
    ['wrong count', /numbers at dimensions/],
    ['wrong output', /is not among what trtexec wrote/],
    ['garbage', /wrote a file that cannot be read, --exportOutput/],
    ['writes nothing', /wrote a file that cannot be read, --exportOutput/],
  ];
  test.each(RUN)('a run that lies is told: %s', async (mode, message) => {
    process.env.FAKE_TRTEXEC = mode;
    const session = await (await engine()).load(model);
    await expect(session.run(feedOf(1, 1), () => undefined)).rejects.toThrow(message);
  });

  test.each(['no times', 'nan times'])('times that are none are told: %s', async (mode) => {
    process.env.FAKE_TRTEXEC = mode;
    const session = await (await engine()).load(model);
    await session.run(feedOf(1, 1), () => undefined);
    await expect(session.details()).rejects.toThrow(/--exportTimes/);
  });

  test('a flood of words does no harm', async () => {
    process.env.FAKE_TRTEXEC = 'flood';
    const session = await (await engine()).load(model);
    await session.run(feedOf(1, 1), () => undefined);
  });
});

describe('what trtexec writes', () => {
  test.each([
    ['&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --help', '8.6.1'],
    ['&&&& RUNNING TensorRT.trtexec [TensorRT v8503] # trtexec', '8.5.3'],
    ['&&&& RUNNING TensorRT.trtexec [TensorRT v100600] [b26] # trtexec', '10.6.0'],
    ['&&&& RUNNING TensorRT.trtexec [TensorRT v101303] [b9] # trtexec', '10.13.3'],
    ['&&&& RUNNING TensorRT.trtexec [TensorRT v110401] [b1] # trtexec', '11.4.1'],
    ['usage: trtexec', undefined],
  ])('version in %s', (text, version) => expect(versionIn(text)).toBe(version));

  test('outputs, with numbers that JSON does not know', () => {
    const text =
      '[\n  { "name" : "nan, inf"\n  , "dimensions" : "1x5"\n  , "values" : [ nan, -nan, inf, -inf, 1.5e-05 ]\n  }\n]\n';
    expect(parseOutputs(text, 'f')).toEqual([
      { name: 'nan, inf', dims: [1, 5], values: [NaN, NaN, Infinity, -Infinity, 1.5e-5] },
    ]);
  });
  test.each([
    '',
    '{}',
    '[1]',
    '[{"name":"a","dimensions":"2","values":[1]}]',
    '[{"name":"a","dimensions":"x","values":[]}]',
  ])('outputs of another form: %s', (text) =>
    expect(() => parseOutputs(text, 'f')).toThrow(SurroundingsFault),
  );
  test.each(['', '[]', '[{"latencyMs":1}]', '[{"computeMs":-1}]', '[{"computeMs":"1"}]'])(
    'times of another form: %s',
    (text) => expect(() => parseTimes(text, 'f')).toThrow(SurroundingsFault),
  );
  test('the files of trtexec 10.6 itself, of an INT8 engine on an H100', async () => {
    const text = async (file: string): Promise<string> =>
      gunzipSync(await readFile(`test/engine/tensorrt/trtexec/${file}.json.gz`)).toString();
    // What trtexec printed of the same runs: median = 0.749908 ms and 0.588684 ms.
    const plain = parseTimes(await text('times'), 'times');
    expect(plain.length).toBe(200);
    expect(timingOf(plain).medianMs).toBeCloseTo(0.749908, 5);
    const graph = timingOf(parseTimes(await text('times-graph'), 'times'));
    expect(graph.medianMs).toBeCloseTo(0.588684, 5);
    const profile = parseProfile(await text('profile'), 'profile');
    // Its mean is 0.121376: the first of the runs was cold.
    expect(profile[0]).toEqual({ name: 'images_QuantizeLinear', ms: 0.009984 });
    const layers = parseInspector(parseLayerInfo(await text('layers'), 'layers'));
    const timed = withTimes(layers ?? [], profile);
    const count = (precision: string): number =>
      timed.filter((layer) => layer.precision === precision && !layer.reformat).length;
    expect({
      layers: timed.length,
      untimed: timed.filter(({ ms }) => ms === undefined).length,
      int8: count('int8'),
      fp16: count('fp16'),
    }).toEqual({ layers: 170, untimed: 0, int8: 90, fp16: 2 });
  });
  test('a profile has a row that is no layer', () =>
    expect(parseProfile('[ { "count" : 5 }, { "name" : "a", "timeMs" : 5, "averageMs" : 1 } ]', 'f')).toEqual(
      [{ name: 'a', ms: 1 }],
    ));

  test.each([
    ['[E] Error[1]: [defaultAllocator.cpp] Error Code 1: Cuda Runtime (out of memory)', 'out-of-memory'],
    ['[E] CUDA driver version is insufficient for CUDA runtime version', 'driver'],
    ['[E] Cuda failure: invalid device ordinal', 'no-gpu'],
    ['[E] [TRT] ModelImporter.cpp:771: ERROR: unsupported', 'refused'],
    ['[E] Unknown option: --noTF32', 'option'],
    ['[E] something', 'other'],
  ])('%s', (text, failure) => expect(failureIn(text)).toBe(failure));

  test('the reason is its errors, without times', () =>
    expect(reasonIn('[09/25/2026-10:00:00] [I] fine\n[09/25/2026-10:00:00] [E] bad\n&&&& FAILED x\n')).toBe(
      'bad',
    ));
});
