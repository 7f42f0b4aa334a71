/** Measurements and history, carried from run to run in GitHub's cache. They save time; no verdict depends on them. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import * as core from '@actions/core';
import { readHistory } from '../baseline/index.js';
import { InputFault, messageOf, systemCode } from '../faults/index.js';
import { terminalText } from '../report/index.js';
import {
  codeDigest,
  keyOf,
  pack,
  packDigest,
  putShelves,
  takeShelves,
  unpack,
  type PackedFile,
} from '../store/index.js';
import {
  MOST_BYTES,
  entryVersion,
  fetchEntry,
  hasCache,
  saveEntry,
  type CacheEntry,
  type CachePatience,
} from './cache-service.js';
import type { ActionInputs } from './action.js';
import { connect, type GitHub } from './client.js';
import type { Surroundings } from './occasion.js';
import type { Manners } from './patience.js';
import { readScope, type Scope } from './scope.js';
import { temporaryFolder } from './temporary.js';

/** What is carried, and where it lies on this machine. */
export interface Cargo {
  /** Of the gate: settings file and name; each has its own history. */
  readonly gate: string;
  /** The store's folder; undefined where the settings keep no measurements. */
  readonly store: string | undefined;
  readonly scope: Scope;
}

/** What a run was given, and how it hands on what it has. */
export interface Carried {
  /** A file with the default branch's history, to which a run adds itself; undefined in a pull request before there is one. */
  readonly history: string | undefined;
  /** Saves what this run used or measured, and the history, where others may believe it. Never throws. */
  save(): Promise<void>;
}

/** Where nothing is carried. */
const NOTHING: Carried = { history: undefined, save: () => Promise.resolve() };

/** {@link carry} for a gate that measures, where the workflow wants it and this runner has a cache. */
export async function carryFor(
  { mode, cache, config, posting }: ActionInputs,
  store: string | undefined,
  where: Surroundings,
  manners: Manners,
): Promise<Carried> {
  const scope = mode === 'gate' && cache && hasCache() ? await readScope(process.env) : undefined;
  if (scope === undefined) return NOTHING;
  const workspace = process.env.GITHUB_WORKSPACE ?? process.cwd();
  const { repository } = where;
  const github =
    posting.token === '' || repository === undefined
      ? undefined
      : connect(posting.token, { ...where, repository }, manners);
  const gate = `${relative(workspace, config).split(sep).join('/')} ${posting.name}`;
  const patience = { timeoutMs: manners.timeoutMs, firstMs: manners.timeoutMs / 30 };
  return carry({ gate, store, scope }, github, patience, (line) => core.info(line));
}

const HISTORY = 'history.json';
/** The first line of a pack, and what the history may take. */
const MARGIN = 2 ** 23;

/**
 * Fetches what runs of the default branch saved. A cache that is away, slow, damaged or filled by someone else costs
 * time and is told, and nothing else.
 * @param github - to ask who saved an entry; undefined without a token
 */
export async function carry(
  cargo: Cargo,
  github: GitHub | undefined,
  patience: CachePatience,
  say: (line: string) => void,
): Promise<Carried> {
  const startedAt = Date.now();
  const prefix = `int8-gate-${keyOf(cargo.gate).slice(0, 12)}-`;
  const own = `${prefix}${(codeDigest() ?? 'source').slice(0, 12)}-`;
  const tell = (what: string, error?: unknown): void =>
    say(`Cache: ${terminalText(error === undefined ? what : `${what} (${messageOf(error)})`)}`);
  const folder = await temporaryFolder('int8-gate-history-');
  const history = join(folder, HISTORY);
  const { files, key, asked } = await restored(cargo, { prefix, own }, github, patience, tell);
  const imported = await putStore(cargo.store, files, tell);
  const points = await putHistory(history, files);
  if (key !== undefined)
    tell(`${imported.length} measurements and ${points} points of history from the default branch`);
  return {
    history: cargo.scope.saves || points > 0 ? history : undefined,
    save: async () => {
      if (!cargo.scope.saves) return;
      // What could not be read must not be replaced by less: the history would begin anew.
      if (!asked) return tell('not saved, since what is there could not be read');
      const job = async (): Promise<void> => {
        const since = startedAt - 1000;
        const shelves =
          cargo.store === undefined
            ? []
            : await takeShelves(cargo.store, since, new Set(imported), MOST_BYTES - MARGIN);
        const all = [...shelves, ...(await fileIfThere(history))];
        const name = `${own}${packDigest(all).slice(0, 16)}`;
        if (all.length === 0 || name === key) return;
        if (await saveEntry(name, pack(all))) tell(`saved ${shelves.length} measurements and the history`);
      };
      await within(6 * patience.timeoutMs, job()).catch((error: unknown) => tell('was not saved', error));
    },
  };
}

type Tell = (what: string, error?: unknown) => void;

interface Keys {
  readonly prefix: string;
  /** Of this very program, whose measurements hold; what others left has a history. */
  readonly own: string;
}

interface Restored {
  readonly files: readonly PackedFile[];
  /** Undefined where there was none that holds. */
  readonly key: string | undefined;
  /** Whether the service answered. */
  readonly asked: boolean;
}

/** Files of the entry that may be believed, and its key. */
async function restored(
  { scope }: Cargo,
  keys: Keys,
  github: GitHub | undefined,
  patience: CachePatience,
  tell: Tell,
): Promise<Restored> {
  try {
    const job = scope.trusted.includes(scope.own)
      ? fetchEntry(keys.own, [keys.own, keys.prefix], patience)
      : fetchTrusted(scope, keys, github, patience, tell);
    const entry = await within(6 * patience.timeoutMs, job);
    if (entry === undefined) return { files: [], key: undefined, asked: true };
    const files = unpack(entry.bytes);
    if (files.length === 0) tell(`the entry ${entry.key} is damaged and left aside`);
    return { files, key: files.length === 0 ? undefined : entry.key, asked: true };
  } catch (error) {
    tell('cannot be used, so all is measured', error);
    return { files: [], key: undefined, asked: false };
  }
}

/**
 * The newest entry of a trusted ref. GitHub prefers an entry of the run's own ref with the same key, which a pull
 * request's own jobs can save: there must be none, before and after it was fetched.
 */
async function fetchTrusted(
  { own, trusted }: Scope,
  keys: Keys,
  github: GitHub | undefined,
  patience: CachePatience,
  tell: Tell,
): Promise<CacheEntry | undefined> {
  if (github === undefined) {
    tell('left alone, since without a token nobody can say who saved an entry');
    return undefined;
  }
  const version = await entryVersion();
  const lists = await Promise.all(trusted.map((ref) => github.caches(ref, keys.prefix)));
  const entries = lists
    .flatMap(({ entries }) => entries)
    .filter((one) => one.version === version)
    .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  const { key } = entries.find((one) => one.key.startsWith(keys.own)) ?? entries[0] ?? {};
  if (key === undefined) return undefined;
  const isDoubled = async (): Promise<boolean> => {
    const { entries, total } = await github.caches(own, key);
    return total > entries.length || entries.some((one) => one.key === key);
  };
  const entry = (await isDoubled()) ? undefined : await fetchEntry(key, [], patience);
  if (entry?.key === key && !(await isDoubled())) return entry;
  tell(`the entry ${key} is left aside: this ref has one of that name too, or it is gone`);
  return undefined;
}

async function putStore(
  folder: string | undefined,
  files: readonly PackedFile[],
  tell: Tell,
): Promise<readonly string[]> {
  if (folder === undefined) return [];
  return putShelves(folder, files).catch((error: unknown) => {
    tell('measurements cannot be put into the folder of the settings', error);
    return [];
  });
}

/** Writes the history to a file; one that does not hold against its schema is left aside. @returns its points */
async function putHistory(file: string, files: readonly PackedFile[]): Promise<number> {
  const found = files.find(({ name }) => name === HISTORY);
  if (found === undefined) return 0;
  const candidate = `${file}.restored`;
  await writeFile(candidate, found.bytes);
  try {
    const points = await readHistory(candidate);
    await copyFile(candidate, file);
    return points.length;
  } catch (error) {
    if (error instanceof InputFault) return 0;
    throw error;
  }
}

async function fileIfThere(file: string): Promise<readonly PackedFile[]> {
  try {
    return [{ name: HISTORY, bytes: await readFile(file) }];
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The job's result, or an error when it takes longer. */
async function within<T>(milliseconds: number, job: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error('no answer in time')), milliseconds);
  });
  return Promise.race([job, late]).finally(() => clearTimeout(timer));
}
