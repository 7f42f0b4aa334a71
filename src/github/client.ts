import { getOctokit } from '@actions/github';
import { messageOf } from '../faults/index.js';
import type { Surroundings } from './occasion.js';

/** Why GitHub did not do what was asked. */
export type Refusal =
  /** The token may not (403, 404 on a write, 401). */
  | { readonly kind: 'denied'; readonly why: string }
  /** The answer got lost, the server failed or is busy: what was asked may or may not have been done. */
  | { readonly kind: 'unclear'; readonly why: string; readonly waitMs: number | undefined }
  /** Not there any more (404, 410 on what was read a moment ago). */
  | { readonly kind: 'gone'; readonly why: string }
  /** GitHub does not take it (422 and the like): asking again does not help. */
  | { readonly kind: 'refused'; readonly why: string };

/** Thrown by every call of {@link GitHub} that did not succeed. */
export class GitHubRefusal extends Error {
  constructor(
    readonly refusal: Refusal,
    options?: ErrorOptions,
  ) {
    super(refusal.why, options);
    this.name = 'GitHubRefusal';
  }
}

export interface Comment {
  readonly id: number;
  readonly author: string;
  readonly body: string;
}

export interface Issue {
  readonly number: number;
  readonly body: string;
}

/** An entry of GitHub's cache. */
export interface CacheListing {
  readonly key: string;
  readonly version: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
}

export interface Annotation {
  readonly path: string;
  readonly start_line: number;
  readonly end_line: number;
  readonly annotation_level: 'notice' | 'warning' | 'failure';
  readonly message: string;
  readonly title: string;
}

export interface CheckContent {
  readonly name: string;
  readonly conclusion: 'success' | 'failure' | 'neutral';
  readonly title: string;
  readonly summary: string;
  readonly detailsUrl: string | undefined;
  readonly externalId: string;
}

export interface CheckRun {
  readonly id: number;
  readonly externalId: string | undefined;
  readonly annotations: number;
}

/** The calls that int8-gate makes. Reading is tried again by itself; writing never is, since its answer may have been lost. */
export interface GitHub {
  /** Login that the token writes as. */
  whoami(): Promise<string>;
  pullHead(number: number): Promise<string>;
  /** Open pull requests from `owner:branch` with their heads. */
  openPulls(head: string): Promise<readonly { readonly number: number; readonly headSha: string }[]>;
  /** All comments, oldest first. */
  comments(issue: number): Promise<readonly Comment[]>;
  createComment(issue: number, body: string): Promise<void>;
  updateComment(id: number, body: string): Promise<void>;
  deleteComment(id: number): Promise<void>;
  /** Open issues (no pull requests) that a login opened, oldest first. */
  openIssues(creator: string): Promise<readonly Issue[]>;
  createIssue(title: string, body: string): Promise<void>;
  updateIssue(number: number, change: { readonly body?: string; readonly state?: 'closed' }): Promise<void>;
  /** Entries of one ref whose keys begin with `key`, newest first, at most 100, and how many there are. */
  caches(
    ref: string,
    key: string,
  ): Promise<{ readonly entries: readonly CacheListing[]; readonly total: number }>;
  checkRuns(sha: string, name: string): Promise<readonly CheckRun[]>;
  /** Answers the check run's id. */
  createCheck(sha: string, content: CheckContent, annotations: readonly Annotation[]): Promise<number>;
  /** Adds annotations to those that are there. */
  addAnnotations(id: number, content: CheckContent, annotations: readonly Annotation[]): Promise<void>;
}

/** How patient the client is. */
export interface Patience {
  /** Most tries of one call, or of one step of a conversation. */
  readonly tries: number;
  /** Wait after the first failure in milliseconds; doubles each time. */
  readonly firstMs: number;
  /** Longest wait that a server can ask for. */
  readonly mostMs: number;
  readonly timeoutMs: number;
  sleep(milliseconds: number): Promise<void>;
}

/** Waits before try number `tried` + 1: what the server asked for, else doubling. */
export async function waitBefore(
  patience: Patience,
  tried: number,
  asked: number | undefined,
): Promise<void> {
  const doubling = patience.firstMs * 2 ** (tried - 1) * (1 + Math.random() / 4);
  await patience.sleep(Math.min(patience.mostMs, Math.max(asked ?? 0, doubling)));
}

/** A client for one repository. */
export function connect(
  token: string,
  where: Surroundings & { repository: string },
  patience: Patience,
): GitHub {
  const octokit = getOctokit(token, { baseUrl: where.apiUrl, log: QUIET });
  const [owner = '', repo = ''] = where.repository.split('/');
  const place = { owner, repo };
  const { rest } = octokit;
  octokit.hook.wrap('request', async (request, options) => {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(new Error('no answer in time')), patience.timeoutMs);
    try {
      // Hooks further in see these options and not what is handed to them.
      options.request = { ...options.request, signal: abort.signal };
      return await request(options);
    } catch (error) {
      throw new GitHubRefusal(refusalOf(error, options.method), { cause: error });
    } finally {
      clearTimeout(timer);
    }
  });
  const read = async <T>(call: () => Promise<T>): Promise<T> => {
    for (let tried = 1; ; tried++)
      try {
        return await call();
      } catch (error) {
        const refusal = error instanceof GitHubRefusal ? error.refusal : undefined;
        if (refusal?.kind !== 'unclear' || tried >= patience.tries) throw error;
        await waitBefore(patience, tried, refusal.waitMs);
      }
  };
  return {
    whoami: () =>
      read(
        async () =>
          (await octokit.graphql<{ viewer: { login: string } }>('{ viewer { login } }')).viewer.login,
      ),
    pullHead: (number) =>
      read(async () => (await rest.pulls.get({ ...place, pull_number: number })).data.head.sha),
    openPulls: (head) =>
      read(async () => {
        const { data } = await rest.pulls.list({ ...place, head, state: 'open', per_page: 100 });
        return data.map((one) => ({ number: one.number, headSha: one.head.sha }));
      }),
    comments: (issue) =>
      read(async () => {
        const all = await octokit.paginate(rest.issues.listComments, {
          ...place,
          issue_number: issue,
          per_page: 100,
        });
        return all
          .map(({ id, user, body }) => ({ id, author: user?.login ?? '', body: body ?? '' }))
          .sort((a, b) => a.id - b.id);
      }),
    createComment: async (issue, body) =>
      void (await rest.issues.createComment({ ...place, issue_number: issue, body })),
    updateComment: async (id, body) =>
      void (await rest.issues.updateComment({ ...place, comment_id: id, body })),
    deleteComment: async (id) => void (await rest.issues.deleteComment({ ...place, comment_id: id })),
    openIssues: (creator) =>
      read(async () => {
        const all = await octokit.paginate(rest.issues.listForRepo, {
          ...place,
          creator,
          state: 'open',
          per_page: 100,
        });
        return all
          .filter((one) => one.pull_request === undefined)
          .map(({ number, body }) => ({ number, body: body ?? '' }))
          .sort((a, b) => a.number - b.number);
      }),
    createIssue: async (title, body) => void (await rest.issues.create({ ...place, title, body })),
    updateIssue: async (number, change) =>
      void (await rest.issues.update({ ...place, issue_number: number, ...change })),
    caches: (ref, key) =>
      read(async () => {
        const { data } = await rest.actions.getActionsCacheList({
          ...place,
          ref,
          key,
          sort: 'created_at',
          direction: 'desc',
          per_page: 100,
        });
        const entries = data.actions_caches.map(({ key, version, created_at }) => ({
          key: key ?? '',
          version: version ?? '',
          createdAt: created_at ?? '',
        }));
        return { entries, total: data.total_count };
      }),
    checkRuns: (sha, name) =>
      read(async () => {
        const { data } = await rest.checks.listForRef({
          ...place,
          ref: sha,
          check_name: name,
          per_page: 100,
        });
        return data.check_runs.map(({ id, external_id, output }) => ({
          id,
          externalId: external_id ?? undefined,
          annotations: output.annotations_count,
        }));
      }),
    createCheck: async (sha, content, annotations) => {
      const { data } = await rest.checks.create({
        ...place,
        head_sha: sha,
        external_id: content.externalId,
        ...checkBody(content, annotations),
      });
      return data.id;
    },
    addAnnotations: async (id, content, annotations) =>
      void (await rest.checks.update({ ...place, check_run_id: id, ...checkBody(content, annotations) })),
  };
}

function checkBody(
  { name, conclusion, title, summary, detailsUrl }: CheckContent,
  annotations: readonly Annotation[],
): {
  name: string;
  status: 'completed';
  conclusion: CheckContent['conclusion'];
  details_url?: string;
  output: { title: string; summary: string; annotations: Annotation[] };
} {
  return {
    name,
    status: 'completed',
    conclusion,
    ...(detailsUrl !== undefined && { details_url: detailsUrl }),
    output: { title, summary, annotations: [...annotations] },
  };
}

const nothing = (): void => undefined;
/** What fails is told by us, once. */
const QUIET = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** Says what a failed request means. A limit on the rate is worth waiting for; a token without the right is not. */
export function refusalOf(error: unknown, method: string, now = Date.now()): Refusal {
  const { status, response } = error as {
    status?: unknown;
    response?: { headers?: Record<string, string | undefined>; data?: unknown };
  };
  const why = messageOf(error).slice(0, 300);
  if (typeof status !== 'number') return { kind: 'unclear', why, waitMs: undefined };
  const headers = response?.headers ?? {};
  const seconds = Number(headers['retry-after']);
  const limited =
    status === 429 ||
    (status === 403 &&
      (headers['retry-after'] !== undefined ||
        headers['x-ratelimit-remaining'] === '0' ||
        /rate limit|abuse/i.test(why)));
  const reset = Number(headers['x-ratelimit-reset']) * 1000 - now;
  if (limited)
    return { kind: 'unclear', why, waitMs: seconds >= 0 ? seconds * 1000 : reset > 0 ? reset : 60_000 };
  if (status >= 500 || status === 408)
    return { kind: 'unclear', why: `${status}: ${why}`, waitMs: seconds >= 0 ? seconds * 1000 : undefined };
  if (status === 401 || status === 403) return { kind: 'denied', why: `${status}: ${why}` };
  // A token that may not even see is told that nothing is there.
  if (status === 404 && method === 'POST') return { kind: 'denied', why: `${status}: ${why}` };
  if (status === 404 || status === 410) return { kind: 'gone', why: `${status}: ${why}` };
  return { kind: 'refused', why: `${status}: ${why}` };
}
