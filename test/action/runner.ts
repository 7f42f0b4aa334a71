import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Report } from '../../src/report/index.js';
import { runDist } from '../commands/child.js';

export const OLD = 'a'.repeat(40);
export const NEW = 'b'.repeat(40);
export const MERGE = 'c'.repeat(40);

const sample = JSON.parse(readFileSync('test/report/golden/report.json', 'utf8')) as Report;

/** Reports by what they say. */
export const REPORTS = {
  fail: sample,
  pass: {
    ...sample,
    findings: [],
    verdict: {
      ...sample.verdict,
      kind: 'pass',
      blocks: false,
      why: 'Every threshold holds.',
      todo: [],
      checks: [],
    },
  },
  inconclusive: {
    ...sample,
    findings: [],
    verdict: { ...sample.verdict, kind: 'inconclusive', blocks: true, why: 'It cannot be judged.', todo: [] },
  },
  allowed: {
    ...sample,
    findings: [],
    verdict: {
      ...sample.verdict,
      kind: 'inconclusive',
      blocks: false,
      why: 'It cannot be judged.',
      todo: [],
    },
  },
} as const satisfies Record<string, Report>;

/** Name and payload of an event. */
export interface Event {
  readonly name: string;
  readonly sha: string;
  readonly payload: unknown;
}

const repo = (name: string): object => ({ full_name: name, owner: { login: name.split('/')[0] } });

interface PullRequestParts {
  /** Repository of the head; null when it was deleted. */
  readonly from?: string | null;
  readonly name?: string;
  readonly number?: unknown;
  /** Tip of the base branch. */
  readonly base?: string;
}

export function pullRequest(
  head: string,
  { from = 'octo/signs', name = 'pull_request', number = 7, base = 'd'.repeat(40) }: PullRequestParts = {},
): Event {
  return {
    name,
    sha: MERGE,
    payload: {
      pull_request: {
        number,
        title: '::error::pwned @everyone <img src=x>',
        head: { sha: head, ref: 'feature', repo: from === null ? null : repo(from) },
        base: { sha: base, repo: repo('octo/signs') },
      },
      repository: repo('octo/signs'),
    },
  };
}

export function workflowRun(
  head: string,
  { from = 'eve/signs', numbers = [] as number[], conclusion = 'failure', event = 'pull_request' } = {},
): Event {
  return {
    name: 'workflow_run',
    sha: 'd'.repeat(40),
    payload: {
      workflow_run: {
        id: 4242,
        event,
        conclusion,
        head_sha: head,
        head_branch: 'feature',
        head_repository: repo(from),
        pull_requests: numbers.map((number) => ({ number })),
      },
      repository: repo('octo/signs'),
    },
  };
}

export function mergeGroup(head: string): Event {
  return {
    name: 'merge_group',
    sha: head,
    payload: {
      merge_group: {
        head_sha: head,
        base_sha: 'd'.repeat(40),
        head_ref: `refs/heads/gh-readonly-queue/main/pr-7-${OLD}`,
      },
    },
  };
}

export function plain(name: string): Event {
  return { name, sha: NEW, payload: { repository: repo('octo/signs') } };
}

/** One step of a workflow. */
export interface Step {
  readonly event: Event;
  readonly run?: number;
  readonly attempt?: number;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly env?: NodeJS.ProcessEnv;
}

export interface StepResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly summary: string;
  readonly outputs: Readonly<Record<string, string>>;
}

/** Runs dist/index.js in `folder` as a runner does, with GitHub at `api`. */
export async function runStep(folder: string, api: string, step: Step): Promise<StepResult> {
  const own = join(folder, `.runner-${step.run ?? 100}-${step.attempt ?? 1}`);
  await mkdir(join(own, 'temp'), { recursive: true });
  const files = {
    GITHUB_OUTPUT: 'output',
    GITHUB_STEP_SUMMARY: 'summary.md',
    GITHUB_ENV: 'env',
    GITHUB_STATE: 'state',
  };
  const variables: Record<string, string> = {};
  for (const [name, file] of Object.entries(files)) {
    variables[name] = join(own, file);
    await writeFile(join(own, file), '');
  }
  await writeFile(join(own, 'event.json'), JSON.stringify(step.event.payload));
  const inputs = { token: 'secret-token', ...step.inputs };
  const { status, stdout, stderr } = await runDist('index.js', [], {
    cwd: folder,
    env: {
      ...variables,
      GITHUB_ACTIONS: 'true',
      GITHUB_WORKSPACE: folder,
      GITHUB_EVENT_NAME: step.event.name,
      GITHUB_EVENT_PATH: join(own, 'event.json'),
      GITHUB_SHA: step.event.sha,
      GITHUB_REPOSITORY: 'octo/signs',
      GITHUB_RUN_ID: String(step.run ?? 100),
      GITHUB_RUN_ATTEMPT: String(step.attempt ?? 1),
      GITHUB_API_URL: api,
      GITHUB_SERVER_URL: 'https://github.example',
      RUNNER_TEMP: join(own, 'temp'),
      RUNNER_TOOL_CACHE: join(own, 'tools'),
      INT8_GATE_PATIENCE: '0.02',
      ...Object.fromEntries(
        Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
      ),
      ...step.env,
    },
  });
  return {
    status,
    stdout: stdout + stderr,
    summary: await readFile(join(own, 'summary.md'), 'utf8'),
    outputs: outputsOf(await readFile(join(own, 'output'), 'utf8')),
  };
}

/** Outputs as the runner reads them: `name<<delimiter`, value, delimiter. */
export function outputsOf(text: string): Record<string, string> {
  const found = [...text.matchAll(/^(.+?)<<(ghadelimiter_\S+)\n([^]*?)\n\2$/gm)];
  return Object.fromEntries(found.map(([, name = '', , value = '']): [string, string] => [name, value]));
}

/** Lines that a runner would take for commands: it trims, then looks for `::`; `##[` counts anywhere. */
export function commandsIn(stdout: string): readonly string[] {
  return stdout.split(/\r\n|\n|\r/).filter((line) => /^\s*::[^\s]/.test(line) || line.includes('##['));
}
