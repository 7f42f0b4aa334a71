import { messageOf, type Problem } from '../faults/index.js';
import {
  COMMENT_BYTES,
  formatComment,
  formatProblemComment,
  shortened,
  terminalText,
  type CommentFrame,
  type Report,
} from '../report/index.js';
import { postCheck } from './check.js';
import { connect, type Annotation, type CheckContent, type GitHub } from './client.js';
import type { Occasion, Surroundings } from './occasion.js';
import type { Manners } from './patience.js';
import { digestOf, formatMark, keyOf, post, type Posted } from './sticky.js';

/** What the workflow wants posted. */
export interface Posting {
  readonly token: string;
  /** Of the check run; also parts the comments of two gates. */
  readonly name: string;
  readonly comment: boolean;
  readonly check: boolean;
  /** Address of the uploaded report, where the workflow knows it. */
  readonly reportUrl: string | undefined;
}

/** What there is to tell: a report, or why there is none. */
export type News =
  | { readonly kind: 'report'; readonly report: Report; readonly annotations: readonly Annotation[] }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

/** How far a comment's numbers can be trusted. */
export interface Caution {
  readonly notes: readonly string[];
  readonly doubt: string | undefined;
}

/** What became of it: sentences for the log, and whether the check run carries the annotations. */
export interface Told {
  readonly said: readonly string[];
  /** Of these a reader of the summary should know: something was asked for and could not be posted. */
  readonly missed: readonly string[];
  readonly checked: boolean;
}

/** Posts the comment and the check run that the occasion has room for. Never throws: a verdict does not depend on it. */
export async function tell(
  news: News,
  occasion: Occasion,
  where: Surroundings,
  posting: Posting,
  manners: Manners,
  caution: Caution = { notes: [], doubt: undefined },
): Promise<Told> {
  const { repository } = where;
  if (posting.token === '' || repository === undefined) return { said: [], missed: [], checked: false };
  try {
    const github = connect(posting.token, { ...where, repository }, manners);
    const check = await tellCheck(github, news, occasion, where, posting, manners);
    const comments = await tellComments(github, news, occasion, where, posting, manners, caution);
    const all = [...(check === undefined ? [] : [wordsOf('The check run', check)]), ...comments];
    return {
      said: all.map(({ text }) => text),
      missed: all.filter(({ missed }) => missed).map(({ text }) => text),
      checked: check?.kind === 'written',
    };
  } catch (error) {
    const text = `Posting ended early: ${messageOf(error)}`;
    return { said: [text], missed: [text], checked: false };
  }
}

interface Word {
  readonly text: string;
  readonly missed: boolean;
}

const SCOPES = { comment: 'pull-requests: write', check: 'checks: write' } as const;

function wordsOf(what: string, posted: Posted): Word {
  switch (posted.kind) {
    case 'written':
      return { text: `${what} was written.`, missed: false };
    case 'unchanged':
      return { text: `${what} says this already.`, missed: false };
    case 'superseded':
      return { text: `${what} is of a newer run and stays.`, missed: false };
    case 'stale':
      return { text: `${what} is left alone: the pull request has moved on.`, missed: false };
    case 'denied': {
      const scope = what === 'The check run' ? SCOPES.check : SCOPES.comment;
      return {
        text: `${what} could not be written: the token may not (${posted.why}). It needs \`${scope}\`; runs for forks and Dependabot never get it. The verdict stands by the job's result.`,
        missed: true,
      };
    }
    case 'failed':
      return {
        text: `${what} could not be written: ${posted.why}. The verdict stands by the job's result.`,
        missed: true,
      };
  }
}

async function tellComments(
  github: GitHub,
  news: News,
  occasion: Occasion,
  where: Surroundings,
  posting: Posting,
  manners: Manners,
  caution: Caution,
): Promise<readonly Word[]> {
  if (!posting.comment || (occasion.kind !== 'pull-request' && occasion.kind !== 'workflow-run')) return [];
  const numbers = await pullsOf(github, occasion);
  if (numbers.length === 0)
    return [{ text: `No open pull request has ${occasion.headSha.slice(0, 9)} as its head.`, missed: false }];
  const words: Word[] = [];
  for (const number of numbers) {
    const mark = {
      key: keyOf(posting.name),
      head: occasion.headSha,
      run: where.runId,
      attempt: where.attempt,
      digest: digestOf(bodyOf(news, { ...PLAIN, ...caution })),
    };
    const body = bodyOf(news, {
      ...PLAIN,
      ...caution,
      marker: formatMark(mark),
      run: runUrl(where, occasion),
      files: posting.reportUrl ?? `${runUrl(where, occasion)}#artifacts`,
      commit: occasion.headSha,
    });
    const posted = await post(github, { number, mark, body, settleMs: manners.settleMs }, manners);
    words.push(wordsOf(`The comment on #${number}`, posted));
  }
  return words;
}

/** A comment's text without what finds it and where it leads. */
const PLAIN: CommentFrame = {
  marker: '',
  run: undefined,
  files: undefined,
  commit: undefined,
  notes: [],
  maxBytes: COMMENT_BYTES,
};

function bodyOf(news: News, frame: CommentFrame): string {
  return news.kind === 'report'
    ? formatComment(news.report, frame)
    : formatProblemComment(news.problems, frame);
}

/** Most pull requests that one branch is told about. */
const MOST_PULLS = 3;

/** The pull requests concerned, by the event or by GitHub's answer, never by anything that a run left behind. */
async function pullsOf(
  github: GitHub,
  occasion: Extract<Occasion, { kind: 'pull-request' | 'workflow-run' }>,
): Promise<readonly number[]> {
  if (occasion.kind === 'pull-request') return [occasion.number];
  if (occasion.numbers.length > 0) return occasion.numbers.slice(0, MOST_PULLS);
  const open = await github.openPulls(occasion.head);
  return open
    .filter(({ headSha }) => headSha === occasion.headSha)
    .map(({ number }) => number)
    .slice(0, MOST_PULLS);
}

function runUrl({ serverUrl, repository, runId, attempt }: Surroundings, occasion: Occasion): string {
  const runs = `${serverUrl}/${repository ?? ''}/actions/runs`;
  if (occasion.kind === 'workflow-run') return `${runs}/${occasion.runId}`;
  return attempt > 1 ? `${runs}/${runId}/attempts/${attempt}` : `${runs}/${runId}`;
}

/** GitHub takes 65,535 characters of a check run's summary. */
const CHECK_BYTES = 60_000;

async function tellCheck(
  github: GitHub,
  news: News,
  occasion: Occasion,
  where: Surroundings,
  posting: Posting,
  manners: Manners,
): Promise<Posted | undefined> {
  // A report from another run is only that run's word: a check made from it could be made to say anything.
  if (!posting.check || occasion.kind === 'workflow-run' || occasion.headSha === '') return undefined;
  const content: CheckContent = {
    name: posting.name,
    externalId: `${where.runId}-${where.attempt}-${keyOf(posting.name)}`,
    detailsUrl: runUrl(where, occasion),
    ...checkWords(news),
  };
  const annotations = news.kind === 'report' ? news.annotations : [];
  return postCheck(github, occasion.headSha, content, annotations, manners);
}

function checkWords(news: News): Pick<CheckContent, 'conclusion' | 'title' | 'summary'> {
  if (news.kind === 'problems')
    return {
      conclusion: 'failure',
      title: 'Not judged',
      summary: formatProblemComment(news.problems, { ...PLAIN, maxBytes: CHECK_BYTES }).trimStart(),
    };
  const { report } = news;
  const { kind, blocks, why } = report.verdict;
  return {
    // Neutral lets a required check pass: only what does not block may have it.
    conclusion: blocks ? 'failure' : kind === 'pass' ? 'success' : 'neutral',
    title: terminalText(shortened(why, 200)),
    summary: formatComment(report, { ...PLAIN, maxBytes: CHECK_BYTES }).trimStart(),
  };
}
