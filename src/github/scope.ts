import { readPayload } from './occasion.js';

/** Which entries of the cache a run may believe, and whether others may believe what it saves. */
export interface Scope {
  /** The ref whose entries GitHub looks at first, and under which it saves. */
  readonly own: string;
  /** Refs whose entries were saved by runs of code that was merged. */
  readonly trusted: readonly string[];
  readonly saves: boolean;
}

/** Events of the default branch that bring no text or code of a pull request along. */
const OF_THE_BRANCH: ReadonlySet<string> = new Set(['push', 'schedule', 'workflow_dispatch']);

/** By event and payload; undefined where the default branch is not known. */
export async function readScope(environment: NodeJS.ProcessEnv): Promise<Scope | undefined> {
  const payload = await readPayload(environment.GITHUB_EVENT_PATH);
  return scopeOf(environment.GITHUB_EVENT_NAME ?? '', payload, environment.GITHUB_REF ?? '');
}

/** The pure part of {@link readScope}. GitHub shows a run its own ref, the base's and the default branch's entries. */
export function scopeOf(event: string, payload: unknown, own: string): Scope | undefined {
  if (own === '') return undefined;
  // Always of the default branch, and its payload may say nothing of the repository.
  if (event === 'schedule') return { own, trusted: [own], saves: true };
  const { repository, pull_request: pull, merge_group: group } = payload as Partial<Record<string, unknown>>;
  const branch = refOf(textIn(repository, 'default_branch'));
  if (branch === undefined) return undefined;
  if (own === branch) return { own, trusted: [own], saves: OF_THE_BRANCH.has(event) };
  const base = refOf(textIn(textIn(pull, 'base'), 'ref') ?? textIn(group, 'base_ref'));
  const trusted = [branch, base].filter((ref): ref is string => ref !== undefined && ref !== own);
  return { own, trusted: [...new Set(trusted)], saves: false };
}

function textIn(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function refOf(name: unknown): string | undefined {
  if (typeof name !== 'string' || name === '') return undefined;
  return name.startsWith('refs/') ? name : `refs/heads/${name}`;
}
