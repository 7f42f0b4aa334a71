import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  TensorRtWorker,
  createTensorRtEngine,
  type HostTensor,
  type TensorRtEngine,
} from '../../../src/engine/index.js';
import { plainFeed } from './plain-feed.js';

// The worker's own code, over the names that TensorRT 11's bindings have.
const SCRIPT = 'test/engine/tensorrt/bindings-11.py';
const feed = plainFeed(5, 'float32');

/** The worker is Python's, which a machine for tests need not have. */
const withPython = spawnSync('python3', ['--version']).status === 0 ? describe : describe.skip;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'int8-gate-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

withPython('the worker with the bindings of TensorRT 11', () => {
  let engine: TensorRtEngine;
  beforeAll(async () => {
    engine = await createTensorRtEngine({
      python: 'python3',
      script: SCRIPT,
      gpu: 0,
      batch: 2,
      optimizationLevel: 4,
      workspaceMiB: 64,
      cache: join(folder, 'engines'),
      workspace: undefined,
      timeoutMs: 20_000,
      dla: undefined,
    });
  });
  afterAll(() => engine.close());

  test('tells what is left there: strong typing, no calibrators', () => {
    expect([engine.version, engine.typing, engine.hello.capabilities]).toEqual([
      '11.4.0.106',
      'strong',
      { weak: false, strong: true, calibrators: false, obey: false, dla: true },
    ]);
  });

  test('builds strongly typed, sets no flag of precision, runs, times, profiles and inspects', async () => {
    const loaded = await engine.load({ name: 'net.onnx', bytes: Uint8Array.of(1), precision: 'int8' });
    const first: number[] = [];
    await loaded.run(feed, (i, outputs) => {
      const { dims, data } = outputs.get('output0') as HostTensor;
      expect([dims, new Set(data).size]).toEqual([[1, 3, 4, 4], 1]);
      first[i] = Number(data[0]);
    });
    expect(first).toEqual([2, 3, 4, 5, 6]);
    const details = await loaded.details();
    expect([details.timing, details.graphTiming]).toEqual([
      { medianMs: 0.25, p99Ms: 0.25 },
      { medianMs: 0.25, p99Ms: 0.25 },
    ]);
    expect(details.layers?.map(({ name, nodes, ms }) => [name, nodes, ms])).toEqual([
      ['conv', ['/conv'], 0.5],
    ]);
    await loaded.release();
    const name = (await readdir(join(folder, 'engines'))).find((file) => file.endsWith('.engine')) ?? '';
    expect(JSON.parse(await readFile(join(folder, 'engines', name), 'utf8'))).toEqual({
      network: 1, // STRONGLY_TYPED is the first of the flags there
      set: [],
      clear: ['BuilderFlag.TF32'],
      level: 4,
      verbosity: 'ProfilingVerbosity.DETAILED',
      'MemoryPoolType.WORKSPACE': 64 * 2 ** 20,
      profiles: [
        {
          images: [
            [1, 3, 4, 4],
            [2, 3, 4, 4],
            [2, 3, 4, 4],
          ],
        },
      ],
    });
  });

  test.each([
    [
      'INT8 of weakly typed files',
      { mode: 'int8+fp16' },
      /this TensorRT has no flag INT8: only strongly typed/,
    ],
    [
      'ranges of a calibration cache',
      { calibrationCache: 'cache', calibration: 'entropy' },
      /this TensorRT has no calibrators: give a model with Q\/DQ/,
    ],
    ['a DLA that is not there', { dla: 0 }, /DLA core 0 is asked for, this device has 0/],
  ] as const)('refuses %s plainly', async (_, over, words) => {
    const { worker } = await TensorRtWorker.start({
      python: 'python3',
      script: SCRIPT,
      gpu: 0,
      startMs: 20_000,
    });
    const onnx = join(folder, 'net.onnx');
    await writeFile(onnx, '');
    const request = {
      onnx,
      engine: join(folder, 'e'),
      mode: 'strong',
      batch: [1, 1, 1],
      shapes: {},
      float: [],
      optimizationLevel: 3,
      workspaceMiB: undefined,
      timingCache: join(folder, 't'),
      calibrationCache: undefined,
      calibration: undefined,
      dla: undefined,
      ...over,
    } as const;
    await expect(worker.ask('build', request, { timeoutMs: 20_000, subject: 'net.onnx' })).rejects.toThrow(
      words,
    );
    await worker.close();
  });
});
