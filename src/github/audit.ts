import * as core from '@actions/core';
import { formatAuditMarkdown, formatAuditTerminal, type Audit } from '../audit/index.js';
import { COMMENT_BYTES, terminalText } from '../report/index.js';
import { summarize } from './action.js';
import type { Occasion, Surroundings } from './occasion.js';
import type { Manners } from './patience.js';
import type { Posting } from './tell.js';
import { tellIssue } from './tell-issue.js';

/** A job's log, which a browser shows. */
const LOG = { color: false, width: 100 } as const;

/**
 * Says what an audit found: log, summary, outputs, and, outside pull requests, one issue that is opened, brought up to date
 * and closed as problems come and go.
 */
export async function tellAudit(
  audit: Audit,
  folder: string,
  occasion: Occasion,
  where: Surroundings,
  posting: Posting,
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
  // An issue tells of the default branch's images: a pull request has its own job to be told by.
  if (!issue || occasion.kind !== 'commit') return;
  const trouble = {
    about: 'audit',
    headline: 'the calibration images need a look',
    problem: audit.verdict.kind === 'fail' ? cut(markdown) : undefined,
    solved: 'The audit passes again.',
  };
  await tellIssue(trouble, where, posting, manners);
}

/** Whole lines, as many as an issue takes. */
function cut(markdown: string): string {
  if (Buffer.byteLength(markdown) <= COMMENT_BYTES) return markdown;
  const lines = markdown.split('\n');
  let bytes = 0;
  const kept = lines.filter((line) => (bytes += Buffer.byteLength(line) + 1) <= COMMENT_BYTES);
  return `${kept.join('\n')}\n\n${lines.length - kept.length} more lines in audit.md.\n`;
}
