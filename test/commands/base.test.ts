import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Report } from '../../src/report/index.js';
import { firstCommit, git } from '../baseline/repository.js';
import { makeProject, runDist, withFolder } from './child.js';

const AGAINST = (settings: string): string =>
  settings
    .replace('limit: 12', 'limit: 20')
    .replace('mAP50-95: { min: 0.5 }', 'mAP50-95: { min: 0.5 }\n    base: { mAP50-95: { maxDrop: 0.05 } }')
    // What costs time and says nothing about a base.
    .replace('keepModels: false', 'keepModels: false\n  audit: false\n  images: 0')
    .concat("quantization: { biasCorrection: 'off' }\n");

const run = async (folder: string, ...args: string[]) => {
  const { status, stderr } = await runDist('cli.js', ['run', '-o', 'head', ...args], { cwd: folder });
  const text = await readFile(join(folder, 'head', 'report.json'), 'utf8').catch(() => undefined);
  return { status, stderr, report: text === undefined ? undefined : (JSON.parse(text) as Report) };
};
const edit = async (file: string, change: (text: string) => string) =>
  writeFile(file, change(await readFile(file, 'utf8')));

describe('int8-gate run against a base', () => {
  test(
    'that its own run measured: found by its commit, or as a report that was kept; images and layers that differ are named',
    () =>
      withFolder(async (folder) => {
        await makeProject(folder, (s) => `${AGAINST(s)}cache: { folder: ${join(folder, 'kept')} }\n`);
        await writeFile(join(folder, '.gitignore'), 'calib\nkept\n');
        await firstCommit(folder);
        const before = await run(folder, '--no-base');
        expect(before.report?.base).toBeUndefined();
        expect(await readdir(join(folder, 'head'))).toContain('detections.json.gz');
        await cp(join(folder, 'head'), join(folder, 'base'), { recursive: true });

        // Nothing is measured again.
        const same = await run(folder, '--base-ref', 'HEAD');
        expect(same.report?.base).toMatchObject({ source: 'cache', drop: { drop: 0 } });
        expect(same.report?.base?.moved).toBeUndefined();
        expect(same.report?.base?.variants.int8.AP).toBe(before.report?.variants.int8.stats.AP);

        // Its detections give an interval.
        await rm(join(folder, 'calib', '300000.jpg'));
        await edit(join(folder, 'int8-gate.yml'), (s) =>
          s.replace("biasCorrection: 'off'", "biasCorrection: 'off', keepFloat: [/b1/conv/Conv]"),
        );
        const { status, report } = await run(folder, '--base', 'base');
        expect(status).toBe(0);
        expect(report?.base).toMatchObject({
          source: 'report',
          causes: ['calibration set changed: 1 image gone'],
          moved: { toFloat: ['/b1/conv/Conv'], toInt8: [] },
          drop: { low: expect.any(Number), high: expect.any(Number) },
        });
        expect(report?.base?.sentence).toMatch(/1 layer moved to float, 0 layers to INT8/);
        expect(report?.verdict.checks.map(({ metric, against }) => [metric, against])).toContainEqual([
          'mAP50-95',
          'base',
        ]);
      }),
    300_000,
  );

  test(
    'that is a commit: it is measured, its limits judge, and what the head changed is told',
    () =>
      withFolder(async (folder) => {
        await makeProject(folder, (s) => `${AGAINST(s)}cache: { folder: ${join(folder, 'kept')} }\n`);
        await writeFile(join(folder, '.gitignore'), 'calib\nkept\n');
        const commit = await firstCommit(folder);
        await edit(join(folder, 'int8-gate.yml'), (s) =>
          s
            .replace("biasCorrection: 'off'", "biasCorrection: 'off', operators: all")
            .replace('maxDrop: 0.05', 'maxDrop: 1')
            .replace('min: 0.5', 'min: 0'),
        );
        const { status, report } = await run(folder, '--base-ref', 'HEAD');
        expect(status).toBe(1);
        expect(report?.base).toMatchObject({ source: 'computed', where: 'HEAD', commit });
        expect(report?.base?.drop?.low).toBeGreaterThan(0.05);
        expect(report?.settingsChanges).toEqual([
          { path: 'gate.thresholds.base.mAP50-95.maxDrop', base: '0.05', head: '1', judgedBy: 'base' },
          { path: 'gate.thresholds.mAP50-95.min', base: '0.5', head: '0', judgedBy: 'base' },
          { path: 'quantization.operators', base: '"tensorrt"', head: '"all"', judgedBy: 'head' },
        ]);
        expect(
          report?.verdict.checks.filter(({ kind }) => kind === 'fail').map(({ metric }) => metric),
        ).toEqual(['mAP50-95', 'mAP50-95']);
        expect(await git(folder, 'worktree', 'list')).not.toContain('int8-gate-base');

        // A commit is measured once; what depends on nothing new is not measured again.
        const again = await run(folder, '--base-ref', 'HEAD', '--history', 'history.json', '--commit', 'abc');
        expect(again.report?.base).toMatchObject({ source: 'cache', drop: report?.base?.drop });
        expect(again.report?.history).toMatchObject([
          { commit: 'abc', fp32: report?.variants.fp32.stats.AP },
        ]);
      }),
    300_000,
  );

  test.each([
    [
      'whose model is broken',
      AGAINST,
      ['--base-ref', 'HEAD'],
      /HEAD cannot be measured: model\.onnx: is no ONNX model/,
    ],
  ])(
    '%s fails in words, with the numbers of the head',
    (_, change, args, says) =>
      withFolder(async (folder) => {
        await makeProject(folder, change);
        const model = await readFile(join(folder, 'model.onnx'));
        await writeFile(join(folder, '.gitignore'), 'calib\n');
        await writeFile(join(folder, 'model.onnx'), 'no model');
        await firstCommit(folder);
        await writeFile(join(folder, 'model.onnx'), model);
        const { status, report } = await run(folder, ...args);
        expect(status).toBe(1);
        expect(report?.verdict.checks.find(({ metric }) => metric === 'base')?.sentence).toMatch(says);
        expect(report?.variants.int8.stats.AP).toBeGreaterThan(0.5);
      }),
    300_000,
  );

  test.each([
    ['a report that is not there', ['--base', 'gone.json'], /gone\.json: the base's report cannot be read/],
    ['detections that were cut short', ['--base', 'cut'], /detections\.json\.gz: cannot be unpacked/],
    [
      'a base that is named and denied',
      ['--no-base', '--base-ref', 'x'],
      /--no-base and --base-ref contradict each other/,
    ],
  ])('refuses %s', (_, args, says) =>
    withFolder(async (folder) => {
      await makeProject(folder);
      await cp('test/report/golden/report.json', join(folder, 'cut', 'report.json'));
      await writeFile(join(folder, 'cut', 'detections.json.gz'), 'x');
      const { status, stderr } = await run(folder, ...args);
      expect(status).toBe(2);
      expect(stderr).toMatch(says);
    }),
  );
});
