import { describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Report } from '../../src/report/index.js';
import { makeProject, runDist, withFolder, writeExecutable } from './child.js';

/**
 * A project whose real engines a stand-in builds; `nvidia-smi` says that the GPU is idle unless told otherwise, and
 * answers questions about slowdowns by lines of shell.
 */
async function makeGpuProject(
  folder: string,
  change: (settings: string) => string,
  {
    apps = '',
    slowdowns = "echo '0, 0, 0, 0'",
  }: { readonly apps?: string; readonly slowdowns?: string } = {},
): Promise<Record<string, string>> {
  await makeProject(folder, (settings) =>
    change(
      `${settings}engine:\n  name: tensorrt\n  batch: 4\n  tensorrt: { python: ${join(folder, 'python3')}, cache: ${join(folder, 'engines')} }\n`,
    ),
  );
  await writeExecutable(
    folder,
    'python3',
    `#!/bin/sh\nexec '${process.execPath}' '${resolve('test/engine/tensorrt/ort-worker.mjs')}'\n`,
  );
  await writeExecutable(
    folder,
    'nvidia-smi',
    `#!/bin/sh\ncase "$1" in --query-gpu=clocks_*) ${slowdowns};; --query-gpu=*) echo 'Orin, 540.3, 0, 900, 900, 3200, 40, P0, [N/A]';; *) echo '${apps}';; esac\n`,
  );
  return { PATH: `${folder}:${process.env.PATH ?? ''}` };
}

async function reportOf(folder: string): Promise<Report> {
  return JSON.parse(await readFile(join(folder, 'int8-gate-report', 'report.json'), 'utf8')) as Report;
}

describe('int8-gate doctor', () => {
  const tensorRt = async (
    folder: string,
    script: string,
    ...more: string[]
  ): Promise<{ state: string; detail: string }> => {
    const python = await writeExecutable(folder, 'python3', `#!/bin/sh\n${script}\n`);
    const { stdout } = await runDist('cli.js', ['doctor', '--json', '--python', python, ...more]);
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
    ['a crash', 'kill -SEGV $$', 'absent', /crashed \(SIGSEGV\).*A crash inside TensorRT or the driver/],
    ['who was killed', 'kill -KILL $$', 'absent', /was killed \(SIGKILL\).*ran out of memory/],
    ['garbage', 'echo Loading site packages', 'absent', /says what is no message.*Python start-up files/],
    [
      'memory that lacks',
      `echo '{"event":"fatal","code":"out-of-memory","message":"cudaSetDevice: out of memory"}'`,
      'absent',
      /out of memory.*Free GPU memory \(`nvidia-smi` shows who holds it\)/,
    ],
    [
      'an old driver',
      `echo '{"event":"fatal","code":"driver","message":"CUDA driver version is insufficient"}'`,
      'absent',
      /insufficient.*update it, or use a container with an older TensorRT/,
    ],
    [
      'a library that lacks',
      `echo '{"event":"fatal","code":"missing-library","message":"libcudart is not to be found"}'`,
      'absent',
      /libcudart is not to be found.*pip install tensorrt/,
    ],
    [
      'an error of CUDA',
      `echo '{"event":"fatal","code":"cuda","message":"cudaSetDevice: unknown error"}'`,
      'absent',
      /unknown error.*`dmesg` for errors of the GPU/,
    ],
    [
      'another protocol',
      `echo '{"event":"ready","protocol":99,"tensorrt":"10.6.0","python":"3","cuda":{"runtime":"12","driver":"12"},"capabilities":{"weak":true,"strong":true,"calibrators":true,"obey":true,"dla":false},"gpu":{"index":0,"bus":"","computeCapability":"8.7","memoryBytes":1,"freeBytes":1}}'`,
      'absent',
      /speaks protocol 99, 1 is spoken here.*install int8-gate anew/,
    ],
  ])('tells %s', (_, script, state, detail) =>
    withFolder(async (folder) => {
      const found = await tensorRt(folder, script);
      expect([found.state, found.detail]).toEqual([state, expect.stringMatching(detail)]);
    }),
  );
});

describe('int8-gate doctor, of the clocks of the GPU', () => {
  test.each([
    ['in order', 'Not Active', 'ok', /^not slowed down by heat or power$/],
    ['too hot', 'Active', 'absent', /too hot and halved its clock.*hw_thermal_slowdown.*fans/],
    ['not told', '[N/A]', 'absent', /says "\[N\/A\]" of it: a run cannot tell/],
  ])('%s', (_, cell, state, detail) =>
    withFolder(async (folder) => {
      const env = await makeGpuProject(folder, (s) => s, {
        slowdowns: `echo '${Array.from({ length: 5 }, () => cell).join(', ')}'`,
      });
      const { stdout } = await runDist('cli.js', ['doctor', '--json'], { env });
      const findings = JSON.parse(stdout) as { what: string; state: string; detail: string }[];
      const found = findings.find(({ what }) => what === 'GPU clocks');
      expect(found).toEqual({ what: 'GPU clocks', state, detail: expect.stringMatching(detail) });
    }),
  );
});

describe('int8-gate doctor, of a GPU that is not the first', () => {
  test('asks for it, and says when another answers', () =>
    withFolder(async (folder) => {
      const python = await writeExecutable(
        folder,
        'python3',
        `#!/bin/sh\nexec '${process.execPath}' '${resolve('test/engine/tensorrt/ort-worker.mjs')}'\n`,
      );
      const { stdout } = await runDist('cli.js', ['doctor', '--python', python, '--gpu', '1']);
      expect(stdout).toMatch(/absent +TensorRT +works on GPU 0, GPU 1 was asked for/);
    }));
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
      expect([report.engines?.noise, report.engines?.slowdowns]).toEqual([[], []]);
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

  test('beside work that came while engines ran it is inconclusive too', () =>
    withFolder(async (folder) => {
      const env = await makeGpuProject(
        folder,
        (s) => s.replace('thresholds:', 'thresholds:\n    speedup: { min: 0.1 }'),
        // Nobody when first asked, somebody from then on.
        { apps: "'; [ -e seen ] && echo '4711, late comer'; touch seen; echo '" },
      );
      const { status } = await runDist('cli.js', ['run'], { cwd: folder, env });
      const { verdict, engines } = await reportOf(folder);
      expect([status, verdict.kind]).toEqual([1, 'inconclusive']);
      expect(engines?.noise).toEqual([
        '1 other process computes on the GPU: late comer (4711), since the first engine ran',
      ]);
    }));

  test('slowed down by its power limit it is inconclusive, and what to do is said', () =>
    withFolder(async (folder) => {
      const env = await makeGpuProject(
        folder,
        (s) => s.replace('thresholds:', 'thresholds:\n    speedup: { min: 0.1 }'),
        // Ten more seconds each time it is asked.
        { slowdowns: 'echo x >> asked; echo "0, 0, 0, $(wc -l < asked)0000000"' },
      );
      const { status, stdout } = await runDist('cli.js', ['run'], { cwd: folder, env });
      const { verdict, engines, findings } = await reportOf(folder);
      expect([status, verdict.kind]).toEqual([1, 'inconclusive']);
      expect(verdict.why).toMatch(
        /cannot be judged: the power limit held the clock of the GPU down while 3 engines were timed\. Lock a clock that it holds.*-lgc/,
      );
      expect(engines?.slowdowns).toEqual(['sw_power_cap']);
      expect(findings.filter(({ kind }) => kind === 'slowed-down').map(({ sentence }) => sentence)).toEqual([
        'Latencies may be wrong: the power limit held the clock of the GPU down while these were timed: FP32 engine, FP16 engine, INT8 engine.',
      ]);
      expect(stdout.replace(/\s+/g, ' ')).toMatch(
        /raise the limit \(`?nvidia-smi -pl`?\), as root\. Until then limits on latency are inconclusive/,
      );
    }));

  test('an nvidia-smi that knows nothing of slowdowns is survived, and that is said', () =>
    withFolder(async (folder) => {
      const env = await makeGpuProject(
        folder,
        (s) => s.replace('thresholds:', 'thresholds:\n    speedup: { min: 0.1 }'),
        {
          slowdowns: `echo 'Field "clocks_" is not a valid field to query.'; exit 2`,
        },
      );
      const { status } = await runDist('cli.js', ['run'], { cwd: folder, env });
      const { verdict, engines, findings } = await reportOf(folder);
      expect([status, verdict.kind, engines?.slowdowns]).toEqual([0, 'pass', null]);
      expect(findings.find(({ kind }) => kind === 'slowdowns-unknown')?.sentence).toMatch(
        /is not known: this nvidia-smi knows neither clocks_event_reasons nor clocks_throttle_reasons\./,
      );
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

describe('int8-gate run with trtexec alone', () => {
  const makeTrtexecProject = async (
    folder: string,
    change: (settings: string) => string = (s) => s,
  ): Promise<Record<string, string>> => {
    const env = await makeGpuProject(folder, (s) =>
      change(s.replace(/python: [^,]*/, 'python: no-such-python')),
    );
    await writeExecutable(
      folder,
      'trtexec',
      `#!/bin/sh\nexec '${process.execPath}' '${resolve('test/engine/tensorrt/fake-trtexec.mjs')}' "$@"\n`,
    );
    return env;
  };

  test('judges real engines, and says what Python would have told', () =>
    withFolder(async (folder) => {
      const env = await makeTrtexecProject(folder);
      const { status, stderr } = await runDist('cli.js', ['run'], { cwd: folder, env });
      expect([status, stderr]).toEqual([
        0,
        expect.stringMatching(
          /TensorRT by trtexec 10\.6\.0 alone: .*no-such-python.* there is no such program/,
        ),
      ]);
      const { engines, findings, variants } = await reportOf(folder);
      expect(
        engines?.rows.map(({ variant, medianMs, deviceBytes }) => [variant, medianMs, deviceBytes]),
      ).toEqual([
        ['fp32', 4, null],
        ['fp16', 2, null],
        ['int8', 1, null],
      ]);
      // Six digits are enough for mAP.
      expect(engines?.rows[0]?.AP).toBeCloseTo(variants.fp32.stats.AP, 3);
      expect(engines?.rows[2]?.AP).toBeCloseTo(variants.int8.stats.AP, 3);
      expect(findings.find(({ kind }) => kind === 'trtexec-alone')?.sentence).toMatch(
        /outputs have six digits, and GPU memory was not measured/,
      );
    }));

  test.each([
    [
      'implicit INT8',
      (s: string) => s.replace('python:', 'implicit: entropy, python:'),
      /implicit: is not built with trtexec alone/,
      2,
    ],
    [
      'DLA',
      (s: string) => s.replace('python:', 'dla: 0, python:'),
      /dla is not supported with trtexec alone/,
      2,
    ],
    [
      'no trtexec either',
      (s: string) => s.replace('python:', 'trtexec: no-such-trtexec, python:'),
      /no-such-python\): cannot be started/,
      3,
    ],
  ])('is refused plainly: %s', (_, change, message, expected) =>
    withFolder(async (folder) => {
      const env = await makeTrtexecProject(folder, change);
      const { status, stderr } = await runDist('cli.js', ['run'], { cwd: folder, env });
      expect([status, stderr]).toEqual([expected, expect.stringMatching(message)]);
      expect(stderr).not.toMatch(/\n\s+at /);
    }),
  );
});
