import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { writeHistory } from '../../src/baseline/index.js';
import { onlyFile, saveEntry } from '../../src/github/cache-service.js';
import { carry, type Carried } from '../../src/github/carry.js';
import { connect } from '../../src/github/client.js';
import { mannersOf } from '../../src/github/patience.js';
import { scopeOf, type Scope } from '../../src/github/scope.js';
import { keyOf, pack } from '../../src/store/index.js';
import { FakeCache } from './fake-cache.js';
import { FakeGitHub } from './fake-github.js';
import type { FakeEntry } from './fake-state.js';

const MAIN = 'refs/heads/main';
const PULL = 'refs/pull/7/merge';
const repository = { default_branch: 'main' };

describe('whom a run believes, and whether it is believed', () => {
  const night: Scope = { own: MAIN, trusted: [MAIN], saves: true };
  const pull: Scope = { own: PULL, trusted: [MAIN], saves: false };
  const release = 'refs/heads/release';
  test.each([
    ['a night, whose payload says nothing', 'schedule', {}, MAIN, night],
    ['a push to the default branch', 'push', { repository }, MAIN, night],
    ['a person, on the default branch', 'workflow_dispatch', { repository }, MAIN, night],
    [
      'a comment, which may bring code along',
      'issue_comment',
      { repository },
      MAIN,
      { ...night, saves: false },
    ],
    ['a pull request', 'pull_request', { repository, pull_request: { base: { ref: 'main' } } }, PULL, pull],
    [
      'a pull request to another branch',
      'pull_request',
      { repository, pull_request: { base: { ref: 'release' } } },
      PULL,
      { ...pull, trusted: [MAIN, release] },
    ],
    [
      'a merge queue',
      'merge_group',
      { repository, merge_group: { base_ref: MAIN } },
      'refs/heads/queue/main/pr-7',
      { ...pull, own: 'refs/heads/queue/main/pr-7' },
    ],
    ['a push to another branch', 'push', { repository }, release, { ...pull, own: release }],
    ['a tag', 'push', { repository }, 'refs/tags/v1', { ...pull, own: 'refs/tags/v1' }],
    ['an unknown default branch', 'push', {}, MAIN, undefined],
    ['no ref', 'schedule', {}, '', undefined],
  ])('%s', (_, event, payload, own, scope) => expect(scopeOf(event, payload, own)).toEqual(scope));
});

const SHELF = `detections-${'a'.repeat(64)}.shelf`;
const HISTORY = {
  createdAt: '2026-01-01T00:00:00.000Z',
  commit: 'a'.repeat(40),
  fp32: 0.5,
  int8: 0.5,
  mixed: null,
};

describe('what is carried', () => {
  let folder = '';
  let github: FakeGitHub;
  let cache: FakeCache;
  let api: string;
  let said: string[];
  const before = { ...process.env };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'carry-'));
    await mkdir(join(folder, 'work'));
    github = new FakeGitHub();
    cache = new FakeCache(github.caches);
    api = await github.start();
    await cache.start();
    said = [];
  });
  afterEach(async () => {
    process.env = { ...before };
    await github.stop();
    await cache.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const at = (...path: string[]): string => join(folder, ...path);

  /** One run in the store `store`, null where settings keep no measurements; `refs` are what GitHub lets it read. */
  async function run(
    refs: readonly string[],
    scope: Scope,
    store: string | null = 'store',
    token = true,
  ): Promise<Carried> {
    Object.assign(process.env, cache.environment(refs, 'x'), {
      RUNNER_TEMP: folder,
      GITHUB_WORKSPACE: at('work'),
    });
    const where = { repository: 'octo/signs', serverUrl: '', apiUrl: api, runId: 1, attempt: 1 };
    const client = connect('secret-token', where, mannersOf({ INT8_GATE_PATIENCE: '0' }));
    const patience = { timeoutMs: 300, firstMs: 1 };
    const cargo = { gate: 'g', store: store === null ? undefined : at(store), scope };
    return carry(cargo, token ? client : undefined, patience, (line) => said.push(line));
  }
  const night = (store?: string | null) => run([MAIN], { own: MAIN, trusted: [MAIN], saves: true }, store);
  const pull = (store: string | null = 'of-pull', token = true) =>
    run([PULL, MAIN], { own: PULL, trusted: [MAIN], saves: false }, store, token);

  /** A night that measured something. */
  async function oneNight(): Promise<FakeEntry> {
    const carried = await night();
    await mkdir(at('store'), { recursive: true });
    await writeFile(at('store', SHELF), 'measured');
    await writeHistory(carried.history as string, [HISTORY]);
    await carried.save();
    const [entry] = github.caches;
    if (entry === undefined) throw new Error(`nothing was saved: ${said.join('\n')}`);
    return entry;
  }
  const nothing = async (carried: Carried): Promise<void> => {
    expect(carried.history).toBeUndefined();
    expect(await readdir(at('of-pull')).catch(() => [])).toEqual([]);
  };

  test('reaches the next night and a pull request, which hands nothing on', async () => {
    await oneNight();
    const next = await night('fresh');
    expect(await readFile(at('fresh', SHELF), 'utf8')).toBe('measured');
    await next.save();
    // Nothing new: the same content has the same key.
    expect(github.caches).toHaveLength(1);

    const carried = await pull();
    expect(await readFile(at('of-pull', SHELF), 'utf8')).toBe('measured');
    expect(JSON.parse(await readFile(carried.history as string, 'utf8'))).toMatchObject({
      points: [HISTORY],
    });
    await carried.save();
    expect(github.caches).toHaveLength(1);
    expect(said.at(-1)).toBe('Cache: 1 measurements and 1 points of history from the default branch');
    expect(github.violations).toEqual([]);
  });

  test('is the history alone where settings keep no measurements', async () => {
    const first = await night(null);
    await writeHistory(first.history as string, [HISTORY]);
    await first.save();
    expect(said).toEqual(['Cache: saved 0 measurements and the history']);
    const next = await pull(null);
    expect(JSON.parse(await readFile(next.history as string, 'utf8'))).toMatchObject({ points: [HISTORY] });
    expect(said.at(-1)).toBe('Cache: 0 measurements and 1 points of history from the default branch');
    // Nor does a run without measurements take those that others saved.
    expect(await readdir(at('work'))).toEqual([]);
    expect((await readdir(at())).filter((name) => name.endsWith('.shelf'))).toEqual([]);
  });

  test('what is there already is not replaced, and no archive is left', async () => {
    await oneNight();
    await mkdir(at('of-pull'));
    await writeFile(at('of-pull', SHELF), 'own');
    await pull();
    expect(await readFile(at('of-pull', SHELF), 'utf8')).toBe('own');
    expect((await readdir(at())).filter((name) => name.startsWith('int8-gate-cache-'))).toEqual([]);
  });

  test.each<[string, (entry: FakeEntry) => void, RegExp]>([
    [
      'that its own jobs saved',
      (entry) => cache.add({ ...entry, ref: PULL }),
      /this ref has one of that name too/,
    ],
    [
      'that its own jobs save just then',
      (entry) => void (cache.before = () => cache.add({ ...entry, ref: PULL })),
      /this ref has one of that name too/,
    ],
    [
      'that its own jobs hide among many',
      (entry) => {
        cache.add({ ...entry, ref: PULL });
        for (let i = 0; i < 120; i++) cache.add({ ...entry, ref: PULL, key: `${entry.key}${i}` });
      },
      /this ref has one of that name too/,
    ],
    [
      'when the token may not ask',
      () => void (github.scopes.actions = false),
      /cannot be used.*not accessible/,
    ],
    ['that is cut short', (entry) => void (entry.bytes = entry.bytes.subarray(0, 60)), /cannot be used/],
    ['that is no archive', (entry) => void (entry.bytes = Buffer.from('x'.repeat(2000))), /cannot be used/],
    ['of a service that is down', () => void (cache.fault = 'down'), /cannot be used.*503/],
    [
      'of a service that does not answer',
      () => void (cache.fault = 'hang'),
      /cannot be used.*no answer in time/,
    ],
  ])('a pull request leaves an entry aside %s', async (_, spoil, says) => {
    spoil(await oneNight());
    await nothing(await pull());
    expect(said.at(-1)).toMatch(says);
  });

  test('without a token there is nothing, and a night that may not save goes on', async () => {
    await oneNight();
    await nothing(await pull('of-pull', false));
    expect(said.at(-1)).toMatch(/without a token/);
    const carried = await night('fresh');
    await writeHistory(carried.history as string, [HISTORY, { ...HISTORY, commit: 'b'.repeat(40) }]);
    cache.fault = 'denied';
    await carried.save();
    expect(github.caches).toHaveLength(1);
  });

  test('a night that could not read does not replace the history by its own', async () => {
    await oneNight();
    cache.fault = 'denied';
    const carried = await night('fresh');
    await writeHistory(carried.history as string, [HISTORY]);
    cache.fault = undefined;
    await carried.save();
    expect(github.caches).toHaveLength(1);
    expect(said.at(-1)).toMatch(/not saved, since what is there could not be read/);
  });

  /** An archive as the entry's is compressed. */
  const archive = (entry: FakeEntry, ...args: string[]): Buffer => {
    const tar = execFileSync('tar', ['-c', '-P', ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
    return entry.bytes[0] === 0x1f ? gzipSync(tar) : execFileSync('zstd', ['-c'], { input: tar });
  };

  test('an archive that names other places and links writes nowhere', async () => {
    const entry = await oneNight();
    await writeFile(at('victim'), 'evil');
    await symlink('/etc', at('link'));
    entry.bytes = archive(entry, at('victim'), at('link'));
    await writeFile(at('victim'), 'good');
    await nothing(await pull());
    expect(await readFile(at('victim'), 'utf8')).toBe('good');
    entry.bytes = archive(entry, at('link'));
    await nothing(await pull());
    expect(said.at(-1)).toMatch(/no archive of one file/);
  });

  test('a pack whose names lead elsewhere, or whose history is none, brings nothing', async () => {
    const bytes = Buffer.from('evil');
    const names = [
      '../victim',
      '/tmp/victim.shelf',
      `x/${SHELF}`,
      `${SHELF}/..`,
      'history.json',
      'engines-1.plan',
    ];
    const entry = await oneNight();
    await writeFile(at('evil'), pack(names.map((name) => ({ name, bytes }))));
    entry.bytes = archive(entry, at('evil'));
    await nothing(await pull());
    expect(said.at(-1)).toBe('Cache: 0 measurements and 0 points of history from the default branch');
  });

  test('an entry is saved once, under a key that names the gate, the program and the content', async () => {
    await oneNight();
    expect(await saveEntry('int8-gate-x', Buffer.from('1'))).toBe(true);
    expect(await saveEntry('int8-gate-x', Buffer.from('2'))).toBe(false);
    expect(github.caches.map(({ key }) => key)).toEqual([
      expect.stringMatching(/^int8-gate-[0-9a-f]{12}-source-/),
      'int8-gate-x',
    ]);
    expect(github.caches[0]?.key.split('-')[2]).toBe(keyOf('g').slice(0, 12));
  });

  test.each([[''], ['\0'.repeat(2048)], ['x'.repeat(600)]])('no tar archive: %#', (text) =>
    expect(() => onlyFile(Buffer.from(text))).toThrow(/no archive of one file/),
  );
});
