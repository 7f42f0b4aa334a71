/** What makes a workflow run, and reports that another run left. */
import { NEW, OLD, REPORTS, mergeGroup, plain, pullRequest, workflowRun } from './runner.js';
import { earlier, noCheck, quiet, step, times, type Scenario } from './scenario.js';

export const events: readonly Scenario[] = [
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

export const companion: readonly Scenario[] = [
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
