import * as core from '@actions/core';
import { formatAuditMarkdown, formatAuditTerminal, type Audit } from '../audit/index.js';
import { terminalText } from '../report/index.js';
import { summarize } from './action.js';
import { connect } from './client.js';
import { keepIssue } from './issue.js';
import type { Occasion, Surroundings } from './occasion.js';
import type { Manners } from './patience.js';
import { keyOf } from './sticky.js';
import type { Posting } from './tell.js';

/** A job's log, which a browser shows. */
const LOG = { color: false, width: 100 } as const;
/** GitHub takes 65,536 characters of an issue; the rest is in the report. */
const MOST_BYTES = 60_000;

/**
 * Says what an audit found: log, summary, outputs, and, outside pull requests, one issue that is opened, brought up to date
 * and closed as problems come and go. What cannot be posted changes no verdict.
 */
export async function tellAudit(
  audit: Audit,
  folder: string,
  occasion: Occasion,
  where: Surroundings,
  { token, name }: Posting,
  issue: boolean,
  manners: Manners,
): Promise<void> {
  core.setOutput('verdict', audit.verdict.kind);
  core.setOutput('why', terminalText(audit.verdict.why));
  core.setOutput('report-path', folder);
  process.stdout.write(`${formatAuditTerminal(audit, LOG)}\n\nReport: ${terminalText(folder)}\n`);
  const markdown = formatAuditMarkdown(audit);
  await summarize(markdown);
  if (audit.verdict.kind === 'fail')
    core.error(terminalText(audit.verdict.why), { title: 'int8-gate: calibration audit' });
  const { repository } = where;
  // An issue tells of the default branch's images: a pull request has its own job to be told by.
  if (!issue || token === '' || repository === undefined || occasion.kind !== 'commit') return;
  const said = await keepIssue(
    connect(token, { ...where, repository }, manners),
    {
      key: keyOf(`audit ${name}`),
      title: `${name}: the calibration images need a look`,
      problem: audit.verdict.kind === 'fail' ? cut(markdown) : undefined,
      solved: `The audit passes again. ${runOf(where)}`,
    },
    manners,
  );
  core.info(terminalText(said));
}

/** Whole lines, as many as an issue takes. */
function cut(markdown: string): string {
  if (Buffer.byteLength(markdown) <= MOST_BYTES) return markdown;
  const lines = markdown.split('\n');
  let bytes = 0;
  const kept = lines.filter((line) => (bytes += Buffer.byteLength(line) + 1) <= MOST_BYTES);
  return `${kept.join('\n')}\n\n${lines.length - kept.length} more lines in audit.md.\n`;
}

function runOf({ serverUrl, repository, runId }: Surroundings): string {
  return `${serverUrl}/${repository ?? ''}/actions/runs/${runId}`;
}
