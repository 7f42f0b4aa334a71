import { describe, expect, test } from '@jest/globals';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Report } from '../../src/report/index.js';
import { makeProject, runDist, withFolder } from './child.js';

/** A project whose real engines a stand-in builds; `nvidia-smi` says that the GPU is idle unless told otherwise. */
async function makeGpuProject(
  folder: string,
  change: (settings: string) => string,
  { apps = '' }: { readonly apps?: string } = {},
): Promise<Record<string, string>> {
  await makeProject(folder, (settings) =>
    change(
      `${settings}engine:\n  name: tensorrt\n  batch: 4\n  tensorrt: { python: ${join(folder, 'python3')}, cache: ${join(folder, 'engines')} }\n`,
    ),
  );
  const executable = async (name: string, text: string): Promise<void> => {
    await writeFile(join(folder, name), text);
    await chmod(join(folder, name), 0o755);
  };
  await executable(
    'python3',
    `#!/bin/sh\nexec '${process.execPath}' '${resolve('test/engine/tensorrt/ort-worker.mjs')}'\n`,
  );
  await executable(
    'nvidia-smi',
    `#!/bin/sh\ncase "$1" in --query-gpu=*) echo 'Orin, 540.3, 0, 900, 900, 3200, 40, P0, [N/A]';; *) echo '${apps}';; esac\n`,
  );
  return { PATH: `${folder}:${process.env.PATH ?? ''}` };
}

async function reportOf(folder: string): Promise<Report> {
  return JSON.parse(await readFile(join(folder, 'int8-gate-report', 'report.json'), 'utf8')) as Report;
}

describe('int8-gate doctor', () => {
  const tensorRt = async (folder: string, script: string): Promise<{ state: string; detail: string }> => {
    const python = join(folder, 'python3');
    await writeFile(python, `#!/bin/sh\n${script}\n`);
    await chmod(python, 0o755);
    const { stdout } = await runDist('cli.js', ['doctor', '--json', '--python', python]);
    const findings = JSON.parse(stdout) as { what: string; state: string; detail: string }[];
    return findings.find(({ what }) => what === 'TensorRT') ?? { state: 'not looked at', detail: '' };
  };
  const standIn = `exec '${process.execPath}' '${resolve('test/engine/tensorrt/ort-worker.mjs')}'`;

  test.each([
    [
      'TensorRT as it is',
      standIn,
      'ok',
      /^10\.6\.0, CUDA 12\.6, compute capability 8\.7, 7\.5 GiB, weak and strong typing$/,
    ],
    [
      'what the worker lacks, and the cure',
      `echo '{"event":"fatal","code":"no-gpu","message":"CUDA sees no GPU"}'`,
      'absent',
      /^CUDA sees no GPU .*--gpus/,
    ],
    [
      'a Python that ends',
      'echo "no libnvinfer.so.10" >&2; exit 1',
      'absent',
      /ended with status 1.*no libnvinfer\.so\.10/,
    ],
  ])('tells %s', (_, script, state, detail) =>
    withFolder(async (folder) => {
      const found = await tensorRt(folder, script);
      expect([found.state, found.detail]).toEqual([state, expect.stringMatching(detail)]);
    }),
  );
});

describe('int8-gate run with real engines', () => {
  test('judges the engines, sets simulation beside them, and says that INT8 does not pay', () =>
    withFolder(async (folder) => {
      const env = await makeGpuProject(folder, (s) => s);
      const { status, stdout, stderr } = await runDist('cli.js', ['run'], { cwd: folder, env });
      expect([status, stderr]).toEqual([
        0,
        expect.stringMatching(/Building the INT8 engine with TensorRT 10\.6\.0/),
      ]);
      expect(stdout).toMatch(/Engines \(TensorRT 10\.6\.0, Orin\)/);
      expect(stdout).toMatch(/INT8 +0\.\d{3} +0\.\d{3} +2\.000 +0\.50×/);
      const report = await reportOf(folder);
      expect(report.engines?.noise).toEqual([]);
      expect(report.engines?.rows.map(({ variant }) => variant)).toEqual(['fp32', 'fp16', 'int8']);
      for (const { AP, simulatedAP } of report.engines?.rows ?? [])
        if (simulatedAP !== null) expect(Math.abs(AP - simulatedAP)).toBeLessThan(0.02);
      const kinds = report.findings.map(({ kind }) => kind);
      expect(kinds).toEqual(expect.arrayContaining(['int8-does-not-pay', 'not-int8']));
      expect(report.findings.find(({ kind }) => kind === 'not-int8')?.sentence).toMatch(
        /\/b1\/conv\/Conv \(FP16\)/,
      );
    }));

  test('a limit on speed fails an INT8 engine that is slower than FP16', () =>
    withFolder(async (folder) => {
      const env = await makeGpuProject(folder, (s) =>
        s.replace('thresholds:', 'thresholds:\n    speedup: { min: 1.1 }'),
      );
      const { status, stdout } = await runDist('cli.js', ['run'], { cwd: folder, env });
      expect(status).toBe(1);
      expect(stdout.replace(/\s+/g, ' ')).toMatch(
        /fail: The speed over the FP16 engine is 0\.5; at least 1\.1 is asked/,
      );
    }));

  test('beside other work on the GPU it is inconclusive, and the other is named', () =>
    withFolder(async (folder) => {
      const env = await makeGpuProject(
        folder,
        (s) => s.replace('thresholds:', 'thresholds:\n    speedup: { min: 0.1 }'),
        {
          apps: '4711, somebody',
        },
      );
      const { status } = await runDist('cli.js', ['run'], { cwd: folder, env });
      const { verdict } = await reportOf(folder);
      expect([status, verdict.kind]).toEqual([1, 'inconclusive']);
      expect(verdict.why).toMatch(/1 other process computes on the GPU: somebody \(4711\)/);
    }));

  test('without TensorRT it ends with status 3 before anything is measured', () =>
    withFolder(async (folder) => {
      const env = await makeGpuProject(folder, (s) => s.replace(/python: [^,]*/, 'python: no-such-python'));
      const { status, stderr } = await runDist('cli.js', ['run'], { cwd: folder, env });
      expect(status).toBe(3);
      expect(stderr).toMatch(/no-such-python\): cannot be started/);
      expect(stderr).not.toMatch(/Calibrating|\n\s+at /);
    }));
});
