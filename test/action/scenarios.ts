/** What can happen between a run and GitHub, as a table. */
import type { Report } from '../../src/report/index.js';
import { formatMark, keyOf } from '../../src/github/sticky.js';
import { FakeGitHub, type Fault } from './fake-github.js';
import { NEW, OLD, REPORTS, mergeGroup, plain, pullRequest, workflowRun, type Step } from './runner.js';

export interface Scenario {
  readonly name: string;
  /** Runs at the same time; one for `NEW` by a pull request when left out. */
  readonly steps?: readonly Step[];
  /** `report.json` in the folder; a text is written as it is, null writes none. */
  readonly report?: Report | string | null;
  /** GitHub as it is before; pull request 7 with head `NEW` is there. */
  readonly github?: (github: FakeGitHub) => void;
  readonly faults?: readonly Fault[];
  readonly expect: Expected;
}

export interface Expected {
  /** Exit status, of each run. 0 when left out. */
  readonly status?: number | readonly number[];
  /** Comments of ours on #7 in the end; `[/PASS/]` when left out. */
  readonly comments?: readonly RegExp[];
  /** Conclusions of check runs; `['success']` when left out. */
  readonly checks?: readonly string[];
  readonly annotations?: number;
  readonly says?: RegExp;
  readonly never?: RegExp;
  readonly summary?: RegExp;
  /** Requests that write: POST, PATCH, DELETE. */
  readonly writes?: number;
  /** All requests. */
  readonly calls?: number;
  readonly also?: (github: FakeGitHub) => boolean;
}

const BOT = 'github-actions[bot]';
const COMMENTS = /\/issues\/7\/comments$/;
const COMMENT = /\/issues\/comments\/\d+$/;
const CHECKS = /\/check-runs/;
const PASS = /## ✅ int8-gate: PASS/;
const FAIL = /## ❌ int8-gate: FAIL/;
const noCheck = { check: 'false' };
const step = (inputs: Record<string, string> = {}, more: Partial<Step> = {}): Step => ({
  event: pullRequest(NEW),
  ...more,
  inputs,
});
const quiet = step(noCheck);
const times = (count: number, text: string): string => Array.from({ length: count }, () => text).join('');

/** A comment as an earlier run left it. */
export function earlier(
  github: FakeGitHub,
  { head = OLD, run = 90, attempt = 1, name = 'int8-gate', author = BOT, text = 'earlier' } = {},
): number {
  const mark = formatMark({ key: keyOf(name), head, run, attempt, digest: '0'.repeat(16) });
  return github.say(7, author, `${mark}\n${text}`).id;
}

const head = (github: FakeGitHub, sha: string): void =>
  void github.pulls.set(7, { number: 7, head: sha, from: 'eve:feature', open: true });

const { findings } = REPORTS.fail;
const many = Array.from({ length: 120 }, (_, i) => ({ ...findings[0]!, sentence: `Cause ${i}.` }));
const layer = REPORTS.fail.sensitivity!.layers[0]!;
const HOSTILE =
  '\n::error::pwned\n##[error]x @everyone <img src=x onerror=y>|`](javascript:x) #1 \u202e\u001b[2J';
const hostile: Report = {
  ...REPORTS.fail,
  model: { ...REPORTS.fail.model, file: HOSTILE },
  findings: [{ ...findings[0]!, subject: HOSTILE, sentence: HOSTILE, advice: HOSTILE, layers: [HOSTILE] }],
  sensitivity: { images: 8, layers: [{ ...layer, name: HOSTILE, opType: HOSTILE, cause: HOSTILE }] },
  verdict: { ...REPORTS.fail.verdict, why: HOSTILE, todo: [HOSTILE] },
};

const ordinary: readonly Scenario[] = [
  { name: 'a pass is one comment and one check', expect: { comments: [PASS], checks: ['success'] } },
  {
    name: 'a failure blocks, in comment, check and status',
    report: REPORTS.fail,
    expect: { status: 1, comments: [FAIL], checks: ['failure'], annotations: 5 },
  },
  {
    name: 'what is undecided and blocks is a failed check, not a neutral one',
    report: REPORTS.inconclusive,
    expect: { status: 1, comments: [/INCONCLUSIVE/], checks: ['failure'] },
  },
  {
    name: 'what is undecided and allowed is neutral',
    report: REPORTS.allowed,
    expect: { comments: [/INCONCLUSIVE/], checks: ['neutral'] },
  },
  {
    name: 'a newer head edits the comment in place',
    github: (github) => void earlier(github),
    expect: { comments: [PASS], also: ({ comments }) => [...comments.keys()][0] === 1001 },
  },
  {
    name: 'links lead to the server of the run',
    expect: { comments: [/https:\/\/github\.example\/octo\/signs\/actions\/runs\/100\)/] },
  },
  {
    name: 'the report is linked where the workflow knows it',
    steps: [step({ 'report-url': 'https://github.example/octo/signs/actions/runs/100/artifacts/5' })],
    expect: {
      comments: [/\[report\]\(https:\/\/github\.example\/octo\/signs\/actions\/runs\/100\/artifacts\/5\)/],
    },
  },
  {
    name: 'an address that would end the link early is refused',
    steps: [step({ 'report-url': 'https://x.y/) @everyone' })],
    expect: { status: 2, comments: [], checks: [], calls: 0 },
  },
  { name: 'without comment', steps: [step({ comment: 'false' })], expect: { comments: [], calls: 1 } },
  { name: 'without check', steps: [quiet], expect: { checks: [], writes: 1 } },
  {
    name: 'without token GitHub is not asked anything',
    steps: [step({ token: '' })],
    expect: { comments: [], checks: [], calls: 0 },
  },
  {
    name: 'with neither comment nor check GitHub is not asked anything',
    steps: [step({ comment: 'false', ...noCheck })],
    expect: { comments: [], checks: [], calls: 0 },
  },
  {
    name: 'two gates have two comments and two checks',
    steps: [step({ name: 'yolo' }, { run: 100 }), step({ name: 'detr' }, { run: 101 })],
    expect: { status: [0, 0], comments: [PASS, PASS], checks: ['success', 'success'] },
  },
  {
    name: 'another settings file has a comment of its own',
    steps: [step({ config: 'other.yml', ...noCheck })],
    github: (github) => void earlier(github),
    expect: { comments: [/earlier/, PASS], checks: [] },
  },
  {
    name: 'its comment is found behind 250 others',
    github: (github) => {
      for (let i = 0; i < 250; i++) github.say(7, 'ada', `No ${i}`);
      earlier(github);
    },
    steps: [quiet],
    expect: { checks: [], writes: 1 },
  },
  {
    name: 'a mark that a person pasted is not ours',
    github: (github) => void earlier(github, { author: 'mallory', head: NEW, run: 999 }),
    expect: { also: (github) => github.commentsOn(7).some(({ author }) => author === 'mallory') },
  },
  {
    name: 'nor one of another app',
    github: (github) => void earlier(github, { author: 'other[bot]' }),
    steps: [quiet],
    expect: { checks: [], also: (github) => github.commentsOn(7).length === 2 },
  },
  {
    name: 'a mark that is quoted further down is not ours',
    github: (github) => {
      const id = earlier(github);
      const comment = github.comments.get(id)!;
      comment.body = `> quoted\n${comment.body}`;
    },
    expect: { comments: [/quoted/, PASS] },
  },
  {
    name: 'the token of a person edits what that person wrote',
    github: (github) => {
      github.login = 'robot';
      earlier(github, { author: 'robot' });
    },
    expect: { comments: [PASS] },
  },
  {
    name: "a token that may not ask who it is is taken for the runner's",
    github: (github) => {
      github.scopes.graphql = false;
      earlier(github);
    },
    expect: { comments: [PASS] },
  },
  {
    name: 'duplicates that are there already are removed, the oldest stays',
    github: (github) => {
      for (let i = 0; i < 3; i++) earlier(github, { run: 90 + i });
    },
    expect: { comments: [PASS], also: ({ comments }) => [...comments.keys()][0] === 1001 },
  },
  {
    name: 'a report with 3,000 layers and long names keeps below the limit',
    report: {
      ...REPORTS.fail,
      sensitivity: {
        images: 8,
        layers: Array.from({ length: 3000 }, (_, i) => ({
          ...layer,
          rank: i + 1,
          name: `${i}${times(500, '|<')}`,
        })),
      },
    },
    expect: { status: 1, comments: [FAIL], checks: ['failure'] },
  },
  {
    name: 'names command nothing, mention nobody and break no table',
    report: hostile,
    expect: {
      status: 1,
      comments: [/^(?![^]*(@everyone|<img|\]\(javascript|\u202e|\u001b))[^]*pwned/],
      checks: ['failure'],
      never: /^\s*::error::pwned|^##\[/m,
    },
  },
  {
    name: 'annotations go out 50 at a time',
    report: { ...REPORTS.fail, findings: many },
    steps: [step({ comment: 'false' })],
    expect: { status: 1, comments: [], checks: ['failure'], annotations: 122, calls: 3 },
  },
  {
    name: 'the same report again for the same head writes no comment again',
    steps: [quiet, { ...quiet, run: 101 }],
    faults: [{ method: 'POST', path: COMMENTS, after: (github) => void (github.login = BOT) }],
    expect: { status: [0, 0], checks: [] },
  },
];

const events: readonly Scenario[] = [
  ...([REPORTS.pass, REPORTS.fail] as const).map((report): Scenario => ({
    name: `a fork can only read: summary and status say it all (${report.verdict.kind})`,
    report,
    steps: [step({}, { event: pullRequest(NEW, { from: 'eve/signs' }) })],
    github: ({ scopes }) => Object.assign(scopes, { comments: false, checks: false }),
    expect: {
      status: report.verdict.blocks ? 1 : 0,
      comments: [],
      checks: [],
      summary: /could not be written: the token may not[^]*pull-requests: write/,
      says: /::notice title=int8-gate::The comment on #7 could not be written/,
    },
  })),
  {
    name: 'a fork that was deleted is a fork',
    steps: [step({}, { event: pullRequest(NEW, { from: null }) })],
    github: ({ scopes }) => Object.assign(scopes, { comments: false, checks: false }),
    expect: { comments: [], checks: [] },
  },
  {
    name: 'pull_request_target refuses to run what the pull request holds',
    steps: [step({ mode: 'gate' }, { event: pullRequest(NEW, { name: 'pull_request_target' }) })],
    expect: {
      status: 2,
      comments: [],
      checks: [],
      calls: 0,
      says: /with the token and the secrets of the base/,
    },
  },
  {
    name: 'pull_request_target may post a report',
    steps: [step({}, { event: pullRequest(NEW, { name: 'pull_request_target' }) })],
    expect: {},
  },
  {
    name: 'a merge queue has a check and no comment',
    steps: [step({}, { event: mergeGroup(OLD) })],
    expect: { comments: [], also: ({ checks }) => [...checks.values()][0]?.sha === OLD },
  },
  ...['push', 'schedule', 'workflow_dispatch'].map((event): Scenario => ({
    name: `${event} has a check on its commit and no comment`,
    steps: [step({}, { event: plain(event) })],
    expect: { comments: [], calls: 1, also: ({ checks }) => [...checks.values()][0]?.sha === NEW },
  })),
  {
    name: 'a pull request without number is no event of GitHub',
    steps: [step({}, { event: pullRequest(NEW, { number: '7; rm -rf /' }) })],
    expect: { status: 2, comments: [], checks: [], calls: 0, says: /pull_request\.number is no number/ },
  },
  {
    name: 'a head that is no commit is refused',
    steps: [step({}, { event: pullRequest('../../x') })],
    expect: { status: 2, comments: [], checks: [], calls: 0 },
  },
  {
    name: 'GitHub Enterprise: API below /api/v3',
    github: (github) => {
      github.prefix = '/api/v3';
      earlier(github);
    },
    expect: {},
  },
  {
    name: 'a re-run takes over its own comment',
    steps: [step(noCheck, { attempt: 2 })],
    github: (github) => void earlier(github, { head: NEW, run: 100, attempt: 1 }),
    expect: { checks: [], comments: [/run=100\.2[^]*PASS/] },
  },
  {
    name: 'a re-run for a head that is gone leaves the newer comment',
    steps: [step(noCheck, { event: pullRequest(OLD), attempt: 2 })],
    github: (github) => void earlier(github, { head: NEW, run: 200 }),
    expect: { checks: [], comments: [/earlier/], writes: 0, says: /the pull request has moved on/ },
  },
  {
    name: 'an older run of the same head that ends late leaves the newer comment',
    steps: [quiet],
    github: (github) => void earlier(github, { head: NEW, run: 200 }),
    expect: { checks: [], comments: [/earlier/], says: /is of a newer run and stays/ },
  },
];

const companion: readonly Scenario[] = [
  {
    name: 'workflow_run finds the pull request of a fork by its head, and writes no check',
    report: REPORTS.fail,
    steps: [step({}, { event: workflowRun(NEW) })],
    expect: {
      comments: [/FAIL[^]*can change what it reports[^]*runs\/4242\)/],
      checks: [],
      also: ({ seen }) => seen.some(({ path }) => path.endsWith('/pulls')),
    },
  },
  {
    name: 'workflow_run of a branch of the repository has its number',
    steps: [
      step({}, { event: workflowRun(NEW, { from: 'octo/signs', numbers: [7], conclusion: 'success' }) }),
    ],
    expect: { checks: [], also: ({ seen }) => !seen.some(({ path }) => path.endsWith('/pulls')) },
  },
  {
    name: 'workflow_run for a head that is gone posts nothing',
    steps: [step({}, { event: workflowRun(OLD) })],
    expect: { comments: [], checks: [], writes: 0, says: /No open pull request/ },
  },
  {
    name: 'workflow_run for a closed pull request posts nothing',
    steps: [step({}, { event: workflowRun(NEW) })],
    github: (github) => void (github.pulls.get(7)!.open = false),
    expect: { comments: [], checks: [], writes: 0 },
  },
  {
    name: 'workflow_run tells every pull request of the branch',
    steps: [step({}, { event: workflowRun(NEW, { conclusion: 'success' }) })],
    github: (github) => void github.pulls.set(8, { number: 8, head: NEW, from: 'eve:feature', open: true }),
    expect: { checks: [], also: (github) => github.commentsOn(8).length === 1 },
  },
  {
    name: 'workflow_run of a push posts nothing',
    steps: [step({}, { event: workflowRun(NEW, { event: 'push' }) })],
    expect: { comments: [], checks: [], calls: 0 },
  },
  {
    name: 'a report that says pass where its run failed is not called a pass',
    steps: [step({}, { event: workflowRun(NEW, { conclusion: 'failure' }) })],
    expect: {
      comments: [/## ⚠️ int8-gate: the report says pass, and its run ended with failure/],
      checks: [],
    },
  },
  {
    name: 'workflow_run of a pull request refuses to judge',
    steps: [step({ mode: 'gate' }, { event: workflowRun(NEW) })],
    expect: {
      status: 2,
      comments: [],
      checks: [],
      calls: 0,
      says: /with the token and the secrets of the base/,
    },
  },
  ...(
    [
      ['without a report', null, /there is no report/],
      ['that is no JSON', '{"schema":', /is no JSON/],
      ['of something else', '{"number":8}', /is no report of int8-gate/],
      [
        'of another shape',
        JSON.stringify({ ...REPORTS.pass, verdict: 'pass' }),
        /is no report that can be compared/,
      ],
      ['without end', times(33, times(2 ** 20, ' ')), /at most 33554432 are read/],
      ['that is a link', 'LINK', /cannot be read \(ELOOP\)/],
      ['that is a folder', 'FOLDER', /is no regular file/],
    ] as const
  ).map(([what, report, says]): Scenario => ({
    name: `an artifact ${what} is told, and never a pass`,
    report,
    steps: [step({}, { event: workflowRun(NEW, { conclusion: 'success' }) })],
    expect: { status: 2, comments: [/NOT JUDGED/], checks: [], says, never: /root:/ },
  })),
  {
    name: 'an artifact cannot choose the pull request',
    report: JSON.stringify({
      ...REPORTS.pass,
      number: 8,
      pull_request: { number: 8 },
      __proto__: { number: 8 },
    }),
    steps: [step({}, { event: workflowRun(NEW, { conclusion: 'success' }) })],
    github: (github) => void github.pulls.set(8, { number: 8, head: OLD, from: 'octo:other', open: true }),
    expect: { checks: [], also: (github) => github.commentsOn(8).length === 0 },
  },
  {
    name: 'a report outside the workspace is refused',
    steps: [step({ 'report-folder': '../..' })],
    expect: { status: 2, comments: [], checks: [], calls: 0, says: /lies outside the workspace/ },
  },
];

const faults: readonly Scenario[] = [
  {
    name: '502 twice while reading',
    faults: [{ method: 'GET', path: COMMENTS, times: 2, act: 502 }],
    expect: {},
  },
  {
    name: '500 without end while reading is told, and the verdict stands',
    faults: [{ method: 'GET', path: COMMENTS, act: 500 }],
    expect: {
      comments: [],
      says: /The comment on #7 could not be written: 500/,
      summary: /The verdict stands/,
    },
  },
  {
    name: '500 without end while reading does not turn a failure into anything else',
    report: REPORTS.fail,
    faults: [
      { method: 'GET', path: COMMENTS, act: 500 },
      { method: 'POST', path: CHECKS, act: 503 },
    ],
    expect: {
      status: 1,
      comments: [],
      checks: [],
      says: /::error title=int8-gate,file=int8-gate\.yml,line=10::/,
    },
  },
  ...(
    [
      ['429', { act: 429, headers: { 'retry-after': '1' } }],
      [
        'a secondary limit with Retry-After',
        { act: 403, headers: { 'retry-after': '1' }, message: 'You have exceeded a secondary rate limit' },
      ],
      ['a secondary limit without', { act: 403, message: 'You have exceeded a secondary rate limit' }],
      [
        'the primary limit',
        {
          act: 403,
          headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' },
          message: 'API rate limit exceeded',
        },
      ],
      ['500', { act: 500 }],
      ['a line cut before it acts', { act: 'cut' }],
      ['a line cut after it acted', { act: 'lost' }],
      ['no answer after it acted', { act: 'lost-hang' }],
      ['no answer', { act: 'hang' }],
    ] as const
  ).flatMap(([what, fault]): Scenario[] => [
    {
      name: `${what} when the comment is created: one comment in the end`,
      steps: [quiet],
      faults: [{ method: 'POST', path: COMMENTS, times: 1, ...fault }],
      expect: { checks: [], never: /could not/ },
    },
    {
      name: `${what} when the check is created: one check in the end, every annotation once`,
      report: { ...REPORTS.fail, findings: many },
      steps: [step({ comment: 'false' })],
      faults: [{ method: 'POST', path: CHECKS, times: 1, ...fault }],
      expect: { status: 1, comments: [], checks: ['failure'], annotations: 122 },
    },
  ]),
  ...(['lost', 'lost-hang', 'cut', 500] as const).flatMap((act): Scenario[] => [
    {
      name: `${act} when the comment is edited`,
      steps: [quiet],
      github: (github) => void earlier(github),
      faults: [{ method: 'PATCH', path: COMMENT, times: 1, act }],
      expect: { checks: [] },
    },
    {
      name: `${act} when annotations are added: each once`,
      report: { ...REPORTS.fail, findings: many },
      steps: [step({ comment: 'false' })],
      faults: [{ method: 'PATCH', path: CHECKS, times: 1, act }],
      expect: { status: 1, comments: [], checks: ['failure'], annotations: 122 },
    },
  ]),
  {
    name: 'an answer lost when a duplicate is removed',
    steps: [quiet],
    github: (github) => void (earlier(github), earlier(github)),
    faults: [{ method: 'DELETE', path: COMMENT, times: 1, act: 'lost' }],
    expect: { checks: [] },
  },
  {
    name: 'every second answer lost',
    github: (github) => void (earlier(github), earlier(github)),
    faults: [
      { method: 'GET', path: COMMENTS, times: 1, act: 'lost' },
      { method: 'PATCH', path: COMMENT, times: 1, act: 'lost' },
      { method: 'DELETE', path: COMMENT, times: 1, act: 'lost' },
      { method: 'POST', path: CHECKS, times: 1, act: 'lost' },
    ],
    expect: {},
  },
  {
    name: 'a token for comments only',
    report: REPORTS.fail,
    github: ({ scopes }) => void (scopes.checks = false),
    expect: {
      status: 1,
      comments: [FAIL],
      checks: [],
      says: /needs `checks: write`[^]*::error title=int8-gate,file=int8-gate\.yml/,
    },
  },
  {
    name: 'a token for checks only',
    github: ({ scopes }) => void (scopes.comments = false),
    expect: { comments: [], says: /needs `pull-requests: write`/ },
  },
  {
    name: "a token that may not read the pull request leaves the event's word for its head",
    github: ({ scopes }) => void (scopes.pulls = false),
    expect: {},
  },
  {
    name: 'a comment that GitHub does not take is not tried again',
    steps: [quiet],
    faults: [{ method: 'POST', path: COMMENTS, act: 422, message: 'Validation Failed' }],
    expect: { comments: [], checks: [], writes: 1, says: /could not be written: 422/ },
  },
  {
    name: 'a conversation that is locked is told',
    steps: [quiet],
    faults: [
      {
        method: 'POST',
        path: COMMENTS,
        act: 403,
        message: 'Unable to create comment because issue is locked.',
      },
    ],
    expect: { comments: [], checks: [], writes: 1, says: /issue is locked/ },
  },
  {
    name: 'a token that is wrong',
    steps: [step({ token: 'other-token' })],
    expect: { comments: [], checks: [], says: /401/, never: /other-token/ },
  },
  {
    name: 'an API that cannot be reached',
    report: REPORTS.fail,
    steps: [step({}, { env: { GITHUB_API_URL: 'http://127.0.0.1:9' } })],
    expect: { status: 1, comments: [], checks: [], calls: 0, says: /The verdict stands/ },
  },
];

const races: readonly Scenario[] = [
  {
    name: 'two runs of one head create at the same time: one comment stays, of the newer run',
    steps: [quiet, { ...quiet, run: 101 }],
    faults: [{ method: 'POST', path: COMMENTS, times: 2, together: 2 }],
    expect: { status: [0, 0], checks: [] },
  },
  {
    name: 'three at the same time',
    steps: [quiet, { ...quiet, run: 101 }, { ...quiet, run: 102 }],
    faults: [{ method: 'POST', path: COMMENTS, times: 3, together: 3 }],
    expect: { status: [0, 0, 0], checks: [] },
  },
  {
    name: 'the head moves while the comment is created: it stays, for the newer run to edit',
    steps: [quiet],
    faults: [{ method: 'POST', path: COMMENTS, times: 1, after: (github) => head(github, OLD) }],
    expect: { checks: [], writes: 1, says: /the pull request has moved on/ },
  },
  {
    name: 'the head moves while the comment is created: what was written is removed beside that of the newer run',
    steps: [quiet],
    faults: [
      {
        method: 'POST',
        path: COMMENTS,
        times: 1,
        before: (github) => {
          head(github, OLD);
          earlier(github, { head: OLD, run: 300 });
        },
      },
    ],
    expect: { checks: [], comments: [/run=300\.1/] },
  },
  ...[0, 1].map((late): Scenario => ({
    name: `two runs edit at the same time, the ${late === 0 ? 'newer' : 'older'} one last: the newer stays`,
    steps: [
      { ...quiet, run: 100 },
      { ...quiet, run: 101 },
    ].map((one, i) => (i === late ? one : { ...one, env: { INT8_GATE_PATIENCE: '0.05' } })),
    github: (github) => void earlier(github),
    faults: [{ method: 'PATCH', path: COMMENT, times: 2, together: 2 }],
    expect: { status: [0, 0], checks: [] },
  })),
  {
    name: 'the comment is removed while it is edited: it is made anew',
    steps: [quiet],
    github: (github) => void earlier(github),
    faults: [{ method: 'PATCH', path: COMMENT, times: 1, before: ({ comments }) => comments.clear() }],
    expect: { checks: [] },
  },
  {
    name: 'an older run writes over the comment before it is looked at again: it is mended',
    steps: [quiet],
    github: (github) => void earlier(github),
    faults: [
      {
        method: 'PATCH',
        path: COMMENT,
        times: 1,
        after: ({ comments }) => {
          const mark = formatMark({
            key: keyOf('int8-gate'),
            head: OLD,
            run: 50,
            attempt: 1,
            digest: '1'.repeat(16),
          });
          for (const one of comments.values()) one.body = `${mark}\nolder`;
        },
      },
    ],
    expect: { checks: [], writes: 2 },
  },
];

export const SCENARIOS: readonly Scenario[] = [...ordinary, ...events, ...companion, ...faults, ...races];
