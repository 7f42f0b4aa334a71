import { beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Report } from '../../src/report/index.js';
import { runDist, writeExecutable } from './child.js';

// The whole of `int8-gate run` as it ran on an H100 (TensorRT 10.6), its worker played back.
const signs = resolve('fixtures/signs');
const SETTINGS = `version: 1
model: ${signs}/models/signs-v10.onnx
validation: { images: ${signs}/val, annotations: ${signs}/val.json, limit: 40 }
calibration: { images: ${signs}/calib, calibrator: minmax }
quantization: { operators: tensorrt, biasCorrection: off, equalization: off }
engine: { name: tensorrt, batch: 20, tensorrt: { optimizationLevel: 1, python: PYTHON, cache: ENGINES } }
gate:
  candidate: mixed
  inconclusive: pass
  thresholds: { mAP50-95: { maxDrop: 0.004 } }
sensitivity: { images: 16, calibrators: [] }
`;

describe('a run on a real GPU, played back', () => {
  let report: Report;
  let said = '';
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'int8-gate-'));
    const python = await writeExecutable(
      folder,
      'python3',
      `#!/bin/sh\nexec '${process.execPath}' '${resolve('test/engine/tensorrt/replay-worker.mjs')}'\n`,
    );
    await writeExecutable(
      folder,
      'nvidia-smi',
      `#!/bin/sh\ncase "$1" in --query-gpu=clocks_event_reasons_counters.*) echo '0, 0, 0, 0';; --query-gpu=*) echo 'NVIDIA H100 80GB HBM3, 580.159.04, 0, 1980, 1980, 2619, 35, P0, Disabled';; esac\n`,
    );
    await writeFile(
      join(folder, 'int8-gate.yml'),
      SETTINGS.replace('PYTHON', python).replace('ENGINES', join(folder, 'engines')),
    );
    const { stdout, stderr } = await runDist('cli.js', ['run'], {
      cwd: folder,
      env: {
        PATH: `${folder}:${process.env.PATH ?? ''}`,
        TRANSCRIPT: resolve('test/engine/tensorrt/engines/signs10-run.transcript.gz'),
      },
    });
    said = stdout + stderr;
    report = JSON.parse(await readFile(join(folder, 'int8-gate-report', 'report.json'), 'utf8')) as Report;
    await rm(folder, { recursive: true, force: true });
  }, 240_000);

  test('tells accuracy, time, size and reformats of all four engines', () => {
    const table = said.slice(said.indexOf('Engines ('), said.indexOf('Most sensitive layers'));
    // What is simulated may part in the last digit from processor to processor.
    expect(table.replace(/^(.{20})  (0\.9\d\d|    –)/gm, '$1  ~simu').trim()).toMatchSnapshot();
    expect(report.engines?.rows.map(({ simulatedAP: _, buildSeconds: __, ...row }) => row)).toMatchSnapshot();
  });

  test('knows that neither heat nor power slowed the GPU down', () => {
    expect(report.engines?.slowdowns).toEqual([]);
  });

  test('simulation foretold what the engines detect', () => {
    for (const { AP, simulatedAP } of report.engines?.rows ?? [])
      if (simulatedAP !== null) expect(Math.abs(AP - simulatedAP)).toBeLessThan(0.003);
  });

  test('says that INT8 does not pay on this GPU, and which reformats cost most', () => {
    expect(report.findings.filter(({ kind }) => kind === 'int8-does-not-pay')).toMatchSnapshot();
  });

  test('tells the times of every layer in the engine, the two products of attention as one, and in FP16', () => {
    const layers = report.sensitivity?.layers ?? [];
    const timed = layers.filter(({ engine }) => engine?.fp16Ms != null && engine.ms > 0);
    expect([layers.length, timed.length]).toEqual([86, 86]);
  });
});
