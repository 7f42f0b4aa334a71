import { expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { appendFile, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { buildGraph, convertOpset, encodeModel, opsetOf, readModel } from '../../src/onnx/index.js';
import type { Report } from '../../src/report/index.js';
import { SIGNS, makeProject, runDist, withFolder } from './child.js';

const withFlavour = (flavour: string) => (settings: string) =>
  `${settings}quantization: { flavour: ${flavour} }\n`;

test.each([
  ['weak', { 'int8.onnx': [17, 'float'] }],
  ['strong', { 'int8.onnx': [19, 'half'] }],
  ['both', { 'int8-strong.onnx': [19, 'half'], 'int8.onnx': [17, 'float'] }],
] as const)('quantization.flavour %s writes its files', async (flavour, expected) => {
  await withFolder(async (folder) => {
    await makeProject(folder, withFlavour(flavour));
    const ended = await runDist('cli.js', ['quantize', '--json'], { cwd: folder });
    expect(ended.stderr).not.toMatch(/int8-gate:/);
    expect(ended.status).toBe(0);
    const out = join(folder, 'int8-gate-report');
    expect((await readdir(out)).sort()).toEqual(
      [...Object.keys(expected), 'calibration.cache', 'plan.json'].sort(),
    );
    for (const [file, [opset, type]] of Object.entries(expected)) {
      const { proto } = await readModel(join(out, file));
      expect(opsetOf(proto)).toBe(opset);
      const types = new Set(buildGraph({ proto }).proto.initializer.map(({ dataType }) => dataType));
      expect(types.has(10)).toBe(type === 'half');
    }
  });
});

test('the calibration cache that it writes gives the same model when ranges are read from it', async () => {
  await withFolder(async (folder) => {
    await makeProject(folder);
    const out = join(folder, 'int8-gate-report');
    const run = () => runDist('cli.js', ['quantize', '--json'], { cwd: folder });
    expect((await run()).status).toBe(0);
    const model = await readFile(join(out, 'int8.onnx'));
    await rename(join(out, 'calibration.cache'), join(folder, 'kept.cache'));
    const settings = join(folder, 'int8-gate.yml');
    const text = await readFile(settings, 'utf8');
    await writeFile(settings, text.replace('images: calib', 'images: calib\n  cache: kept.cache'));
    expect((await run()).status).toBe(0);
    expect(model.equals(await readFile(join(out, 'int8.onnx')))).toBe(true);

    await appendFile(join(folder, 'kept.cache'), 'images: 3f800000\n');
    const ended = await run();
    expect(ended.stderr).toMatch(/kept\.cache:\d+: names tensor images a second time/);
    expect(ended.status).toBe(2);
  });
});

test('the best calibrators are chosen alike in every run and on any number of threads, with the errors in the report', async () => {
  await withFolder(async (folder) => {
    await makeProject(folder, (text) =>
      text
        .replace('images: calib', 'images: calib\n  calibrator: best')
        .replace('keepModels: false', 'keepModels: true\nengine: { threads: 1 }'),
    );
    const out = join(folder, 'run');
    const model = async (command: string) => {
      const ended = await runDist('cli.js', [command, '--json', '--out', command], { cwd: folder });
      expect(ended.status).toBe(0);
      return readFile(join(folder, command, 'int8.onnx'));
    };
    const first = await model('quantize');
    const settings = join(folder, 'int8-gate.yml');
    await writeFile(settings, (await readFile(settings, 'utf8')).replace('threads: 1', 'threads: 3'));
    expect(first.equals(await model('run'))).toBe(true);
    const { calibratorContest, calibrators, corrections, data, findings } = JSON.parse(
      await readFile(join(out, 'report.json'), 'utf8'),
    ) as Report;
    expect(data.calibration).toMatchObject({ calibrator: 'best', heldBack: 1 });
    const {
      taken,
      by,
      images,
      candidates: rivals,
    } = calibratorContest as NonNullable<typeof calibratorContest>;
    expect([by, images]).toEqual(['detections', { heat: 8, final: 8 }]);
    expect(rivals.map(({ calibrator }) => calibrator)).toHaveLength(8);
    const finals = rivals.filter(({ final }) => final !== null);
    expect(finals.map(({ calibrator }) => calibrator)).toEqual(
      expect.arrayContaining(['percentile:99.999', 'mix', taken]),
    );
    const inForce = new Set(calibrators?.map(({ calibrator }) => calibrator));
    if (taken === 'mix') expect(inForce.size).toBeGreaterThan(1);
    else expect([...inForce]).toEqual([taken]);
    for (const { candidates } of calibrators ?? []) expect(candidates).toHaveLength(7);
    expect(corrections?.map(({ kind }) => kind)).toEqual(['equalization', 'bias-correction']);
    for (const { before, after } of corrections ?? []) expect([before, after]).not.toContain(null);
    expect(findings.find(({ kind }) => kind === 'calibrator-choice')?.sentence).toMatch(
      /chosen by the error of the network's output on 1 calibration image held back: .* On 8 calibration images detections agree with FP32's to 0\.\d+ with/,
    );
  });
}, 300_000);

test('a full disk ends with status 3 and leaves nothing', async () => {
  await withFolder(async (folder) => {
    await makeProject(folder, withFlavour('both'));
    // A limit on file sizes fails like a full disk, and needs no disk of its own. 2000 × 512 bytes: one file fits, one does not.
    const cli = resolve('dist/cli.js');
    const ended = spawnSync('sh', ['-c', `ulimit -f 2000; exec "$0" "$1" quantize`, process.execPath, cli], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(ended.stderr).toMatch(/int8-gate-report: the disk \(or a limit on file sizes\) is full/);
    expect(ended.status).toBe(3);
    expect(await readdir(join(folder, 'int8-gate-report'))).toEqual([]);
  });
});

test.each([
  ['test/lint/golden/all-ops.onnx', 1, /TensorRT refuses this:\n {2}int32-bias \(4\)/],
  ['test/lint/golden/conv.onnx', 0, /TensorRT runs this slowly:\n {2}inside-fusion \(3\)/],
  ['fixtures/signs/models/signs-v8.onnx', 0, /not quantized, opset 17/],
])('lint %s ends with status %d', async (file, status, says) => {
  const ended = await runDist('cli.js', ['lint', file]);
  expect(ended.stdout).toMatch(says);
  expect(ended.status).toBe(status);
  const { stdout } = await runDist('cli.js', ['lint', file, '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ findings: expect.any(Array) });
});

test('lint of a missing file ends with status 2', async () => {
  const ended = await runDist('cli.js', ['lint', 'gone.onnx']);
  expect(ended.stderr).toMatch(/gone\.onnx: there is no such file/);
  expect(ended.status).toBe(2);
});

const MODELS = join(SIGNS, 'models');
const qat = (reference?: string) => (settings: string) =>
  `${settings.replace('model: model.onnx', `model: ${join(MODELS, 'signs-v10-qat.onnx')}`)}quantization: { ${reference === undefined ? '' : `reference: ${join(MODELS, reference)}`} }\n`;

test('a Q/DQ model is compared with the reference that the settings name', async () => {
  await withFolder(async (folder) => {
    const scores = async (reference?: string): Promise<readonly number[]> => {
      await makeProject(folder, qat(reference));
      const { status, stdout } = await runDist('cli.js', ['run', '--json'], { cwd: folder });
      const { variants } = JSON.parse(stdout) as Report;
      expect([0, 1]).toContain(status);
      return [variants.fp32.stats.AP, variants.int8.stats.AP];
    };
    const [own, named] = [await scores(), await scores('signs-v10.onnx')];
    expect(named[1]).toBe(own[1]);
    expect(named[0]).not.toBe(own[0]);
  });
});

test.each([
  [
    'a reference beside a float model',
    (s: string) => `${s}quantization: { reference: model.onnx }\n`,
    /quantization\.reference: model\.onnx has no Q\/DQ, so it is its own reference/,
  ],
  [
    'a reference of another network',
    qat('signs-v8.onnx'),
    /quantization\.reference: signs-v8\.onnx has no tensor \/one2one.*compared there/,
  ],
])('%s is refused', async (_name, change, says) => {
  await withFolder(async (folder) => {
    await makeProject(folder, change);
    const { status, stderr } = await runDist('cli.js', ['run'], { cwd: folder });
    expect(stderr).toMatch(says);
    expect(status).toBe(2);
  });
});

test('a model of a newer opset is told to need TensorRT 10', async () => {
  await withFolder(async (folder) => {
    await makeProject(folder);
    const { proto } = await readModel(join(folder, 'model.onnx'));
    await writeFile(join(folder, 'model.onnx'), encodeModel(convertOpset(proto, 19, 'model.onnx')));
    const { stdout } = await runDist('cli.js', ['run', '--json'], { cwd: folder });
    const { findings, variants } = JSON.parse(stdout) as Report;
    expect(findings.filter(({ kind }) => kind === 'opset')).toEqual([
      expect.objectContaining({
        sentence: expect.stringMatching(/^The model has opset 19: TensorRT 8\.6 reads 17 at most/),
      }),
    ]);
    expect(variants.int8.int8Layers).toBe(78);
  });
});
