import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mannersOf } from '../../src/github/index.js';
import { connect } from '../../src/github/client.js';
import {
  formatIssueMark,
  keepIssue,
  nextIssueStep,
  type IssueInput,
  type IssueStep,
} from '../../src/github/issue.js';
import { FakeGitHub, type Fault } from './fake-github.js';
import { SIGNS, makeProject, withFolder } from '../commands/child.js';
import { pullRequest, plain, runStep, NEW } from './runner.js';

const key = '0123456789ab';
const issue: IssueInput = {
  key,
  title: 'int8-gate: the calibration images need a look',
  problem: 'Night scenes alone.',
  solved: 'It passes again.',
};
const body = (says: string): string => `${formatIssueMark(key, says)}\n${says}`;

describe('the next step with the issue', () => {
  test.each<[string, string[], string | undefined, IssueStep]>([
    ['a first problem opens it', [], 'bad', { kind: 'create' }],
    ['the same problem leaves it', ['bad'], 'bad', { kind: 'rest' }],
    ['another problem updates it', ['bad'], 'worse', { kind: 'update', number: 1 }],
    ['no problem closes it', ['bad'], undefined, { kind: 'close', number: 1, why: 'solved' }],
    ['no problem and no issue', [], undefined, { kind: 'rest' }],
    [
      'a second one is closed, the oldest stays',
      ['bad', 'bad'],
      'bad',
      { kind: 'close', number: 2, why: 'double' },
    ],
  ])('%s', (_, open, problem, expected) => {
    const issues = open.map((says, i) => ({ number: i + 1, body: body(says) }));
    expect(nextIssueStep(issues, { ...issue, problem })).toEqual(expected);
  });
});

let github: FakeGitHub;
let api: string;
beforeEach(async () => {
  github = new FakeGitHub();
  api = await github.start();
});
afterEach(() => github.stop());

const open = (): string[] =>
  [...github.issues.values()].filter(({ state }) => state === 'open').map((one) => one.body);

describe('keeping one issue, whatever goes wrong', () => {
  const keep = (input: IssueInput): Promise<string> => {
    const where = {
      repository: 'octo/signs',
      serverUrl: 'https://github.example',
      apiUrl: api,
      runId: 1,
      attempt: 1,
    };
    const manners = mannersOf({ INT8_GATE_PATIENCE: '0.01' });
    return keepIssue(connect('secret-token', where, manners), input, manners);
  };
  const ISSUES = /\/issues$/;

  test.each<[string, Fault[]]>([
    ['nothing goes wrong', []],
    ['the server fails twice', [{ method: 'POST', path: ISSUES, act: 502, times: 2 }]],
    ['the answer to opening is lost', [{ method: 'POST', path: ISSUES, act: 'lost', times: 1 }]],
    ['the list cannot be read at first', [{ method: 'GET', path: ISSUES, act: 500, times: 2 }]],
    [
      'a secondary limit',
      [
        {
          method: 'POST',
          path: ISSUES,
          act: 403,
          times: 1,
          headers: { 'retry-after': '1' },
          message: 'secondary rate limit',
        },
      ],
    ],
    ['the token may not ask who it is', [{ method: 'POST', path: /graphql$/, act: 403 }]],
  ])('%s', async (_, faults) => {
    github.faults = faults;
    await keep(issue);
    expect(open()).toEqual([body('Night scenes alone.')]);
    await keep(issue);
    expect(
      github.seen.filter(
        ({ method, path, status }) => method === 'POST' && ISSUES.test(path) && status === 201,
      ).length,
    ).toBeLessThanOrEqual(1);
    await keep({ ...issue, problem: 'Too few.' });
    expect(open()).toEqual([body('Too few.')]);
    expect(await keep({ ...issue, problem: undefined })).toBe('The issue was closed.');
    expect(open()).toEqual([]);
    expect([...github.comments.values()].map(({ body: said }) => said)).toEqual(['It passes again.']);
    expect(github.violations).toEqual([]);
  });

  test('two runs that open it at once end with one', async () => {
    github.faults = [{ method: 'POST', path: ISSUES, together: 2, times: 2 }];
    await Promise.all([keep(issue), keep(issue)]);
    await keep(issue);
    expect(open()).toHaveLength(1);
  });

  test('a token without the right is told, and an issue of somebody else with our mark is left alone', async () => {
    github.issues.set(5, { number: 5, author: 'eve', title: 'mine', body: body('pasted'), state: 'open' });
    github.scopes = { ...github.scopes, issues: false };
    expect(await keep(issue)).toMatch(/the token may not .* needs `issues: write`/);
    expect(open()).toEqual([body('pasted')]);
  });
});

describe('mode: audit', () => {
  test.each([
    ['each night an issue tells what is wrong', plain('schedule'), 1],
    ['a pull request is told by its job alone', pullRequest(NEW), 0],
  ])('%s', async (_, event, issues) => {
    await withFolder(async (folder) => {
      await makeProject(folder, (settings) => `${settings}audit: { minImages: 500 }\n`);
      const inputs = { mode: 'audit', 'data-folders': SIGNS };
      const { status, summary, outputs, stdout } = await runStep(folder, api, { event, inputs });
      expect([status, outputs.verdict]).toEqual([1, 'fail']);
      expect(summary).toMatch(/^## ❌ Calibration audit: FAIL/);
      expect(stdout).toMatch(/::error title=int8-gate%3A calibration audit::\d+ different images/);
      expect(open()).toHaveLength(issues);
      expect(github.violations).toEqual([]);
    });
  });
});
