import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { emptyBase } from '../baseline/repository.js';
import { SIGNS, makeProject, withFolder } from '../commands/child.js';
import type { FakeGitHub } from './fake-github.js';
import { openPullRequest } from './pull-request.js';
import { NEW, pullRequest, runStep, type StepResult } from './runner.js';

let github: FakeGitHub;
let api: string;
beforeEach(async () => void ({ github, api } = await openPullRequest()));
afterEach(() => github.stop());

/** The whole gate on a pull request that brings int8-gate into its repository. */
const judge = async (folder: string): Promise<StepResult> => {
  const base = await emptyBase(folder);
  return runStep(folder, api, { event: pullRequest(NEW, { base }), inputs: { 'data-folders': SIGNS } });
};

describe('the whole gate on a pull request', () => {
  test('ends with one comment, one check and the summary', () =>
    withFolder(async (folder) => {
      await makeProject(folder);
      const { status, summary, outputs } = await judge(folder);
      expect(status).toBe(0);
      expect(outputs.verdict).toBe('pass');
      expect(summary).toMatch(/^## ✅ int8-gate: PASS/);
      expect(github.commentsOn(7).map(({ body }) => body)).toEqual([
        expect.stringMatching(
          /PASS[^]*What to do[^]*has no int8-gate\.yml, so the head is judged by its own/,
        ),
      ]);
      expect([...github.checks.values()]).toMatchObject([{ sha: NEW, conclusion: 'success' }]);
      expect(github.violations).toEqual([]);
    }));

  test('settings that are wrong are told as what was not judged', () =>
    withFolder(async (folder) => {
      await makeProject(folder, (s) => s.replace('limit: 12', 'limit: many'));
      const { status } = await judge(folder);
      expect(status).toBe(2);
      expect(github.commentsOn(7).map(({ body }) => body)).toEqual([
        expect.stringMatching(/NOT JUDGED[^]*int8-gate\.yml:6:10 validation\.limit/),
      ]);
      expect([...github.checks.values()]).toMatchObject([{ conclusion: 'failure', title: 'Not judged' }]);
    }));

  test('a threshold that does not hold is an annotation on its line', () =>
    withFolder(async (folder) => {
      await makeProject(folder, (s) => s.replace('min: 0.5', 'min: 0.999'));
      const { status } = await judge(folder);
      expect(status).toBe(1);
      const [check] = [...github.checks.values()];
      expect(check).toMatchObject({ conclusion: 'failure' });
      expect(check?.annotations[0]).toMatchObject({ path: 'int8-gate.yml', start_line: 11 });
    }));
});
