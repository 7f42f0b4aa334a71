import { describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readFile, readdir, utimes, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { gpuState, noiseOf, type GpuState } from '../../../src/engine/tensorrt/gpu.js';
import { lockGpu } from '../../../src/engine/tensorrt/lock.js';
import { Interrupted } from '../../../src/faults/index.js';
import { withFolder } from '../../commands/child.js';

const quiet = 'Tesla T4, 535.129.03, 0, 1590, 1590, 5000, 41, P0, [N/A]';

/** An nvidia-smi that prints these answers. */
async function asked(gpu: string, apps: string, ours: readonly number[] = []): ReturnType<typeof gpuState> {
  let state: Awaited<ReturnType<typeof gpuState>> = { unknown: 'not asked' };
  await withFolder(async (folder) => {
    const program = join(folder, 'nvidia-smi');
    await writeFile(
      program,
      `#!/bin/sh\ncase "$1" in --query-gpu=*) printf '%s\\n' '${gpu}';; *) printf '%s\\n' '${apps}';; esac\n`,
    );
    await chmod(program, 0o755);
    state = await gpuState('0000:01:00.0', ours, program);
  });
  return state;
}

describe('the state of the GPU', () => {
  test('of a quiet T4', async () => {
    const state = await asked(quiet, '');
    expect(state).toEqual({
      name: 'Tesla T4',
      driver: '535.129.03',
      utilization: 0,
      smClockMHz: 1590,
      maxSmClockMHz: 1590,
      memoryClockMHz: 5000,
      temperature: 41,
      powerState: 'P0',
      mig: false,
      others: [],
    } satisfies GpuState);
    expect(noiseOf(state)).toEqual([]);
  });

  test.each([
    [
      'another process',
      quiet,
      '4711, python3',
      [],
      [/1 other process computes on the GPU: python3 \(4711\)/],
    ],
    ['our own worker', quiet, '4711, python3', [4711], []],
    ['a busy one', quiet.replace(', 0,', ', 87,'), '', [], [/87 % busy/]],
    ['a divided one', quiet.replace('[N/A]', 'Enabled'), '', [], [/MIG/]],
    ['one that tells nothing', 'Orin, 540.3.0, [N/A], [N/A], [N/A], [N/A], [N/A], [N/A], [N/A]', '', [], []],
  ])('%s', async (_, gpu, apps, ours, noise) => {
    const found = noiseOf(await asked(gpu, apps, ours));
    expect(found).toHaveLength(noise.length);
    noise.forEach((one, i) => expect(found[i]).toMatch(one));
  });

  test('is unknown without nvidia-smi, and that is said', async () => {
    const state = await gpuState('0', [], 'no-such-nvidia-smi');
    expect(noiseOf(state)).toEqual([
      'the state of the GPU is not known: no-such-nvidia-smi is not installed',
    ]);
  });
});

describe('the lock', () => {
  const [RACERS, ROUNDS] = [6, 12];
  const options = { patienceMs: 400, pollMs: 20, onWait: () => undefined };

  test('lets one in, and the next when it is released', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'gpu.lock');
      const first = await lockGpu(path, options);
      const told: string[] = [];
      const second = lockGpu(path, { ...options, onWait: (holder) => told.push(holder) });
      setTimeout(() => void first.release(), 100);
      await (await second).release();
      expect(told).toEqual([expect.stringMatching(new RegExp(`^process ${process.pid}, since 20`))]);
      expect(existsSync(path)).toBe(false);
    }));

  test('gives up in time, and names the holder', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'gpu.lock');
      await lockGpu(path, options);
      await expect(lockGpu(path, { ...options, patienceMs: 60 })).rejects.toThrow(
        /still in use by process \d+/,
      );
    }));

  test('of a process that is gone is taken over', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'gpu.lock');
      await writeFile(path, '999999999 2026-01-01T00:00:00Z \n');
      await lockGpu(path, options);
      expect(await readFile(path, 'utf8')).toMatch(new RegExp(`^${process.pid} `));
    }));

  test('of a holder that died while others wait is taken over by one at a time', () =>
    withFolder(async (folder) => {
      const program = join(folder, 'racer.mjs');
      await build({
        entryPoints: ['test/engine/tensorrt/lock-racer.ts'],
        outfile: program,
        bundle: true,
        platform: 'node',
        format: 'esm',
      });
      const dead = spawnSync('true').pid;
      const racers = Array.from({ length: RACERS }, async () => {
        const child = spawn(process.execPath, [
          program,
          join(folder, 'gpu.lock'),
          String(dead),
          String(ROUNDS),
        ]);
        let said = '';
        child.stderr.on('data', (data: Buffer) => (said += data.toString()));
        const [status] = (await once(child, 'close')) as [number | null];
        return [status, said];
      });
      expect(await Promise.all(racers)).toEqual(Array.from({ length: RACERS }, () => [0, '']));
      expect((await readFile(join(folder, 'held'), 'utf8')).length).toBe(RACERS * ROUNDS);
      // Neither claims nor files that became no lock are left.
      expect((await readdir(folder)).sort()).toEqual(['gpu.lock', 'held', 'racer.mjs']);
    }));

  test('of a process whose number another has now is taken over', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'gpu.lock');
      const first = await lockGpu(path, options);
      const line = await readFile(path, 'utf8');
      await first.release();
      await writeFile(path, line.replace(/(\d+) (\S+)\n$/, '1 $2\n')); // started one tick after the machine
      await (await lockGpu(path, options)).release();
      expect(await readdir(folder)).toEqual([]);
    }));

  test('of another container, whose processes are not seen, holds as long as it is touched', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'gpu.lock');
      await writeFile(path, '999999999 2026-01-01T00:00:00Z 4711 elsewhere/pid:[1] 5 token\n');
      await expect(lockGpu(path, options)).rejects.toThrow(
        /in use by process 999999999 of another container, since 2026\S+, workflow run 4711/,
      );
      const past = new Date(Date.now() - 301_000);
      await utimes(path, past, past);
      await (await lockGpu(path, options)).release();
      expect(await readdir(folder)).toEqual([]);
    }));

  test('clears away what runs left that died while they took over, and nothing younger', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'gpu.lock');
      const past = new Date(Date.now() - 3_700_000);
      for (const name of ['gpu.lock.0123456789abcdef', 'gpu.lock.young', 'gpu.lockstep'])
        await writeFile(join(folder, name), '');
      for (const name of ['gpu.lock.0123456789abcdef', 'gpu.lockstep'])
        await utimes(join(folder, name), past, past);
      await (await lockGpu(path, options)).release();
      expect((await readdir(folder)).sort()).toEqual(['gpu.lock.young', 'gpu.lockstep']);
    }));

  test('is not waited for once asked to stop', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'gpu.lock');
      await lockGpu(path, options);
      const stop = new AbortController();
      setTimeout(() => stop.abort(), 30);
      await expect(lockGpu(path, { ...options, signal: stop.signal })).rejects.toBeInstanceOf(Interrupted);
    }));
});
