import {
  GitHubRefusal,
  waitBefore,
  type Annotation,
  type CheckContent,
  type CheckRun,
  type GitHub,
  type Patience,
} from './client.js';
import type { Posted } from './sticky.js';

/** GitHub takes this many annotations in one request. */
const PER_REQUEST = 50;
/** More than this tell nobody more. */
export const MOST_ANNOTATIONS = 200;

/**
 * Writes a check run with its annotations, 50 in a request. What a lost answer hid is asked for before anything is
 * written again: the check run is known by its external id, and GitHub counts the annotations it has.
 */
export async function postCheck(
  github: GitHub,
  sha: string,
  content: CheckContent,
  annotations: readonly Annotation[],
  patience: Patience,
): Promise<Posted> {
  const all = annotations.slice(0, MOST_ANNOTATIONS);
  let id: number | undefined;
  let [failures, done, unclear] = [0, 0, false];
  for (;;) {
    try {
      if (unclear) {
        const run = await find(github, sha, content);
        id = run?.id;
        done = run?.annotations ?? 0;
        unclear = false;
      }
      if (id !== undefined && done >= all.length) return { kind: 'written' };
      const batch = all.slice(done, done + PER_REQUEST);
      unclear = true;
      if (id === undefined) id = await github.createCheck(sha, content, batch);
      else await github.addAnnotations(id, content, batch);
      unclear = false;
      done += batch.length;
      failures = 0;
    } catch (error) {
      if (!(error instanceof GitHubRefusal)) throw error;
      const { refusal } = error;
      if (refusal.kind === 'denied') return { kind: 'denied', why: refusal.why };
      if (refusal.kind !== 'unclear' || ++failures >= patience.tries)
        return { kind: 'failed', why: refusal.why };
      await waitBefore(patience, failures, refusal.waitMs);
    }
  }
}

async function find(github: GitHub, sha: string, content: CheckContent): Promise<CheckRun | undefined> {
  const runs = await github.checkRuns(sha, content.name);
  return runs.find(({ externalId }) => externalId === content.externalId);
}
