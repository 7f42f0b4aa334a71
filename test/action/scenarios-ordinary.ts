/** One run and a GitHub that works. */
import type { Report } from '../../src/report/index.js';
import { NEW, REPORTS } from './runner.js';
import {
  BOT,
  COMMENTS,
  FAIL,
  PASS,
  earlier,
  noCheck,
  quiet,
  step,
  times,
  type Scenario,
} from './scenario.js';

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

export const ordinary: readonly Scenario[] = [
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
