import { execFile } from 'node:child_process';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { InputFault, SurroundingsFault, messageOf, systemCode } from '../faults/index.js';

const run = promisify(execFile);
/** A settings file or a list of names, not a model. */
const MOST_OUTPUT = 64 * 2 ** 20;
/** A checkout of large models takes minutes; a server that says nothing must not hold the job for ever. */
const MOST_MILLISECONDS = 20 * 60_000;

/** A commit of the repository that a file lies in. */
export interface Repository {
  /** Absolute, without symbolic links. */
  readonly root: string;
  /** 40 hexadecimal digits (64 with SHA-256). */
  readonly commit: string;
  /** Text of a file at the commit, by its absolute path in the work tree; undefined where the commit has none. */
  read(path: string): Promise<string | undefined>;
  /** Runs a job with the commit checked out in a folder of its own, which is taken away after. */
  checkedOut<T>(job: (folder: string) => Promise<T>): Promise<T>;
}

/**
 * Opens the repository that a folder lies in, at a ref.
 * @param ref - a branch, tag or commit; never taken for an option
 * @throws InputFault when the folder is in no repository, or the repository has no such commit
 */
export async function openRepository(folder: string, ref: string): Promise<Repository> {
  const where = `--base-ref ${ref}`;
  const here = await realpath(folder);
  const root = await realpath((await inRepository(here, where)).trim());
  const commit = await commitOf(root, ref, where);
  const inside = (path: string): string => relative(root, path).split(sep).join('/');
  return {
    root,
    commit,
    async read(path) {
      const asWritten = relative(await lexicalRoot(root, path), path)
        .split(sep)
        .join('/');
      for (const name of new Set([asWritten, inside(await realFolder(path))])) {
        const { stdout } = await git(
          root,
          ['ls-tree', '-z', '--name-only', commit, '--', `:(literal)${name}`],
          where,
        );
        if (stdout.replaceAll('\0', '') === name)
          return (await git(root, ['show', `${commit}:${name}`], where)).stdout;
      }
      return undefined;
    },
    checkedOut: (job) => inWorkTree(root, commit, where, job),
  };
}

/**
 * The folder above a path that is the repository's root. A name below it is the commit's own, whatever symbolic links
 * the head put in its way: a head that moves a folder elsewhere does not get away from the base's file.
 */
async function lexicalRoot(root: string, path: string): Promise<string> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if ((await realpath(folder).catch(() => undefined)) === root) return folder;
    if (folder === dirname(folder)) return root;
  }
}

/** The path with its folder's symbolic links resolved; the file itself need not exist. */
async function realFolder(path: string): Promise<string> {
  try {
    return join(await realpath(dirname(path)), path.slice(dirname(path).length + 1));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return path;
    throw error;
  }
}

/** Where a commit can be had that the checkout lacks. */
export interface Remote {
  /** Of the repository itself, e.g. `https://github.com/owner/name`. */
  readonly url: string;
  /** Sent to that server alone; empty for none. Never on a command line, where other processes could read it. */
  readonly token: string;
}

/**
 * Sees to it that a commit is there: a checkout of depth 1 has the head alone. Fetches that one commit, and no branch
 * or tag changes by it.
 * @param folder - in the work tree
 * @param commit - its full name
 * @throws InputFault when the folder is in no repository, or the commit cannot be had
 */
export async function obtainCommit(
  folder: string,
  commit: string,
  remote: Remote,
): Promise<'there' | 'fetched'> {
  const where = `base ${commit}`;
  const root = (await inRepository(await realpath(folder), where)).trim();
  try {
    await git(root, ['cat-file', '-e', `${commit}^{commit}`], where);
    return 'there';
  } catch (error) {
    if (!(error instanceof SurroundingsFault) || systemCode(error.cause) === 'ENOENT') throw error;
  }
  const shallow = (await git(root, ['rev-parse', '--is-shallow-repository'], where)).stdout.trim() === 'true';
  const how = [
    '--no-tags',
    '--no-recurse-submodules',
    '--no-write-fetch-head',
    ...(shallow ? ['--depth=1'] : []),
  ];
  try {
    await git(root, ['fetch', '--quiet', ...how, remote.url, commit], where, credentials(remote));
  } catch (cause) {
    if (!(cause instanceof SurroundingsFault)) throw cause;
    throw new InputFault(
      {
        where,
        what: `its commit is not in this checkout and cannot be fetched (${cause.problem.what}), so nobody could say by what to judge`,
        fix: 'Give actions/checkout `fetch-depth: 0`, or this action a `token` with `contents: read`.',
      },
      { cause },
    );
  }
  return 'fetched';
}

/** As settings that only the child sees; the empty value first takes out what actions/checkout may have left. */
function credentials({ url, token }: Remote): NodeJS.ProcessEnv {
  if (token === '') return {};
  const key = `http.${new URL(url).origin}/.extraheader`;
  const basic = Buffer.from(`x-access-token:${token}`).toString('base64');
  return {
    GIT_CONFIG_COUNT: '2',
    GIT_CONFIG_KEY_0: key,
    GIT_CONFIG_VALUE_0: '',
    GIT_CONFIG_KEY_1: key,
    GIT_CONFIG_VALUE_1: `AUTHORIZATION: basic ${basic}`,
  };
}

async function inRepository(folder: string, where: string): Promise<string> {
  try {
    return (await git(folder, ['rev-parse', '--show-toplevel'], where)).stdout;
  } catch (cause) {
    if (!(cause instanceof SurroundingsFault) || systemCode(cause.cause) === 'ENOENT') throw cause;
    throw new InputFault(
      {
        where,
        what: `${folder} cannot be used as a git repository: ${cause.problem.what}`,
        fix: 'Run inside a checkout (actions/checkout), or name a report with `--base`.',
      },
      { cause },
    );
  }
}

async function commitOf(root: string, ref: string, where: string): Promise<string> {
  try {
    const { stdout } = await git(
      root,
      ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`],
      where,
    );
    return stdout.trim();
  } catch (cause) {
    if (systemCode(cause instanceof SurroundingsFault ? cause.cause : cause) === 'ENOENT') throw cause;
    throw new InputFault(
      {
        where,
        what: 'the repository has no such commit',
        fix: 'Fetch it: `fetch-depth: 0` in actions/checkout, or `git fetch origin <branch>`.',
      },
      { cause },
    );
  }
}

async function inWorkTree<T>(
  root: string,
  commit: string,
  where: string,
  job: (folder: string) => Promise<T>,
): Promise<T> {
  const parent = await realpath(await mkdtemp(join(tmpdir(), 'int8-gate-base-')));
  const folder = join(parent, 'base');
  try {
    await git(root, ['worktree', 'add', '--quiet', '--detach', folder, commit], where);
    return await job(folder);
  } finally {
    await rm(parent, { recursive: true, force: true });
    await git(root, ['worktree', 'prune'], where);
  }
}

/** Hooks of the repository are not run, and nobody is asked for a password. */
async function git(
  cwd: string,
  args: readonly string[],
  where: string,
  environment: NodeJS.ProcessEnv = {},
): Promise<{ readonly stdout: string }> {
  try {
    return await run('git', ['-c', 'core.hooksPath=/dev/null', ...args], {
      cwd,
      maxBuffer: MOST_OUTPUT,
      timeout: MOST_MILLISECONDS,
      env: { ...process.env, ...environment, GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' },
    });
  } catch (cause) {
    const missing = systemCode(cause) === 'ENOENT';
    throw new SurroundingsFault(
      {
        where,
        what: missing ? 'git is not installed' : wordsOf(cause),
        fix: missing ? 'Install git, or name a report with `--base`.' : 'See what `git status` says there.',
      },
      { cause },
    );
  }
}

function wordsOf(error: unknown): string {
  const said =
    typeof error === 'object' && error !== null && 'stderr' in error ? String(error.stderr).trim() : '';
  return `git: ${said === '' ? messageOf(error) : (said.split('\n').at(-1) ?? said)}`;
}
