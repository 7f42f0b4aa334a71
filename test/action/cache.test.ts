import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Report } from '../../src/report/index.js';
import { firstCommit, git } from '../baseline/repository.js';
import { SIGNS, makeProject, withFolder } from '../commands/child.js';
import { FakeCache } from './fake-cache.js';
import type { FakeGitHub } from './fake-github.js';
import { openPullRequest } from './pull-request.js';
import { NEW, plain, pullRequest, runStep, type StepResult } from './runner.js';

const MAIN = 'refs/heads/main';
const PULL = 'refs/pull/7/merge';

let github: FakeGitHub;
let api: string;
let cache: FakeCache;
beforeEach(async () => {
  ({ github, api } = await openPullRequest());
  cache = new FakeCache(github.caches);
  await cache.start();
});
afterEach(async () => {
  await github.stop();
  await cache.stop();
});

const AGAINST = (settings: string): string =>
  settings
    .replace('limit: 12', 'limit: 20')
    .replace('mAP50-95: { min: 0.5 }', 'mAP50-95: { min: 0.5 }\n    base: { mAP50-95: { maxDrop: 0.05 } }');

/** A machine of its own: nothing is at home but what the cache brings. */
async function night(folder: string, run: number, commit: string): Promise<StepResult> {
  const { payload } = plain('schedule');
  return runStep(folder, api, {
    run,
    event: { name: 'schedule', sha: commit, payload },
    inputs: { 'data-folders': SIGNS },
    env: { ...cache.environment([MAIN], 'schedule'), HOME: join(folder, `.home-${run}`) },
  });
}

async function pull(folder: string, run: number, base: string): Promise<StepResult> {
  const { payload } = pullRequest(NEW, { base });
  const withDefault = {
    ...(payload as object),
    repository: { full_name: 'octo/signs', default_branch: 'main' },
  };
  return runStep(folder, api, {
    run,
    event: { name: 'pull_request', sha: NEW, payload: withDefault },
    inputs: { 'data-folders': SIGNS },
    env: { ...cache.environment([PULL, MAIN], 'pull_request'), HOME: join(folder, `.home-${run}`) },
  });
}

const reportOf = async (folder: string): Promise<Report> =>
  JSON.parse(await readFile(join(folder, 'int8-gate-report', 'report.json'), 'utf8')) as Report;

describe('measurements and history, carried by the action', () => {
  test(
    'two nights, then a pull request that knows history and base without measuring it',
    () =>
      withFolder(async (folder) => {
        await makeProject(folder, AGAINST);
        await writeFile(join(folder, '.gitignore'), 'calib\n.runner-*\n.home-*\nint8-gate-report\n');
        const base = await firstCommit(folder);
        const open = (): readonly string[] =>
          [...github.issues.values()].filter(({ state }) => state === 'open').map(({ title }) => title);
        // The first night cannot judge.
        await writeFile(join(folder, 'int8-gate.yml'), 'version: 2\n');
        expect((await night(folder, 0, 'e'.repeat(40))).status).toBe(2);
        expect(open()).toEqual(['int8-gate: the default branch does not pass']);
        await git(folder, 'checkout', '-q', '--', 'int8-gate.yml');

        const first = await night(folder, 1, 'a'.repeat(40));
        expect(open()).toEqual([]);
        expect(first.stdout).toMatch(/Cache: saved [1-9]\d* measurements and the history/);
        const second = await night(folder, 2, base);
        expect(second.stdout).toMatch(/Cache: [1-9]\d* measurements and 1 points of history/);
        expect(github.caches.map(({ ref }) => ref)).toEqual([MAIN, MAIN]);

        const { stdout, status } = await pull(folder, 3, base);
        expect(status).toBe(0);
        const clean = await reportOf(folder);
        expect(clean.base).toMatchObject({ source: 'cache', drop: { drop: 0 } });
        expect(clean.history?.map(({ commit }) => commit)).toEqual(['a'.repeat(40), base, NEW]);
        expect(stdout).toMatch(/2 points of history from the default branch/);
        expect(github.caches).toHaveLength(2);
        expect(github.violations).toEqual([]);
      }),
    300_000,
  );
});
