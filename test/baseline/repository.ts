import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Runs git in a folder, with a name and no settings of the machine. */
export async function git(folder: string, ...args: readonly string[]): Promise<string> {
  const identity = [
    '-c',
    'user.name=test',
    '-c',
    'user.email=test@example.com',
    '-c',
    'init.defaultBranch=main',
  ];
  const env = { PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: '1' };
  return (await promisify(execFile)('git', [...identity, ...args], { cwd: folder, env })).stdout.trim();
}

/** Makes the folder a repository, whose first commit holds everything but what `.gitignore` names. */
export async function firstCommit(folder: string): Promise<string> {
  await git(folder, 'init', '-q');
  await git(folder, 'add', '-A');
  await git(folder, 'commit', '-qm', 'base');
  return git(folder, 'rev-parse', 'HEAD');
}

/** A repository whose only commit knows nothing of int8-gate, in a folder that has files already; answers the commit. */
export async function emptyBase(folder: string): Promise<string> {
  await git(folder, 'init', '-q');
  await git(folder, 'commit', '-q', '--allow-empty', '-m', 'before int8-gate');
  return git(folder, 'rev-parse', 'HEAD');
}
