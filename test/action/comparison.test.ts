import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { obtainCommit, openRepository } from '../../src/baseline/index.js';
import { baseOf, haveBase, readComparison, requestOf } from '../../src/github/comparison.js';
import { occasionOf, readSurroundings } from '../../src/github/occasion.js';
import { firstCommit, git } from '../baseline/repository.js';
import { SIGNS, makeProject, withFolder } from '../commands/child.js';
import type { FakeGitHub } from './fake-github.js';
import { openPullRequest } from './pull-request.js';
import { GitServer } from './git-server.js';
import { NEW, mergeGroup, plain, pullRequest, runStep, workflowRun, type Event } from './runner.js';

const BASE = 'd'.repeat(40);
const occasion = ({ name, payload, sha }: Event) => occasionOf(name, payload, sha);

describe('what a run is compared with', () => {
  test.each([
    ['a pull request', pullRequest(NEW), BASE],
    ['pull_request_target', pullRequest(NEW, { name: 'pull_request_target' }), BASE],
    ['a merge queue', mergeGroup(NEW), BASE],
    ['a push', plain('push'), undefined],
    ['a night', plain('schedule'), undefined],
    ['a person who starts it', plain('workflow_dispatch'), undefined],
    ['another workflow', workflowRun(NEW), undefined],
  ])('%s: its base by the event', (_, event, base) => expect(baseOf(occasion(event))).toBe(base));

  test.each([
    ['nothing said', undefined, BASE, { kind: 'ref', ref: BASE }],
    ['a kept report', '/w/base', BASE, { kind: 'report', file: '/w/base', ref: BASE }],
    ['`none`: not measured, and the base judges all the same', 'none', BASE, { kind: 'none', ref: BASE }],
    ['nothing said and no base', undefined, undefined, { kind: 'none' }],
    ['a kept report and no base', '/w/base', undefined, { kind: 'report', file: '/w/base' }],
  ])('%s', (_, base, ref, request) => expect(requestOf(base, ref)).toEqual(request));

  describe('by inputs', () => {
    const inputs = (values: Readonly<Record<string, string>>): void => {
      for (const [name, value] of Object.entries(values)) process.env[`INPUT_${name}`] = value;
    };
    afterEach(() => {
      for (const name of ['BASE', 'BASE-REF', 'HISTORY']) delete process.env[`INPUT_${name}`];
    });
    const read = () =>
      readComparison('/w/sub', { GITHUB_WORKSPACE: '/w', GITHUB_SHA: NEW }, occasion(pullRequest(NEW)));

    test('a ref that the workflow names comes before the event', () => {
      inputs({ 'BASE-REF': 'origin/release' });
      expect(read()).toEqual({
        base: { kind: 'ref', ref: 'origin/release' },
        history: undefined,
        commit: NEW,
      });
    });
    test('paths are relative to the working directory', () => {
      inputs({ BASE: 'kept', HISTORY: '../history.json' });
      expect(read()).toMatchObject({ base: { file: '/w/sub/kept', ref: BASE }, history: '/w/history.json' });
    });
    test.each(['BASE', 'HISTORY'])('%s stays inside the workspace', (name) => {
      inputs({ [name]: '../../etc/x' });
      expect(read).toThrow(/lies outside the workspace/);
    });
  });

  test.each([['main'], ['7; rm -rf /'], ['--upload-pack=x']])(
    'an event whose base is %s is refused',
    (base) =>
      expect(() => occasion(pullRequest(NEW, { base }))).toThrow(/pull_request\.base\.sha is no commit/),
  );
});

/** A repository of two commits, served bare, and a checkout of the second alone. */
async function shallowCheckout(
  folder: string,
  make: (work: string) => Promise<void>,
  change: (work: string) => Promise<void>,
): Promise<{ readonly base: string; readonly checkout: string }> {
  const work = join(folder, 'work');
  await mkdir(work);
  await make(work);
  const base = await firstCommit(work);
  await change(work);
  await git(work, 'add', '-A');
  await git(work, 'commit', '-qm', 'head');
  await mkdir(join(folder, 'served', 'octo'), { recursive: true });
  await git(folder, 'clone', '-q', '--bare', work, join(folder, 'served', 'octo', 'signs'));
  await git(folder, 'clone', '-q', '--depth=1', `file://${work}`, 'checkout');
  return { base, checkout: join(folder, 'checkout') };
}

const TOKEN = `basic ${Buffer.from('x-access-token:secret-token').toString('base64')}`;
const note = (work: string, text: string) => writeFile(join(work, 'int8-gate.yml'), text);

describe('a base that a checkout of depth 1 lacks', () => {
  const served = (
    authorization: string | undefined,
    job: (at: { base: string; checkout: string; url: string; server: GitServer }) => Promise<void>,
  ) =>
    withFolder(async (folder) => {
      const found = await shallowCheckout(
        folder,
        (work) => note(work, 'base'),
        (work) => note(work, 'head'),
      );
      const server = new GitServer(join(folder, 'served'), authorization);
      const url = await server.start();
      await job({ ...found, url, server }).finally(() => server.stop());
    });

  test('is fetched with the token, once, and nothing else of the checkout changes', () =>
    served(TOKEN, async ({ base, checkout, url, server }) => {
      const remote = { url: `${url}/octo/signs`, token: 'secret-token' };
      const refs = await git(checkout, 'for-each-ref');
      // What actions/checkout leaves for private repositories; a second header beside it would be refused.
      await git(checkout, 'config', `http.${url}/.extraheader`, 'AUTHORIZATION: basic b2xk');
      expect(await obtainCommit(checkout, base, remote)).toBe('fetched');
      expect(server.seen.every((one) => one === TOKEN)).toBe(true);
      const calls = server.seen.length;
      expect(await obtainCommit(checkout, base, remote)).toBe('there');
      expect(server.seen).toHaveLength(calls);
      expect(await git(checkout, 'for-each-ref')).toBe(refs);
      expect(await git(checkout, 'rev-parse', '--is-shallow-repository')).toBe('true');
      const repository = await openRepository(checkout, base);
      expect(await repository.read(join(checkout, 'int8-gate.yml'))).toBe('base');
    }));

  test.each([
    ['without a token', '', 'd'],
    ['with one that may not', 'other', 'd'],
    ['that the server does not have', 'secret-token', 'e'],
  ])('%s ends in words that say what to do, without the token', (_, token, digit) =>
    served(TOKEN, async ({ base, checkout, url }) => {
      const commit = digit === 'd' ? base : digit.repeat(40);
      const fault: unknown = await obtainCommit(checkout, commit, { url: `${url}/octo/signs`, token }).catch(
        (error: unknown) => error,
      );
      expect(String(fault)).toMatch(/cannot be fetched \(git: .*by what to judge[^]*fetch-depth: 0/);
      expect(String(fault)).not.toMatch(/secret-token|b3RoZXI|eC1hY2Nlc3/);
    }),
  );

  test('that is no commit by name is left to git, and one outside GitHub is not fetched', async () => {
    const where = readSurroundings({});
    const at = (ref: string) => ({
      base: { kind: 'ref', ref } as const,
      history: undefined,
      commit: undefined,
    });
    const none = (): void => undefined;
    await expect(haveBase(at('origin/main'), '/', where, '', none)).resolves.toBeUndefined();
    await expect(haveBase(at(BASE), '/', where, '', none)).rejects.toThrow(
      /no repository to fetch the base from/,
    );
  });
});

test("a head that moves the settings' folder behind a link is judged by the base's file all the same", () =>
  withFolder(async (folder) => {
    await mkdir(join(folder, 'ml'));
    await note(join(folder, 'ml'), 'strict');
    const base = await firstCommit(folder);
    await rename(join(folder, 'ml'), join(folder, 'moved'));
    await symlink('moved', join(folder, 'ml'));
    await note(join(folder, 'ml'), 'loose');
    const repository = await openRepository(join(folder, 'ml'), base);
    expect(await repository.read(join(folder, 'ml', 'int8-gate.yml'))).toBe('strict');
  }));

describe('the action on a pull request that loosens its limits, checked out at depth 1, no input given', () => {
  let github: FakeGitHub;
  let api: string;
  beforeEach(async () => void ({ github, api } = await openPullRequest()));
  afterEach(() => github.stop());

  test('is judged by the base, and the comment shows what it changed', () =>
    withFolder(async (folder) => {
      const { base, checkout } = await shallowCheckout(
        folder,
        (work) => makeProject(work, (s) => s.replace('min: 0.5', 'min: 0.999')),
        async (work) => {
          const file = join(work, 'int8-gate.yml');
          await writeFile(file, (await readFile(file, 'utf8')).replace('min: 0.999', 'min: 0.1'));
        },
      );
      const server = new GitServer(join(folder, 'served'), TOKEN);
      const url = await server.start();
      const step = (token: string, run: number) =>
        runStep(checkout, api, {
          run,
          event: pullRequest(NEW, { base }),
          inputs: { base: 'none', 'data-folders': SIGNS, token },
          env: { GITHUB_SERVER_URL: url },
        });
      try {
        const refused = await step('', 100);
        expect([refused.status, refused.outputs.verdict]).toEqual([2, undefined]);
        expect(refused.stdout).toMatch(/its commit is not in this checkout and cannot be fetched/);

        const { status, stdout } = await step('secret-token', 101);
        expect(status).toBe(1);
        expect(stdout).toMatch(/Fetched the base's commit/);
        const [comment] = github.commentsOn(7);
        expect(comment?.body).toMatch(/## ❌ int8-gate: FAIL/);
        expect(comment?.body).toMatch(
          /Settings that this pull request changes[^]*thresholds\.mAP50-95\.min \| 0\.999 \| 0\.1 \| the base's \|/,
        );
        expect(github.violations).toEqual([]);
      } finally {
        await server.stop();
      }
    }));
});
