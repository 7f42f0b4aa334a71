import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { diffFiles } from '../../src/commands/diff.js';
import { InputFault } from '../../src/faults/index.js';
import { withFolder } from './child.js';

const GOLDEN = 'test/report/golden/report.json';

describe('int8-gate diff', () => {
  test('of a report with itself finds nothing', async () => {
    expect(await diffFiles(GOLDEN, GOLDEN, { json: false, width: 80 })).toContain(
      'No layer became more or less sensitive',
    );
    expect(JSON.parse(await diffFiles(GOLDEN, GOLDEN, { json: true, width: 80 }))).toEqual({
      layers: [],
      causes: [],
    });
  });

  test.each([
    ['a file that is missing', undefined, /cannot be read/],
    ['a file that is no JSON', '{', /is no JSON/],
    ['another JSON', '{"schema":"else"}', /is no report of int8-gate/],
    [
      'a report without what is compared',
      '{"schema":"int8-gate/report"}',
      /is no report that can be compared/,
    ],
    ['a plan beside a report', '{"version":1,"layers":{}}', /is no report of int8-gate|is a plan/],
  ])('refuses %s by name', (_what, text, says) =>
    withFolder(async (folder) => {
      const [base, head] = [join(folder, 'base.json'), join(folder, 'head.json')];
      await cp(GOLDEN, base);
      if (text !== undefined) await writeFile(head, text);
      const fault: unknown = await diffFiles(base, head, { json: false, width: 80 }).catch(
        (error: unknown) => error,
      );
      expect(fault).toBeInstanceOf(InputFault);
      expect((fault as InputFault).problems[0]).toMatchObject({
        where: head,
        what: expect.stringMatching(says),
        fix: expect.stringContaining('int8-gate'),
      });
    }),
  );
});
