import { GitHubRefusal, waitBefore, type GitHub, type Issue, type Patience } from './client.js';
import { digestOf } from './sticky.js';

const MARK = /^<!-- int8-gate-audit:([0-9a-f]{12}) says=([0-9a-f]{16}) -->/;

/** First line of the issue: which audit it is of, and what it says. */
export function formatIssueMark(key: string, says: string): string {
  return `<!-- int8-gate-audit:${key} says=${digestOf(says)} -->`;
}

/** What an audit wants of its issue. */
export interface IssueInput {
  /** 12 hexadecimal digits: each settings file has its own issue. */
  readonly key: string;
  readonly title: string;
  /** What is wrong; undefined when nothing is, and an open issue is closed. */
  readonly problem: string | undefined;
  /** What is said when it is closed. */
  readonly solved: string;
}

/** What to do next so that there is one open issue while there is a problem, and none otherwise. */
export type IssueStep =
  | { readonly kind: 'create' }
  | { readonly kind: 'update'; readonly number: number }
  | { readonly kind: 'close'; readonly number: number; readonly why: 'solved' | 'double' }
  | { readonly kind: 'rest' };

/**
 * The next step. The oldest open issue stays; others with the same key, which a lost answer or a second run left, are
 * closed.
 * @param open - open issues of ours with our key, oldest first
 */
export function nextIssueStep(open: readonly Issue[], { problem }: IssueInput): IssueStep {
  const [first, ...others] = open;
  if (problem === undefined)
    return first === undefined ? { kind: 'rest' } : { kind: 'close', number: first.number, why: 'solved' };
  if (first === undefined) return { kind: 'create' };
  const extra = others.at(-1);
  if (extra !== undefined) return { kind: 'close', number: extra.number, why: 'double' };
  const says = MARK.exec(first.body)?.[2];
  return says === digestOf(problem) ? { kind: 'rest' } : { kind: 'update', number: first.number };
}

/** Steps after which something is wrong that more steps do not mend. */
const MOST_STEPS = 20;

/** Brings the repository's issues to what the audit found. @returns a sentence for the log; a failure changes no verdict */
export async function keepIssue(github: GitHub, input: IssueInput, patience: Patience): Promise<string> {
  let failures = 0;
  let done = 'Its issue says this already.';
  for (let taken = 0; taken < MOST_STEPS; taken++) {
    try {
      const step = nextIssueStep(await ours(github, input), input);
      if (step.kind === 'rest')
        return input.problem === undefined && taken === 0 ? 'No issue is open.' : done;
      done = await take(github, step, input);
      failures = 0;
    } catch (error) {
      if (!(error instanceof GitHubRefusal)) throw error;
      const { refusal } = error;
      if (refusal.kind === 'denied')
        return `The issue could not be written: the token may not (${refusal.why}). It needs \`issues: write\`.`;
      if (refusal.kind === 'refused') return `The issue could not be written: ${refusal.why}.`;
      if (++failures >= patience.tries) return `The issue could not be written: ${refusal.why}.`;
      await waitBefore(patience, failures, refusal.kind === 'unclear' ? refusal.waitMs : undefined);
    }
  }
  return 'The issue could not be written: other runs kept changing it.';
}

async function take(
  github: GitHub,
  step: Exclude<IssueStep, { kind: 'rest' }>,
  { key, title, problem = '', solved }: IssueInput,
): Promise<string> {
  const body = `${formatIssueMark(key, problem)}\n${problem}`;
  switch (step.kind) {
    case 'create':
      await github.createIssue(title, body);
      return 'An issue was opened.';
    case 'update':
      await github.updateIssue(step.number, { body });
      return 'The issue was brought up to date.';
    case 'close':
      if (step.why === 'solved') await github.createComment(step.number, solved);
      await github.updateIssue(step.number, { state: 'closed' });
      return step.why === 'solved' ? 'The issue was closed.' : 'The issue is there once.';
  }
}

/** Open issues with our key that a program wrote: anybody can paste a mark, but not as a bot of this repository. */
async function ours(github: GitHub, { key }: IssueInput): Promise<readonly Issue[]> {
  const login = await github.whoami().catch((error: unknown) => {
    // A token that may not ask who it is: the runner's own, unless someone made another.
    if (error instanceof GitHubRefusal) return 'github-actions[bot]';
    throw error;
  });
  const all = await github.openIssues(login);
  return all.filter(({ body }) => MARK.exec(body)?.[1] === key);
}
