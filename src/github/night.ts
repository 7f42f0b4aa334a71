import * as core from '@actions/core';
import { COMMENT_BYTES, formatProblemComment, terminalText } from '../report/index.js';
import { briefly } from './action.js';
import { connect } from './client.js';
import { keepIssue } from './issue.js';
import type { Occasion, Surroundings } from './occasion.js';
import type { Manners } from './patience.js';
import { keyOf } from './sticky.js';
import type { News, Posting } from './tell.js';

/**
 * Keeps one issue while a scheduled run does not pass: nobody looks at the runs of the night. Other events have somebody
 * who waits for them. What cannot be posted changes no verdict.
 */
export async function tellNight(
  news: News,
  occasion: Occasion,
  where: Surroundings,
  { token, name }: Posting,
  issue: boolean,
  manners: Manners,
): Promise<void> {
  const { repository, serverUrl, runId } = where;
  const scheduled = occasion.kind === 'commit' && occasion.event === 'schedule';
  if (!issue || token === '' || repository === undefined || !scheduled) return;
  const said = await keepIssue(
    connect(token, { ...where, repository }, manners),
    {
      key: keyOf(`night ${name}`),
      title: `${name}: the default branch does not pass`,
      problem: problemOf(news),
      solved: `The default branch passes again. ${serverUrl}/${repository}/actions/runs/${runId}`,
    },
    manners,
  );
  core.info(terminalText(said));
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
