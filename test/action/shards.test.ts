import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { emptyBase } from '../baseline/repository.js';
import { SIGNS, makeProject, withFolder } from '../commands/child.js';
import type { FakeGitHub } from './fake-github.js';
import { openPullRequest } from './pull-request.js';
import { NEW, pullRequest, runStep, type StepResult } from './runner.js';

let github: FakeGitHub;
let api: string;
beforeEach(async () => void ({ github, api } = await openPullRequest()));
afterEach(() => github.stop());

const step = (folder: string, inputs: Record<string, string>, base?: string): Promise<StepResult> =>
  runStep(folder, api, {
    event: pullRequest(NEW, base === undefined ? {} : { base }),
    inputs: { 'data-folders': SIGNS, ...inputs },
  });

describe('a gate split over jobs', () => {
  test(
    'shards say nothing in the pull request, the merge speaks for all',
    () =>
      withFolder(async (folder) => {
        await makeProject(folder, (settings) => `${settings}quantization: { biasCorrection: 'off' }\n`);
        const base = await emptyBase(folder);
        for (const shard of ['1/2', '2/2']) {
          const at = `shards/${shard.charAt(0)}`;
          const { status, outputs } = await step(folder, { shard, 'report-folder': at }, base);
          expect(status).toBe(0);
          expect(outputs['report-path']).toBe(join(folder, at));
          expect(outputs.verdict).toBeUndefined();
          expect(await readdir(join(folder, at))).toEqual([`${shard.replace('/', '-of-')}.shard.jsonl.gz`]);
        }
        expect(github.commentsOn(7)).toEqual([]);
        expect(github.checks.size).toBe(0);

        const { status, outputs, summary } = await step(folder, { mode: 'merge', shards: 'shards' }, base);
        expect([status, outputs.verdict]).toEqual([0, 'pass']);
        expect(summary).toMatch(/^## ✅ int8-gate: PASS/);
        expect(github.commentsOn(7).map(({ body }) => body)).toEqual([expect.stringMatching(/PASS/)]);

        const lacking = await step(folder, { mode: 'merge', shards: 'shards/1' }, base);
        expect(lacking.status).toBe(2);
        expect(github.commentsOn(7).map(({ body }) => body)).toEqual([
          expect.stringMatching(/NOT JUDGED[^]*shard 2 of 2 is missing/),
        ]);
      }),
    300_000,
  );

  test.each([
    [{ shard: '3/2' }, 'input shard: is "3/2", expected i/n'],
    [{ mode: 'merge' }, 'input shards: is empty'],
    [{ mode: 'merge', shards: 'shards', shard: '1/2' }, 'input shard: has no meaning with `mode: merge`'],
    [{ shards: 'shards' }, 'input shards: has no meaning with `mode: gate`'],
    [{ mode: 'merge', shards: '../away' }, 'input shards: '],
  ])('%j is refused', (inputs, message) =>
    withFolder(async (folder) => {
      await makeProject(folder);
      const { status, stdout } = await step(folder, inputs);
      expect(status).toBe(2);
      expect(stdout).toContain(message);
    }),
  );
});
