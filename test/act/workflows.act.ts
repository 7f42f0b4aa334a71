import { afterAll, beforeAll, beforeEach, afterEach, expect, test } from '@jest/globals';
import { cp, mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { WORKFLOWS, writeWorkflows } from '../../src/commands/workflows.js';
import type { Report } from '../../src/report/index.js';
import { FakeGitHub } from '../action/fake-github.js';
import { makeRepository, packAction, play, workflow, type Played, type Repository } from './act.js';

let [folder, action, api] = ['', '', ''];
let github: FakeGitHub;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'int8-gate-act-'));
  action = await packAction(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(async () => {
  github = new FakeGitHub();
  api = await github.start();
});
afterEach(() => github.stop());

/** A fresh repository with one workflow, and pull request 7 of its branch. */
async function repositoryWith(name: string, min = 0.5, text?: string): Promise<Repository> {
  const own = await mkdtemp(join(folder, `${name}-`));
  const repository = await makeRepository(own, text ?? (await workflow(name)), min);
  github.pulls.set(7, { number: 7, head: repository.head, from: 'octo:feature', open: true });
  return repository;
}

const jobs = ({ log }: Played): string[] =>
  [...log.matchAll(/\[([^\]]+)\] 🏁 {2}Job (succeeded|failed)/g)].map(
    ([, name = '', how = '']) => `${name.trim()}: ${how}`,
  );
const ended = (played: Played): unknown => [played.status, jobs(played)];

test('a pull request passes', async () => {
  const repository = await repositoryWith('pull-request');
  const played = await play(repository, 'pull_request', { action, api });
  expect(ended(played)).toEqual([0, ['INT8 gate/int8: succeeded']]);
  expect(github.commentsOn(7).map(({ body }) => body)).toEqual([expect.stringMatching(/int8-gate: PASS/)]);
  expect([...github.checks.values()].map(({ conclusion, sha }) => [conclusion, sha])).toEqual([
    ['success', repository.head],
  ]);
  expect(await readdir(join(repository.artifacts, 'int8-gate-report'))).toContain('report.html');
  expect(played.log).toMatch(/::set-output:: verdict=pass/);
  expect(github.violations).toEqual([]);
});

test('a pull request that falls short fails, by exit status and check, and its report is there all the same', async () => {
  const repository = await repositoryWith('pull-request', 0.999);
  const played = await play(repository, 'pull_request', { action, api });
  expect(ended(played)).toEqual([1, ['INT8 gate/int8: failed']]);
  expect(played.log).toMatch(/exit status 1/);
  expect(github.commentsOn(7).map(({ body }) => body)).toEqual([expect.stringMatching(/int8-gate: FAIL/)]);
  expect([...github.checks.values()].map(({ conclusion }) => conclusion)).toEqual(['failure']);
  expect(await readdir(join(repository.artifacts, 'int8-gate-report'))).toContain('report.html');
});

test('outputs, with the names that action.yml gives them, reach the next step', async () => {
  const outputs = Object.keys((parse(await readFile('action.yml', 'utf8')) as { outputs: object }).outputs);
  const step = outputs.map((name) => `          echo "$STEPS" | grep -F '"${name}"'`).join('\n');
  const text = `${await workflow('pull-request')}      - env:
          STEPS: \${{ toJSON(steps.gate.outputs) }}
        run: |
${step}
          echo "verdict is \${{ steps.gate.outputs.verdict }}, outcome \${{ steps.gate.outcome }}"
`;
  const played = await play(await repositoryWith('pull-request', 0.5, text), 'pull_request', { action, api });
  expect(ended(played)).toEqual([0, ['INT8 gate/int8: succeeded']]);
  expect(played.log).toMatch(/verdict is pass, outcome success/);
});

test('a night audits and judges with settings of its own, and keeps both reports', async () => {
  const repository = await repositoryWith('nightly');
  const played = await play(repository, 'schedule', { action, api });
  expect(ended(played)).toEqual([0, ['INT8 nightly/int8: succeeded']]);
  expect((await readdir(repository.artifacts)).sort()).toEqual(['int8-gate-audit', 'int8-gate-nightly']);
  const report = JSON.parse(
    await readFile(join(repository.artifacts, 'int8-gate-nightly', 'report.json'), 'utf8'),
  ) as Report;
  expect(report.data.validation.images).toBe(20);
  expect(github.comments.size).toBe(0);
  expect(github.violations).toEqual([]);

  // By act's own cache server, which knows nothing of ours.
  const next = await play(repository, 'schedule', { action, api });
  expect(next.log).toMatch(/Cache: [1-9]\d* measurements and 1 points of history/);
});

test('a push to the default branch is judged, keeps its measurements, and posts no comment', async () => {
  const repository = await repositoryWith('pull-request');
  const played = await play(repository, 'push', { action, api });
  expect(ended(played)).toEqual([0, ['INT8 gate/int8: succeeded']]);
  expect(played.log).toMatch(/Cache: saved [1-9]\d* measurements and the history/);
  expect([github.comments.size, github.checks.size]).toEqual([0, 1]);
});

test('the two workflows that `init` writes', async () => {
  const own = await mkdtemp(join(folder, 'init-'));
  await mkdir(join(own, '.git'));
  await writeWorkflows(own, join(own, 'int8-gate.yml'), false);
  const [gate = '', nightly = ''] = await Promise.all(
    WORKFLOWS.map((path) => readFile(join(own, path), 'utf8')),
  );
  const pull = await play(await repositoryWith('init', 0.5, gate), 'pull_request', { action, api });
  expect(ended(pull)).toEqual([0, ['INT8 gate/int8: succeeded']]);
  expect(github.commentsOn(7).map(({ body }) => body)).toEqual([expect.stringMatching(/int8-gate: PASS/)]);
  const repository = await repositoryWith('init', 0.5, nightly);
  const night = await play(repository, 'schedule', { action, api });
  expect(ended(night)).toEqual([0, ['INT8 gate, nightly/int8: succeeded']]);
  expect((await readdir(repository.artifacts)).sort()).toEqual(['int8-gate-audit', 'int8-gate-report']);
  expect(github.violations).toEqual([]);
});

test('eight jobs measure, one judges', async () => {
  const repository = await repositoryWith('shards');
  const played = await play(repository, 'pull_request', { action, api });
  const found = jobs(played).sort();
  expect(found).toHaveLength(9);
  expect([played.status, found.every((one) => one.endsWith('succeeded'))]).toEqual([0, true]);
  expect(await readdir(repository.artifacts)).toHaveLength(9);
  expect(github.commentsOn(7).map(({ body }) => body)).toEqual([expect.stringMatching(/int8-gate: PASS/)]);
});

test.each([
  ['pull_request', 0.5, 'succeeded'],
  ['merge_group', 0.5, 'succeeded'],
  ['merge_group', 0.999, 'failed'],
])('the merge queue: %s with at least %d', async (event, min, end) => {
  const repository = await repositoryWith('merge-queue', min);
  const played = await play(repository, event, { action, api });
  expect(jobs(played)).toEqual([
    'INT8 gate/changes: succeeded',
    `INT8 gate/judge: ${end}`,
    `INT8 gate/INT8 gate: ${end}`,
  ]);
  expect(github.comments.size).toBe(event === 'pull_request' ? 1 : 0);
});

test('of the fork-safe pair the first posts nothing, the second what the first found', async () => {
  const judge = await repositoryWith('fork-safe-judge', 0.999);
  const judged = await play(judge, 'pull_request', { action, api });
  expect(ended(judged)).toEqual([1, ['INT8 gate/int8: failed']]);
  expect([github.comments.size, github.checks.size]).toEqual([0, 0]);

  const own = await repositoryWith('fork-safe-comment');
  await cp(judge.artifacts, own.artifacts, { recursive: true });
  github.pulls.set(7, { number: 7, head: own.head, from: 'eve:feature', open: true });
  const posted = await play(own, 'workflow_run', { action, api });
  expect(ended(posted)).toEqual([0, ['INT8 gate comment/comment: succeeded']]);
  expect(github.commentsOn(7).map(({ body }) => body)).toEqual([expect.stringMatching(/int8-gate: FAIL/)]);
  expect(github.violations).toEqual([]);
});
