import { afterEach, describe, expect, test } from '@jest/globals';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheVersionOf } from '../../../src/calibration/index.js';
import {
  createTensorRtEngine,
  type HostTensor,
  type ImageFeed,
  type TensorRtEngine,
  type TensorRtOptions,
} from '../../../src/engine/index.js';
import { InputFault, Interrupted, SurroundingsFault } from '../../../src/faults/index.js';
import { SIZE, plainFeed } from './plain-feed.js';

const feed = (count: number): ImageFeed => plainFeed(count, 'float16');
const model = { name: 'detector.onnx', bytes: Uint8Array.of(1, 2, 3), precision: 'int8' } as const;

let folder = '';
let engine: TensorRtEngine | undefined;
afterEach(async () => {
  await engine?.close();
  engine = undefined;
  await rm(folder, { recursive: true, force: true });
  delete process.env.FAKE_MODE;
});

async function start(mode: string, over: Partial<TensorRtOptions> = {}): Promise<TensorRtEngine> {
  process.env.FAKE_MODE = mode;
  process.env.FAKE_INSPECTOR = 'test/engine/tensorrt/inspector-10.json';
  folder = await mkdtemp(join(tmpdir(), 'int8-gate-'));
  engine = await createTensorRtEngine({
    python: process.execPath,
    script: 'test/engine/tensorrt/fake-worker.mjs',
    gpu: 0,
    batch: 3,
    optimizationLevel: 3,
    workspaceMiB: undefined,
    cache: join(folder, 'engines'),
    workspace: undefined,
    timeoutMs: 5000,
    startMs: 3000,
    runMs: 1500,
    dla: undefined,
    ...over,
  });
  return engine;
}

async function runAll(one: TensorRtEngine, count = 7): Promise<number[][]> {
  const loaded = await one.load(model);
  const rows: number[][] = [];
  await loaded.run(feed(count), (i, outputs) => {
    const { dims, data } = outputs.get('output0') as HostTensor;
    expect(dims).toEqual([1, 2]);
    rows[i] = [...data];
  });
  await loaded.release();
  return rows;
}

describe('a worker that behaves', () => {
  test('says what it is', async () => {
    const warnings: string[] = [];
    const one = await start('good', { onWarning: (text) => warnings.push(text) });
    expect([one.version, one.typing, one.hello.gpu.computeCapability]).toEqual(['10.6.0', 'weak', '8.7']);
    expect(warnings).toEqual(['a warning of the library']);
  });

  test('runs in batches, fills the last one up, and gives each image its own outputs in order', async () => {
    const rows = await runAll(await start('good'));
    expect(rows).toEqual([1, 2, 3, 4, 5, 6, 7].map((value) => [value * SIZE * SIZE, 3]));
  });

  test('times itself, and joins the inspector with the profiler', async () => {
    const loaded = await (await start('good')).load(model);
    await loaded.run(feed(1), () => undefined);
    const details = await loaded.details();
    expect(details.timing).toEqual({ medianMs: 99.5, p99Ms: 198 });
    expect(details.graphTiming).toBeUndefined();
    expect(details.layers?.map(({ name, precision }) => [name, precision]).slice(0, 1)).toEqual([
      ['images_QuantizeLinear', 'fp32'],
    ]);
    await loaded.release();
  });

  test('leaves nothing in shared memory', async () => {
    await runAll(await start('good'));
    expect(readdirSync('/dev/shm').filter((name) => name.startsWith(`int8-gate-${process.pid}-`))).toEqual(
      [],
    );
  });

  test('stops when asked, and the worker with it', async () => {
    const loaded = await (await start('hangs')).load(model);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 50);
    await expect(loaded.run(feed(1), () => undefined, { signal: stop.signal })).rejects.toBeInstanceOf(
      Interrupted,
    );
  });
});

describe('implicit INT8', () => {
  test('is built from the cache by the calibrator that its header names, and is another engine', async () => {
    const one = await start('good');
    const seen = async (calibration: string | undefined): Promise<unknown> => {
      const loaded = await one.load({ ...model, ...(calibration !== undefined && { calibration }) });
      await loaded.release();
      const files = (await readdir(join(folder, 'engines'))).filter((name) => name.endsWith('.engine'));
      const all = await Promise.all(files.map((name) => readFile(join(folder, 'engines', name), 'utf8')));
      return all.map((text) => (JSON.parse(text) as { calibration: unknown }).calibration).sort();
    };
    expect(await seen(undefined)).toEqual(['none']);
    expect(await seen('TRT-100600-MinMaxCalibration\nimages: 3c010204\n')).toEqual([
      'minmax 46 bytes',
      'none',
    ]);
    expect(await seen('TRT-100600-EntropyCalibration2\nimages: 3c010204\n')).toHaveLength(3);
    expect((await readdir(join(folder, 'engines'))).filter((name) => name.endsWith('.calibration'))).toEqual(
      [],
    );
  });

  test('is cached for the very version of the library', () => {
    expect(['8.6.1', '10.6.0', '10.13.3.9', '11.0.0'].map(cacheVersionOf)).toEqual([
      '8601',
      '100600',
      '101303',
      '110000',
    ]);
  });
});

describe('engines that are kept', () => {
  const kept = async (): Promise<string[]> => (await readdir(join(folder, 'engines'))).sort();

  test('are found again, and the ONNX file is not left behind', async () => {
    const one = await start('good');
    await (await one.load(model)).release();
    const first = await kept();
    expect(first.map((name) => name.split('.')[1])).toEqual(['engine', 'json']);
    await (await one.load(model)).release();
    expect(await kept()).toEqual(first);
  });

  test.each([
    ['another model', { ...model, bytes: Uint8Array.of(9) }],
    ['another precision', { ...model, precision: 'fp16' as const }],
  ])('are not taken for %s', async (_, other) => {
    const one = await start('good');
    await (await one.load(model)).release();
    await (await one.load(other)).release();
    expect((await kept()).filter((name) => name.endsWith('.engine'))).toHaveLength(2);
  });

  test('are built again when their file is not the one that was built', async () => {
    const one = await start('good');
    await (await one.load(model)).release();
    const [name] = await kept();
    await writeFile(join(folder, 'engines', name as string), 'planted');
    await (await one.load(model)).release();
    expect(await runAll(one, 1)).toEqual([[SIZE * SIZE, 3]]);
  });

  test('never lie where a pull request can write', async () => {
    folder = await mkdtemp(join(tmpdir(), 'int8-gate-'));
    const inside = start('good', { cache: join('/checkout', 'build', 'engines'), workspace: '/checkout' });
    await expect(inside).rejects.toThrow(/engine\.tensorrt\.cache: .* lies inside the workspace/);
  });

  test('nor where others may write', async () => {
    folder = await mkdtemp(join(tmpdir(), 'int8-gate-'));
    const shared = join(folder, 'shared');
    await mkdir(shared);
    await chmod(shared, 0o777);
    await expect(start('good', { cache: shared })).rejects.toThrow(/other users may write/);
    await rm(shared, { recursive: true });
  });
});

test('a library without flags gets strongly typed files', async () => {
  expect((await start('strong only')).typing).toBe('strong');
});

describe('a worker that misbehaves is explained, with status 3, and is gone', () => {
  test.each([
    ['garbage', /says what is no message: "Loading site packages…"/],
    ['flood', /sends a line without end/],
    ['library missing', /cannot import tensorrt[^]*pip install tensorrt/],
    ['exit at start', /ended with status 1.*libnvinfer\.so\.10: cannot open[^]*doctor/],
    ['silent', /does not answer within 3 s of its start/],
    ['other protocol', /speaks protocol 99, 1 is spoken here/],
    ['other gpu', /works on GPU 1, GPU 0 was asked for[^]*CUDA_VISIBLE_DEVICES/],
  ])('at the start: %s', async (mode, says) => {
    const starting = start(mode);
    await expect(starting).rejects.toBeInstanceOf(SurroundingsFault);
    await expect(starting).rejects.toThrow(says);
  });

  test.each([
    ['dies', /ended with status 3/],
    ['is killed', /was killed \(SIGKILL\)[^]*ran out of memory/],
    ['crashes', /crashed \(SIGSEGV\)/],
    ['is ended', /was ended from outside \(SIGTERM\)[^]*limits of time/],
    ['hangs', /did not finish run of detector\.onnx within/],
    ['lies', /answers run in a form that is not agreed on/],
    ['wrong shape', /output output0 the dimensions \[3, 3\], the engine was built for \[-1, 2\]/],
    ['other rank', /output output0 the dimensions \[6\], the engine was built for \[-1, 2\]/],
    ['negative shape', /output output0 the dimensions \[-1, 2\]/],
    ['missing output', /gives no output count/],
    ['unknown output', /gives an output extra, which the engine does not have/],
    ['inside the inputs', /output output0 at byte 0, outside its part of the exchange file/],
    ['behind the file', /output output0 at byte 1099511627776, outside/],
    ['negative time', /says that a run took -1 ms/],
    ['floods a line', /sends a line without end/],
    ['answers what was not asked', /which was not asked/],
    ['out of memory', /9 GiB of GPU memory[^]*nvidia-smi/],
  ])('at work: %s', async (mode, says) => {
    const one = await start(mode);
    const running = runAll(one, 1);
    await expect(running).rejects.toBeInstanceOf(SurroundingsFault);
    await expect(running).rejects.toThrow(says);
  });

  test.each([
    ['too few times', /gives 2 times of 200 runs/],
    ['negative times', /says that a run took -1 ms/],
    ['times of nothing', /answers time in a form that is not agreed on/],
    ['nan times', /says what is no message/],
  ])('in its times: %s', async (mode, says) => {
    const loaded = await (await start(mode)).load(model);
    await loaded.run(feed(3), () => undefined);
    await expect(loaded.details()).rejects.toThrow(says);
    // A worker that lied once is not asked again.
    await expect(loaded.run(feed(3), () => undefined)).rejects.toThrow(says);
  });

  test.each(['floods errors', 'floods warnings'])('but is borne where it only %s', async (mode) => {
    const warnings: string[] = [];
    const one = await start(mode, { onWarning: (text) => warnings.push(text), runMs: 20_000 });
    expect(await runAll(one, 3)).toHaveLength(3);
    expect(new Set(warnings).size).toBeLessThanOrEqual(2);
  });

  test.each(['build', 'run'])('Ctrl-C ends the worker in the midst of a %s', async (operation) => {
    const abort = new AbortController();
    const one = await start(`${operation} hangs`, { signal: abort.signal });
    const running = runAll(one, 1);
    setTimeout(() => abort.abort(), 100);
    await expect(running).rejects.toBeInstanceOf(Interrupted);
    expect(readdirSync(join(folder, 'engines')).filter((name) => /engine|onnx/.test(name))).toEqual(
      operation === 'build' ? [] : [expect.stringMatching(/engine$/)],
    );
  });

  test('a worker that Ctrl-C reaches before us was interrupted, and did not crash', async () => {
    const one = await start('is interrupted');
    await expect(runAll(one, 1)).rejects.toBeInstanceOf(Interrupted);
  });

  test('a start that is interrupted ends at once', async () => {
    const starting = start('silent', { signal: AbortSignal.abort() });
    await expect(starting).rejects.toBeInstanceOf(Interrupted);
  });

  test('a Python that is not there', async () => {
    await expect(start('good', { python: 'no-such-python' })).rejects.toThrow(
      /no-such-python\): cannot be started: there is no such program[^]*engine\.tensorrt\.python/,
    );
  });

  test('but a model that TensorRT refuses is bad input, with its reason', async () => {
    const running = runAll(await start('refuses'), 1);
    await expect(running).rejects.toBeInstanceOf(InputFault);
    await expect(running).rejects.toThrow(
      /detector\.onnx: TensorRT refuses it: node Conv_0[^]*int8-gate lint/,
    );
  });
});
