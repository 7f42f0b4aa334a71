import { COMMENT_BYTES, formatProblemComment } from '../report/index.js';
import { briefly } from './action.js';
import type { Occasion, Surroundings } from './occasion.js';
import type { Manners } from './patience.js';
import type { News, Posting } from './tell.js';
import { tellIssue } from './tell-issue.js';

/**
 * Keeps one issue while a scheduled run does not pass: nobody looks at the runs of the night. Other events have somebody
 * who waits for them.
 */
export async function tellNight(
  news: News,
  occasion: Occasion,
  where: Surroundings,
  posting: Posting,
  issue: boolean,
  manners: Manners,
): Promise<void> {
  if (!issue || occasion.kind !== 'commit' || occasion.event !== 'schedule') return;
  const trouble = {
    about: 'night',
    headline: 'the default branch does not pass',
    problem: problemOf(news),
    solved: 'The default branch passes again.',
  };
  await tellIssue(trouble, where, posting, manners);
}

function problemOf(news: News): string | undefined {
  if (news.kind === 'problems') {
    const frame = { marker: '', run: undefined, files: undefined, commit: undefined, notes: [] };
    return formatProblemComment(news.problems, { ...frame, maxBytes: COMMENT_BYTES }).trimStart();
  }
  if (!news.report.verdict.blocks) return undefined;
  // What grows by a point each night would make the issue anew each night.
  const report = { ...news.report };
  delete report.history;
  return briefly(report, COMMENT_BYTES);
}
