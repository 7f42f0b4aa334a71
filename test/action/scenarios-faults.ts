/** A GitHub that fails, refuses, loses answers, and other runs at the same time. */
import { formatMark, keyOf } from '../../src/github/sticky.js';
import { OLD, REPORTS } from './runner.js';
import { CHECKS, COMMENT, COMMENTS, FAIL, earlier, head, quiet, step, type Scenario } from './scenario.js';

const { findings } = REPORTS.fail;
const many = Array.from({ length: 120 }, (_, i) => ({ ...findings[0]!, sentence: `Cause ${i}.` }));

export const faults: readonly Scenario[] = [
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

export const races: readonly Scenario[] = [
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
