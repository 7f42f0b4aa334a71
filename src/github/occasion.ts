import { readFile } from 'node:fs/promises';
import { InputFault, messageOf } from '../faults/index.js';

/** What made the workflow run, as far as posting cares. */
export type Occasion =
  | {
      readonly kind: 'pull-request';
      readonly number: number;
      /** Head of the pull request when the event was made; GITHUB_SHA is an ephemeral merge commit. */
      readonly headSha: string;
      /** Tip of the base branch; its settings judge. */
      readonly baseSha: string;
      /** From another repository: the token can read only, whatever the workflow asks for. */
      readonly fork: boolean;
      /** `pull_request_target`: runs with the base's token and secrets. */
      readonly privileged: boolean;
    }
  | { readonly kind: 'merge-group'; readonly headSha: string; readonly baseSha: string }
  /** After another workflow; its files are as trustworthy as whoever wrote the pull request. */
  | {
      readonly kind: 'workflow-run';
      readonly headSha: string;
      readonly runId: number;
      readonly conclusion: string;
      readonly fork: boolean;
      /** The run was for a pull request. */
      readonly ofPullRequest: boolean;
      /** Empty for forks. */
      readonly numbers: readonly number[];
      /** `owner:branch`, by which the pull request of a fork is found. */
      readonly head: string;
    }
  /** push, schedule, workflow_dispatch and whatever else has a commit and no pull request. */
  | { readonly kind: 'commit'; readonly event: string; readonly headSha: string };

/** Where the action runs. */
export interface Surroundings {
  /** `owner/name`; undefined outside GitHub. */
  readonly repository: string | undefined;
  readonly serverUrl: string;
  readonly apiUrl: string;
  readonly runId: number;
  readonly attempt: number;
}

/** The runner's variables. GitHub Enterprise sets its own addresses. */
export function readSurroundings(environment: NodeJS.ProcessEnv): Surroundings {
  const repository = environment.GITHUB_REPOSITORY ?? '';
  return {
    repository: /^[\w.-]+\/[\w.-]+$/.test(repository) ? repository : undefined,
    serverUrl: addressOf(environment.GITHUB_SERVER_URL, 'https://github.com'),
    apiUrl: addressOf(environment.GITHUB_API_URL, 'https://api.github.com'),
    runId: Number(environment.GITHUB_RUN_ID ?? 0) || 0,
    attempt: Number(environment.GITHUB_RUN_ATTEMPT ?? 1) || 1,
  };
}

function addressOf(text: string | undefined, otherwise: string): string {
  const address = text === undefined || text === '' ? otherwise : text;
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol))
    throw new InputFault({
      where: 'GITHUB_SERVER_URL or GITHUB_API_URL',
      what: `is no address: ${address}`,
      fix: 'Leave both as the runner sets them.',
    });
  return address.replace(/\/+$/, '');
}

/**
 * Reads the event's payload.
 * @throws InputFault when the payload is not what its event promises
 */
export async function readOccasion(environment: NodeJS.ProcessEnv): Promise<Occasion> {
  const event = environment.GITHUB_EVENT_NAME ?? '';
  const sha = environment.GITHUB_SHA ?? '';
  return occasionOf(event, await readPayload(environment.GITHUB_EVENT_PATH), sha);
}

/**
 * The event's payload, of whatever shape; an empty object outside of Actions.
 * @throws InputFault when it cannot be read
 */
export async function readPayload(path: string | undefined): Promise<unknown> {
  if (path === undefined || path === '') return {};
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch (cause) {
    throw new InputFault(
      {
        where: 'GITHUB_EVENT_PATH',
        what: `the event cannot be read: ${messageOf(cause)}`,
        fix: 'Leave GITHUB_EVENT_PATH as the runner sets it; outside of Actions, unset it.',
      },
      { cause },
    );
  }
}

/** The pure part of {@link readOccasion}. */
export function occasionOf(event: string, payload: unknown, sha: string): Occasion {
  const at = (path: string): unknown =>
    path
      .split('.')
      .reduce<unknown>(
        (value, key) =>
          typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined,
        payload,
      );
  const text = (path: string): string => {
    const value = at(path);
    if (typeof value === 'string') return value;
    throw new InputFault({
      where: `event ${event}`,
      what: `has no ${path}`,
      fix: 'Run on an event that docs/gate.md names, with the payload as GitHub sends it.',
    });
  };
  const commit = (path: string): string => {
    const value = text(path);
    if (/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(value)) return value;
    throw new InputFault({
      where: `event ${event}`,
      what: `${path} is no commit`,
      fix: 'Run on an event that docs/gate.md names, with the payload as GitHub sends it.',
    });
  };
  const count = (value: unknown, path: string): number => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
    throw new InputFault({
      where: `event ${event}`,
      what: `${path} is no number`,
      fix: 'Run on an event that docs/gate.md names, with the payload as GitHub sends it.',
    });
  };
  switch (event) {
    case 'pull_request':
    case 'pull_request_target':
      return {
        kind: 'pull-request',
        number: count(at('pull_request.number'), 'pull_request.number'),
        headSha: commit('pull_request.head.sha'),
        baseSha: commit('pull_request.base.sha'),
        // A fork that was deleted has no repository any more.
        fork: at('pull_request.head.repo.full_name') !== at('pull_request.base.repo.full_name'),
        privileged: event === 'pull_request_target',
      };
    case 'merge_group':
      return {
        kind: 'merge-group',
        headSha: commit('merge_group.head_sha'),
        baseSha: commit('merge_group.base_sha'),
      };
    case 'workflow_run': {
      const pulls = at('workflow_run.pull_requests');
      const conclusion = at('workflow_run.conclusion');
      return {
        kind: 'workflow-run',
        headSha: commit('workflow_run.head_sha'),
        runId: count(at('workflow_run.id'), 'workflow_run.id'),
        conclusion: conclusion === null ? 'no conclusion yet' : text('workflow_run.conclusion'),
        fork: at('workflow_run.head_repository.full_name') !== at('repository.full_name'),
        ofPullRequest: at('workflow_run.event') === 'pull_request',
        numbers: (Array.isArray(pulls) ? (pulls as unknown[]) : []).map((one) =>
          count((one as { number?: unknown } | null)?.number, 'workflow_run.pull_requests'),
        ),
        head: `${text('workflow_run.head_repository.owner.login')}:${text('workflow_run.head_branch')}`,
      };
    }
    default:
      return { kind: 'commit', event, headSha: sha };
  }
}
