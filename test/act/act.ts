/** The example workflows run by act (github.com/nektos/act), which reads workflows and action.yml by a program of its own. */
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { firstCommit, git } from '../baseline/repository.js';
import { SIGNS } from '../commands/child.js';

/** What a run said, and what its jobs uploaded. */
export interface Played {
  readonly status: number | null;
  readonly log: string;
}

/** A repository as a user has it, outside of which a job sees nothing. */
export interface Repository {
  readonly folder: string;
  /** Uploaded artifacts, by name. */
  readonly artifacts: string;
  readonly base: string;
  readonly head: string;
}

const SETTINGS = `version: 1
model: model.onnx
validation:
  images: val
  annotations: val.json
  limit: 12
calibration:
  images: calib
gate:
  thresholds:
    mAP50-95: { min: MIN }
  resamples: 100
sensitivity:
  enabled: false
report:
  keepModels: false
`;

/**
 * Makes a repository with the signs detector, the workflow, and a branch `feature` that is one commit ahead.
 * @param workflow - its text
 * @param min - the least mAP50-95 that passes
 */
export async function makeRepository(folder: string, workflow: string, min: number): Promise<Repository> {
  const project = join(folder, 'project');
  await mkdir(join(project, '.github', 'workflows'), { recursive: true });
  await cp(join(SIGNS, 'models', 'signs-v10.onnx'), join(project, 'model.onnx'));
  // All of them: an audit finds nothing to say then.
  await cp(join(SIGNS, 'calib'), join(project, 'calib'), { recursive: true });
  await cp(join(SIGNS, 'val'), join(project, 'val'), { recursive: true });
  await cp(join(SIGNS, 'val.json'), join(project, 'val.json'));
  const settings = SETTINGS.replace('MIN', String(min));
  await writeFile(join(project, 'int8-gate.yml'), settings);
  await writeFile(join(project, 'int8-gate.nightly.yml'), settings.replace('limit: 12', 'limit: 20'));
  await writeFile(join(project, '.github', 'workflows', 'gate.yml'), workflow);
  const base = await firstCommit(project);
  await git(project, 'branch', '-M', 'main');
  await git(project, 'remote', 'add', 'origin', 'https://github.com/octo/signs');
  await git(project, 'checkout', '-qb', 'feature');
  await writeFile(join(project, 'int8-gate.yml'), `${settings}# A change.\n`);
  await git(project, 'commit', '-qam', 'head');
  const head = await git(project, 'rev-parse', 'HEAD');
  return { folder: project, artifacts: join(folder, 'artifacts'), base, head };
}

/** What the runner would give the action, packed as a release has it. */
export async function packAction(folder: string): Promise<string> {
  const action = join(folder, 'action');
  await mkdir(action);
  for (const name of ['dist', 'action.yml', 'package.json', 'package-lock.json'])
    await cp(name, join(action, name), { recursive: true });
  return action;
}

const repo = (name: string): object => ({
  name: name.split('/')[1],
  full_name: name,
  default_branch: 'main',
  owner: { login: name.split('/')[0] },
});

/** Payloads of events as GitHub sends them, as far as anybody reads them here. */
export function payloadOf(event: string, { base, head }: Repository): object {
  const repository = repo('octo/signs');
  const common = { repository };
  switch (event) {
    case 'pull_request':
      return {
        ...common,
        number: 7,
        pull_request: {
          number: 7,
          title: '::error::pwned @everyone',
          head: { sha: head, ref: 'feature', repo: repository },
          base: { sha: base, ref: 'main', repo: repository },
        },
      };
    case 'merge_group':
      return { ...common, merge_group: { head_sha: head, base_sha: base, head_ref: 'refs/heads/queue' } };
    case 'workflow_run':
      return {
        ...common,
        workflow_run: {
          id: 4242,
          event: 'pull_request',
          conclusion: 'success',
          head_sha: head,
          head_branch: 'feature',
          head_repository: repo('eve/signs'),
          pull_requests: [],
        },
      };
    default:
      // A push and what else is of a branch.
      return { ...common, ref: 'refs/heads/main', before: base, after: head };
  }
}

/** Runs the repository's workflow for an event, with the stand-in for GitHub at `api`. */
export async function play(
  { folder, artifacts, base, head }: Repository,
  event: string,
  { action, api }: { readonly action: string; readonly api: string },
): Promise<Played> {
  const own = join(folder, '..');
  await mkdir(artifacts, { recursive: true });
  const payload = join(own, 'event.json');
  const repository = { folder, artifacts, base, head };
  await writeFile(payload, JSON.stringify(payloadOf(event, repository)));
  const standIns = ['upload-artifact', 'download-artifact'].map((name) => [
    '--local-repository',
    `actions/${name}@v4=${resolve('test/act/actions', name)}`,
  ]);
  const flags = {
    '--eventpath': payload,
    '--local-repository': `int8-gate/int8-gate@v0=${action}`,
    '--secret': 'GITHUB_TOKEN=secret-token',
    '--artifact-server-path': join(own, 'server'),
    '--artifact-server-addr': '127.0.0.1',
    '--cache-server-path': join(own, 'cache-server'),
    '--cache-server-addr': '127.0.0.1',
    // Shared: the tool cache is in it.
    '--action-cache-path': join(action, '..', 'act'),
  };
  const variables = {
    GITHUB_API_URL: api,
    ARTIFACTS: artifacts,
    INT8_GATE_PATIENCE: '0.02',
  };
  // Of a branch: what is not of a pull request is of the default branch.
  if (event !== 'pull_request') await git(folder, 'checkout', '-q', '-B', 'main', head);
  const args = [
    event,
    '--defaultbranch',
    'main',
    ...['ubuntu-latest', 'self-hosted'].flatMap((label) => ['--platform', `${label}=-self-hosted`]),
    ...Object.entries(flags).flat(),
    ...standIns.flat(),
    ...Object.entries(variables).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
  ];
  // A machine of its own: nothing is at home but what the cache brings.
  const home = await mkdtemp(join(own, 'home-'));
  const played = await run(args, folder, { PATH: process.env.PATH, HOME: home });
  // To read where a test fails.
  await mkdir('build/act', { recursive: true });
  await writeFile(join('build', 'act', `${basename(own)}-${event}.log`), played.log);
  return played;
}

function run(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<Played> {
  const child = spawn(process.env.ACT ?? 'act', args, { cwd, env });
  let log = '';
  const heard = (data: Buffer): void => void (log += data.toString());
  child.stdout.on('data', heard);
  child.stderr.on('data', heard);
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (status) => done({ status, log }));
  });
}

/** A workflow of docs/workflows. */
export function workflow(name: string): Promise<string> {
  return readFile(join('docs', 'workflows', `${name}.yml`), 'utf8');
}
