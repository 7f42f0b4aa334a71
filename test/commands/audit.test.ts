import { expect, test } from '@jest/globals';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Audit } from '../../src/audit/index.js';
import { parseAudit } from '../../src/report/index.js';
import { makeProject, runDist, SIGNS, withFolder } from './child.js';

const metrics = ({ checks }: Audit, kind: string): string[] =>
  checks.filter((check) => check.kind === kind).map(({ metric }) => metric);

test('finds what was put into a folder: a broken file, a copy, an image of the validation set; and writes the report', async () => {
  await withFolder(async (folder) => {
    await makeProject(folder, (settings) => `${settings}audit: { minImages: 5 }\n`);
    const calib = join(folder, 'calib');
    await writeFile(join(calib, 'broken.jpg'), 'no picture');
    await cp(join(SIGNS, 'calib', '300000.jpg'), join(calib, 'copy.jpg'));
    const truth = JSON.parse(await readFile(join(SIGNS, 'val.json'), 'utf8')) as {
      images: { file_name: string }[];
    };
    for (const { file_name: name } of truth.images)
      await cp(join(SIGNS, 'val', name), join(calib, `val-${name}`)).catch(() => undefined);
    const { status, stdout, stderr } = await runDist('cli.js', ['audit', '--json'], { cwd: folder });
    expect([status, stderr.includes('Error')]).toEqual([1, false]);
    const audit = JSON.parse(stdout) as Audit;
    expect(metrics(audit, 'fail')).toEqual(expect.arrayContaining(['overlap', 'broken']));
    expect(audit.broken.map(({ name }) => name)).toEqual(['broken.jpg']);
    expect(audit.duplicates).toContainEqual({ first: '300000.jpg', second: 'copy.jpg', exact: true });
    expect(audit.overlap).toHaveLength(12);
    const text = await readFile(join(folder, 'int8-gate-report', 'audit.json'), 'utf8');
    expect(JSON.parse(text)).toEqual(audit);
    expect(parseAudit(text, 'audit.json')).toEqual(audit);
    const named = new Set((audit.pictures ?? []).map(({ set, name }) => `${set} ${name}`));
    expect([...named]).toEqual(
      expect.arrayContaining(['calibration 300000.jpg', 'calibration copy.jpg', 'validation 001013.jpg']),
    );
    expect(await readFile(join(folder, 'int8-gate-report', 'audit.html'), 'utf8')).toContain(
      'Calibration images in the validation set',
    );
    expect(await readFile(join(folder, 'int8-gate-report', 'audit.md'), 'utf8')).toMatch(
      /^## ❌ Calibration audit: FAIL/,
    );
  });
});

test.each([
  ['the good set of the signs', 'int8-gate.yml', 0, [], /show what the validation images show/],
  ['night scenes alone', 'int8-gate.night.yml', 1, ['drift', 'saturation'], /lighting differs/],
])('judges %s', async (_, config, status, failed, words) => {
  await withFolder(async (folder) => {
    const ended = await runDist('cli.js', ['audit', '-c', join(SIGNS, config), '-o', folder, '--json']);
    const audit = JSON.parse(ended.stdout) as Audit;
    expect([ended.status, metrics(audit, 'fail')]).toEqual([status, failed]);
    expect(audit.verdict.why).toMatch(words);
  });
});

test('a folder in which nothing can be read is one clear error', async () => {
  await withFolder(async (folder) => {
    await makeProject(folder, (settings) => settings.replace('images: calib', 'images: bad'));
    await cp(join(folder, 'int8-gate.yml'), join(folder, 'bad', 'one.jpg'), { recursive: true });
    const { status, stderr } = await runDist('cli.js', ['audit'], { cwd: folder });
    expect(status).toBe(2);
    expect(stderr).toMatch(/none of the 1 images in .*bad can be read/);
    expect(stderr).not.toMatch(/at .*\.js:\d+/);
  });
});
