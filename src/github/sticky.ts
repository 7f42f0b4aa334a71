import { createHash } from 'node:crypto';
import { GitHubRefusal, waitBefore, type Comment, type GitHub, type Patience } from './client.js';

/** Who wrote a comment, and about what: stands in its first line. */
export interface Mark {
  /** 12 hexadecimal digits: of two gates in one repository each has its own comment. */
  readonly key: string;
  /** Commit that was judged. */
  readonly head: string;
  readonly run: number;
  readonly attempt: number;
  /** 16 hexadecimal digits of the SHA-256 of what the comment says. */
  readonly digest: string;
}

const MARK =
  /^<!-- int8-gate:([0-9a-f]{12}) head=([0-9a-f]{40,64}) run=(\d{1,15})\.(\d{1,6}) says=([0-9a-f]{16}) -->/;

export function keyOf(name: string): string {
  return digestOf(name).slice(0, 12);
}

/** 16 hexadecimal digits of a text's SHA-256. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

export function formatMark({ key, head, run, attempt, digest }: Mark): string {
  return `<!-- int8-gate:${key} head=${head} run=${run}.${attempt} says=${digest} -->`;
}

/** The mark of a comment; undefined when it has none in its first line. */
export function markOf(body: string): Mark | undefined {
  const found = MARK.exec(body);
  if (found === null) return undefined;
  const [, key = '', head = '', run = '', attempt = '', digest = ''] = found;
  return { key, head, run: Number(run), attempt: Number(attempt), digest };
}

/** What to do next so that there is one comment, and it tells of the newest head. */
export type Step =
  | { readonly kind: 'create' }
  | { readonly kind: 'update'; readonly id: number }
  | { readonly kind: 'delete'; readonly id: number }
  /** Nothing is left to do, and why. */
  | { readonly kind: 'rest'; readonly why: 'written' | 'unchanged' | 'superseded' | 'stale' };

/**
 * The next step. Every run that follows these steps ends with the same single comment, in whatever order several runs
 * take them: the oldest comment stays, it tells of the newest run for the pull request's head, the others are removed by
 * the run that wins, and a run that loses removes only what it wrote itself beside an older comment.
 * @param found - comments of ours with our key, oldest first
 * @param head - the pull request's head now
 */
export function nextStep(found: readonly Comment[], mine: Mark, head: string): Step {
  const marked = found.flatMap((comment) => {
    const mark = markOf(comment.body);
    return mark === undefined ? [] : [{ comment, mark }];
  });
  const [first, ...others] = marked;
  const own = others.find(({ mark }) => mark.run === mine.run && mark.attempt === mine.attempt);
  const loses =
    head !== mine.head
      ? 'stale'
      : marked.some(({ mark }) => mark.head === head && newer(mark, mine))
        ? 'superseded'
        : undefined;
  if (loses !== undefined)
    return own === undefined ? { kind: 'rest', why: loses } : { kind: 'delete', id: own.comment.id };
  if (first === undefined) return { kind: 'create' };
  const same = first.mark.head === mine.head && first.mark.digest === mine.digest;
  const written = first.mark.run === mine.run && first.mark.attempt === mine.attempt;
  if (!same) return { kind: 'update', id: first.comment.id };
  const extra = others.at(-1);
  if (extra !== undefined) return { kind: 'delete', id: extra.comment.id };
  return { kind: 'rest', why: written ? 'written' : 'unchanged' };
}

function newer(a: Mark, b: Mark): boolean {
  return a.run === b.run ? a.attempt > b.attempt : a.run > b.run;
}

/** How posting ended. None of these changes a verdict. */
export type Posted =
  | { readonly kind: 'written' | 'unchanged' | 'superseded' | 'stale' }
  | { readonly kind: 'denied' | 'failed'; readonly why: string };

export interface StickyInput {
  readonly number: number;
  readonly mark: Mark;
  readonly body: string;
  /** Wait after a write before looking whether another run wrote at the same time, in milliseconds. */
  readonly settleMs: number;
}

/** Steps after which something is wrong that more steps do not mend. */
const MOST_STEPS = 25;

/**
 * Brings the pull request to one comment with our key. Each write is followed by reading again, so that an answer that
 * got lost, a comment that vanished and another run at the same time all end the same way.
 */
export async function post(github: GitHub, input: StickyInput, patience: Patience): Promise<Posted> {
  let [failures, waited, wrote] = [0, false, false];
  let login: Promise<string> | undefined;
  const me = (): Promise<string> => (login ??= loginOf(github));
  for (let taken = 0; taken < MOST_STEPS; taken++) {
    try {
      const step = nextStep(await ours(github, input, me), input.mark, await headOf(github, input));
      if (step.kind === 'rest') {
        if (!wrote || waited) return { kind: step.why };
        await patience.sleep(input.settleMs);
        waited = true;
        continue;
      }
      wrote = true;
      await take(github, step, input);
      failures = 0;
    } catch (error) {
      if (!(error instanceof GitHubRefusal)) throw error;
      const { refusal } = error;
      if (refusal.kind === 'denied') return { kind: 'denied', why: refusal.why };
      if (refusal.kind === 'refused') return { kind: 'failed', why: refusal.why };
      if (++failures >= patience.tries) return { kind: 'failed', why: refusal.why };
      await waitBefore(patience, failures, refusal.kind === 'unclear' ? refusal.waitMs : undefined);
    }
  }
  return { kind: 'failed', why: 'other runs kept changing the comment' };
}

async function take(
  github: GitHub,
  step: Exclude<Step, { kind: 'rest' }>,
  { number, body }: StickyInput,
): Promise<void> {
  if (step.kind === 'create') return github.createComment(number, body);
  if (step.kind === 'update') return github.updateComment(step.id, body);
  return github.deleteComment(step.id);
}

/** Comments with our key that the token's own login wrote: anybody can paste a mark. Asked only when there is a mark. */
async function ours(
  github: GitHub,
  { number, mark }: StickyInput,
  me: () => Promise<string>,
): Promise<readonly Comment[]> {
  const marked = (await github.comments(number)).filter(({ body }) => markOf(body)?.key === mark.key);
  if (marked.length === 0) return [];
  const login = await me();
  return marked.filter(({ author }) => author === login);
}

/** The login that GITHUB_TOKEN writes as; other tokens know theirs. */
const ACTIONS = 'github-actions[bot]';

async function loginOf(github: GitHub): Promise<string> {
  try {
    return await github.whoami();
  } catch (error) {
    // A token that may not ask who it is: the runner's own, unless someone made another.
    if (error instanceof GitHubRefusal) return ACTIONS;
    throw error;
  }
}

/** The head of the pull request now; a token that may not read it leaves the event's word. */
async function headOf(github: GitHub, { number, mark }: StickyInput): Promise<string> {
  try {
    return await github.pullHead(number);
  } catch (error) {
    if (error instanceof GitHubRefusal && (error.refusal.kind === 'denied' || error.refusal.kind === 'gone'))
      return mark.head;
    throw error;
  }
}
