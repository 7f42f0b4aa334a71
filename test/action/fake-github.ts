import { Ajv, type ValidateFunction } from 'ajv';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FakeCheck, FakeComment, FakeEntry, FakeIssue, FakePull } from './fake-state.js';

/** A request as it came in and how it was answered. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  status: number;
}

/** What goes wrong, with which requests. */
export interface Fault {
  readonly method: string;
  readonly path: RegExp;
  /** How many of the matching requests; all when left out. */
  times?: number;
  /** Matching requests that are left alone first. */
  skip?: number;
  /**
   * A status answers instead of acting. `lost` acts, then cuts the line; `cut` cuts it before acting; `hang` never
   * answers; `lost-hang` acts and never answers.
   */
  readonly act?: number | 'lost' | 'cut' | 'hang' | 'lost-hang';
  readonly headers?: Readonly<Record<string, string>>;
  readonly message?: string;
  /** Another run at the same time: changes the state before, or after, the request acts. */
  readonly before?: (github: FakeGitHub) => void;
  readonly after?: (github: FakeGitHub) => void;
  /** Holds requests until so many wait, then lets all go: a race. */
  readonly together?: number;
}

interface Operation {
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema: object }[];
  readonly body?: object;
}

const { paths } = JSON.parse(readFileSync('test/action/golden/github-openapi.json', 'utf8')) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};

/** Parameters come as text. */
const ajv = new Ajv({ strict: false, coerceTypes: true, formats: { 'date-time': true, int64: true } });
const strict = new Ajv({ strict: false, formats: { 'date-time': true, int64: true } });

/** Every operation with the pattern of its path and its validators. */
const OPERATIONS = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { parameters, body }]) => {
    const of = (where: string): ValidateFunction =>
      ajv.compile({
        type: 'object',
        additionalProperties: where === 'path',
        properties: Object.fromEntries(
          parameters.filter((one) => one.in === where).map((one) => [one.name, one.schema]),
        ),
      });
    return {
      path,
      method: method.toUpperCase(),
      pattern: new RegExp(`^${path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
      query: of('query'),
      params: of('path'),
      body: body === undefined ? undefined : strict.compile(body),
      known: new Set(Object.keys((body as { properties?: object } | undefined)?.properties ?? {})),
    };
  }),
);

type Operate = (request: {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: Record<string, unknown>;
}) => { readonly status: number; readonly data?: unknown; readonly link?: number };

/** GitHub as far as int8-gate talks to it: keeps state, checks requests, has limits, and fails as told. */
export class FakeGitHub {
  readonly comments = new Map<number, FakeComment>();
  readonly checks = new Map<number, FakeCheck>();
  readonly pulls = new Map<number, FakePull>();
  readonly issues = new Map<number, FakeIssue>();
  readonly caches: FakeEntry[] = [];
  readonly seen: Seen[] = [];
  /** What int8-gate asked that GitHub's description does not allow. */
  readonly violations: string[] = [];
  faults: Fault[] = [];
  login = 'github-actions[bot]';
  /** Scopes that the token has. */
  scopes = { comments: true, checks: true, graphql: true, pulls: true, issues: true, actions: true };
  /** Requests left before the primary limit. */
  remaining = Infinity;
  prefix = '';
  private last = 1000;
  private waiting: (() => void)[] = [];
  private server: Server | undefined;

  async start(): Promise<string> {
    this.server = createServer((request, response) => void this.serve(request, response));
    await new Promise<void>((done) => this.server?.listen(0, '127.0.0.1', done));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise<void>((done) => this.server?.close(() => done()));
  }

  /** Puts a comment there, as a person or another run would. */
  say(issue: number, author: string, body: string): FakeComment {
    const comment = { id: ++this.last, issue, author, body };
    this.comments.set(comment.id, comment);
    return comment;
  }

  commentsOn(issue: number): FakeComment[] {
    return [...this.comments.values()].filter((one) => one.issue === issue);
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', 'http://localhost');
    const method = request.method ?? 'GET';
    const seen: Seen = { method, path: url.pathname, status: 0 };
    this.seen.push(seen);
    const answer = (status: number, data: unknown, headers: Record<string, string> = {}): void => {
      seen.status = status;
      const text = status === 204 ? undefined : JSON.stringify(data);
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
    };
    const fault = this.faultOf(method, url.pathname);
    if (fault?.together !== undefined) await this.together(fault.together);
    fault?.before?.(this);
    if (typeof fault?.act === 'number')
      return answer(fault.act, { message: fault.message ?? 'Something went wrong' }, { ...fault.headers });
    if (fault?.act === 'cut') return void request.socket.destroy();
    if (fault?.act === 'hang') return;
    if (this.remaining-- <= 0)
      return answer(
        403,
        { message: 'API rate limit exceeded' },
        { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Math.floor(Date.now() / 1000) + 1) },
      );
    const body = Buffer.concat(chunks).toString();
    const done = this.operate(method, url, body, request.headers.authorization);
    fault?.after?.(this);
    if (fault?.act === 'lost') return void request.socket.destroy();
    if (fault?.act === 'lost-hang') return;
    answer(done.status, done.data, {
      ...(done.link !== undefined && { link: `<${this.pageUrl(request, url, done.link)}>; rel="next"` }),
    });
  }

  private pageUrl(request: IncomingMessage, url: URL, page: number): string {
    const next = new URL(url.pathname + url.search, `http://${request.headers.host ?? ''}`);
    next.searchParams.set('page', String(page));
    return next.href;
  }

  private faultOf(method: string, path: string): Fault | undefined {
    return this.faults.find((one) => {
      if (one.method !== method || !one.path.test(path)) return false;
      if ((one.skip ?? 0) > 0) {
        one.skip = (one.skip ?? 0) - 1;
        return false;
      }
      if (one.times === 0) return false;
      if (one.times !== undefined) one.times--;
      return true;
    });
  }

  /** Holds until `count` requests wait. */
  private together(count: number): Promise<void> {
    return new Promise((go) => {
      this.waiting.push(go);
      if (this.waiting.length < count) return;
      for (const one of this.waiting.splice(0)) one();
    });
  }

  private operate(
    method: string,
    url: URL,
    text: string,
    authorization: string | undefined,
  ): ReturnType<Operate> {
    if (authorization !== 'token secret-token') return { status: 401, data: { message: 'Bad credentials' } };
    if (url.pathname === (this.prefix === '' ? '/graphql' : '/api/graphql')) return this.graphql(text);
    if (!url.pathname.startsWith(`${this.prefix}/repos/octo/signs/`)) return MISSING;
    const path = url.pathname.slice(this.prefix.length);
    for (const one of OPERATIONS) {
      const params = one.method === method ? one.pattern.exec(path)?.groups : undefined;
      if (params === undefined) continue;
      const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
      const query = url.searchParams;
      const wrong = [
        ...(one.query(Object.fromEntries(query)) ? [] : (one.query.errors ?? [])),
        ...(one.params({ ...params }) ? [] : (one.params.errors ?? [])),
        ...(one.body === undefined || one.body(body) ? [] : (one.body.errors ?? [])),
        ...Object.keys(body)
          .filter((key) => !one.known.has(key))
          .map((key) => ({ instancePath: '', message: `has an unknown key ${key}` })),
      ].map(({ instancePath, message }) => `${method} ${path} ${instancePath} ${message ?? ''}`);
      if (wrong.length > 0) {
        this.violations.push(...wrong);
        return { status: 422, data: { message: `Validation Failed: ${wrong.join('; ')}` } };
      }
      const handler = HANDLERS[`${method} ${one.path}`];
      if (handler !== undefined) return handler.call(this, { params, query, body });
    }
    this.violations.push(`${method} ${path}: no such operation`);
    return MISSING;
  }

  private graphql(text: string): ReturnType<Operate> {
    const { query } = JSON.parse(text) as { query: string };
    if (!/^\{ viewer \{ login \} \}$/.test(query)) this.violations.push(`graphql ${query}`);
    return this.scopes.graphql
      ? { status: 200, data: { data: { viewer: { login: this.login } } } }
      : { status: 403, data: { message: 'Resource not accessible by integration' } };
  }

  nextId(): number {
    return ++this.last;
  }
}

const MISSING = { status: 404, data: { message: 'Not Found' } };
const DENIED = { status: 403, data: { message: 'Resource not accessible by integration' } };
/** GitHub takes no longer body, in characters. */
const BODY = 65_536;

function page<T>(all: readonly T[], query: URLSearchParams): { readonly rows: T[]; readonly link?: number } {
  const size = Math.min(100, Number(query.get('per_page') ?? 30));
  const number = Number(query.get('page') ?? 1);
  const rows = all.slice((number - 1) * size, number * size);
  return { rows, ...(number * size < all.length && { link: number + 1 }) };
}

function commentJson({ id, author, body }: FakeComment): object {
  return { id, body, user: { login: author, type: author.endsWith('[bot]') ? 'Bot' : 'User' } };
}

function checkJson(check: FakeCheck): object {
  return {
    id: check.id,
    name: check.name,
    external_id: check.externalId,
    output: { annotations_count: check.annotations.length },
  };
}

function pullJson({ number, head, open }: FakePull): object {
  return { number, state: open ? 'open' : 'closed', head: { sha: head } };
}

function bodyProblem(body: unknown): ReturnType<Operate> | undefined {
  return String(body).length > BODY
    ? {
        status: 422,
        data: { message: `Validation Failed: body is too long (maximum is ${BODY} characters)` },
      }
    : undefined;
}

function issueJson({ number, author, title, body, state }: FakeIssue): object {
  return { id: number, number, title, body, state, user: { login: author } };
}

function outputOf(body: Record<string, unknown>): {
  readonly title: string;
  readonly summary: string;
  readonly annotations: FakeCheck['annotations'];
} {
  const output = (body.output ?? {}) as Record<string, unknown>;
  return {
    title: output.title as string,
    summary: output.summary as string,
    annotations: (output.annotations ?? []) as FakeCheck['annotations'],
  };
}

const HANDLERS: Readonly<
  Record<string, (this: FakeGitHub, request: Parameters<Operate>[0]) => ReturnType<Operate>>
> = {
  'GET /repos/{owner}/{repo}/issues/{issue_number}/comments'({ params, query }) {
    const { rows, link } = page(this.commentsOn(Number(params.issue_number)), query);
    return { status: 200, data: rows.map(commentJson), ...(link !== undefined && { link }) };
  },
  'POST /repos/{owner}/{repo}/issues/{issue_number}/comments'({ params, body }) {
    if (!this.scopes.comments) return DENIED;
    const problem = bodyProblem(body.body);
    if (problem !== undefined) return problem;
    const made = this.say(Number(params.issue_number), this.login, String(body.body));
    return { status: 201, data: commentJson(made) };
  },
  'PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}'({ params, body }) {
    if (!this.scopes.comments) return DENIED;
    const comment = this.comments.get(Number(params.comment_id));
    if (comment === undefined) return MISSING;
    const problem = bodyProblem(body.body);
    if (problem !== undefined) return problem;
    comment.body = String(body.body);
    return { status: 200, data: commentJson(comment) };
  },
  'DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}'({ params }) {
    if (!this.scopes.comments) return DENIED;
    return this.comments.delete(Number(params.comment_id)) ? { status: 204 } : MISSING;
  },
  'GET /repos/{owner}/{repo}/issues'({ query }) {
    const all = [...this.issues.values()].filter(
      ({ author, state }) => state === query.get('state') && (query.get('creator') ?? author) === author,
    );
    const { rows, link } = page(all, query);
    return { status: 200, data: rows.map(issueJson), ...(link !== undefined && { link }) };
  },
  'POST /repos/{owner}/{repo}/issues'({ body }) {
    if (!this.scopes.issues) return DENIED;
    const problem = bodyProblem(body.body);
    if (problem !== undefined) return problem;
    const made = { number: this.nextId(), author: this.login, state: 'open' };
    const issue = { ...made, title: String(body.title), body: String(body.body) };
    this.issues.set(issue.number, issue);
    return { status: 201, data: issueJson(issue) };
  },
  'PATCH /repos/{owner}/{repo}/issues/{issue_number}'({ params, body }) {
    if (!this.scopes.issues) return DENIED;
    const issue = this.issues.get(Number(params.issue_number));
    if (issue === undefined) return MISSING;
    if (typeof body.body === 'string') issue.body = body.body;
    if (typeof body.state === 'string') issue.state = body.state;
    return { status: 200, data: issueJson(issue) };
  },
  'GET /repos/{owner}/{repo}/pulls/{pull_number}'({ params }) {
    const pull = this.pulls.get(Number(params.pull_number));
    if (!this.scopes.pulls) return DENIED;
    return pull === undefined ? MISSING : { status: 200, data: pullJson(pull) };
  },
  'GET /repos/{owner}/{repo}/pulls'({ query }) {
    const all = [...this.pulls.values()].filter(
      ({ from, open }) => from === query.get('head') && (query.get('state') !== 'open' || open),
    );
    const { rows, link } = page(all, query);
    return { status: 200, data: rows.map(pullJson), ...(link !== undefined && { link }) };
  },
  'POST /repos/{owner}/{repo}/check-runs'({ body }) {
    if (!this.scopes.checks) return DENIED;
    const id = this.nextId();
    const check = {
      id,
      sha: String(body.head_sha),
      name: String(body.name),
      externalId: String(body.external_id),
      conclusion: String(body.conclusion),
      detailsUrl: body.details_url as string | undefined,
      ...outputOf(body),
    };
    this.checks.set(id, check);
    return { status: 201, data: checkJson(check) };
  },
  'PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}'({ params, body }) {
    if (!this.scopes.checks) return DENIED;
    const check = this.checks.get(Number(params.check_run_id));
    if (check === undefined) return MISSING;
    check.annotations = [...check.annotations, ...outputOf(body).annotations];
    return { status: 200, data: checkJson(check) };
  },
  'GET /repos/{owner}/{repo}/actions/caches'({ query }) {
    if (!this.scopes.actions) return DENIED;
    const all = this.caches
      .filter(({ ref, key }) => ref === query.get('ref') && key.startsWith(query.get('key') ?? ''))
      .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
    const actions_caches = page(all, query).rows.map(({ createdAt, bytes, ...entry }, id) => ({
      ...entry,
      id,
      created_at: createdAt,
      size_in_bytes: bytes.length,
    }));
    return { status: 200, data: { total_count: all.length, actions_caches } };
  },
  'GET /repos/{owner}/{repo}/commits/{ref}/check-runs'({ params, query }) {
    const all = [...this.checks.values()].filter(
      ({ sha, name }) => sha === params.ref && name === (query.get('check_name') ?? name),
    );
    const { rows, link } = page(all, query);
    return {
      status: 200,
      data: { total_count: all.length, check_runs: rows.map(checkJson) },
      ...(link !== undefined && { link }),
    };
  },
};
