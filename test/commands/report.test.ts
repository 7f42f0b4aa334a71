import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { reportPage } from '../../src/commands/report.js';
import { InputFault } from '../../src/faults/index.js';
import { fullReport, sample } from '../report/full-report.js';
import { withFolder } from './child.js';

describe('int8-gate report', () => {
  test.each([
    ['the committed sample', sample],
    ['a report with every section', fullReport()],
  ])('makes the page of %s in a new folder', (_what, report) =>
    withFolder(async (folder) => {
      const [file, out] = [join(folder, 'report.json'), join(folder, 'deep', 'out')];
      await writeFile(file, JSON.stringify(report));
      expect(await reportPage(file, out)).toBe(`Wrote ${join(out, 'report.html')}`);
      expect(await readFile(join(out, 'report.html'), 'utf8')).toMatch(/^<!doctype html>/);
    }),
  );

  const audit = {
    schema: 'int8-gate/audit',
    version: 1,
    tool: sample.tool,
    createdAt: sample.createdAt,
    model: 'signs.onnx',
    ...fullReport().audit!,
  };
  test('makes the page of an audit too', () =>
    withFolder(async (folder) => {
      const file = join(folder, 'audit.json');
      await writeFile(file, JSON.stringify(audit));
      expect(await reportPage(file, folder)).toBe(`Wrote ${join(folder, 'audit.html')}`);
      expect(await readFile(join(folder, 'audit.html'), 'utf8')).toContain('Calibration audit: FAIL');
    }));

  const broken = (change: (report: Record<string, never>) => void): string => {
    const report = JSON.parse(JSON.stringify(fullReport())) as Record<string, never>;
    change(report);
    return JSON.stringify(report);
  };
  test.each([
    ['a file that is missing', undefined, /cannot be read/],
    ['a file that is no JSON', '{"schema":', /is no JSON/],
    ['a list', '[]', /is no report of int8-gate/],
    ['null', 'null', /is no report of int8-gate/],
    ['another version', broken((one) => Object.assign(one, { version: 2 })), /must be equal to constant/],
    ['a text for a number', broken((one) => Object.assign(one, { durationMs: '9' })), /must be number/],
    [
      'a number that is infinite',
      JSON.stringify(fullReport()).replace('"durationMs":34000', '"durationMs":1e999'),
      /must be number/,
    ],
    ['an audit without checks', JSON.stringify({ ...audit, checks: 'none' }), /must be array/],
    [
      'a picture that is no picture',
      JSON.stringify(fullReport()).replace('"thumbnail":"', '"thumbnail":"><script>'),
      /must match pattern/,
    ],
  ])('refuses %s in one sentence that names it', (_what, text, says) =>
    withFolder(async (folder) => {
      const file = join(folder, 'report.json');
      if (text !== undefined) await writeFile(file, text);
      const fault: unknown = await reportPage(file, folder).catch((error: unknown) => error);
      expect(fault).toBeInstanceOf(InputFault);
      expect((fault as InputFault).problems).toEqual([
        {
          where: expect.stringContaining(file),
          what: expect.stringMatching(says),
          fix: expect.stringContaining('int8-gate'),
        },
      ]);
    }),
  );

  test('says it when the folder cannot be written', () =>
    withFolder(async (folder) => {
      await cp('test/report/golden/report.json', join(folder, 'report.json'));
      const file = join(folder, 'report.json');
      await expect(reportPage(file, file)).rejects.toThrow(/cannot be written/);
    }));
});
