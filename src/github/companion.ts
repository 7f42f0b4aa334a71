import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import * as core from '@actions/core';
import { EXIT, InputFault, messageOf, systemCode, type ExitStatus } from '../faults/index.js';
import { parseReport, type Report } from '../report/index.js';
import { SUMMARY_BYTES, briefly, summarize } from './action.js';
import { announce } from './announce.js';
import type { Occasion, Surroundings } from './occasion.js';
import type { Manners } from './patience.js';
import { annotationsOf, sourcesAt } from './places.js';
import type { Caution, Posting } from './tell.js';

/** A report of 5,000 layers has about 4 MB. */
const MOST_BYTES = 32 * 2 ** 20;

/**
 * Reads a report that another job or run left, which may be anybody's work: one regular file inside the workspace, of
 * bounded size, that holds against the report's schema.
 * @throws InputFault otherwise
 */
export async function readForeignReport(folder: string, workspace: string): Promise<Report> {
  const file = join(folder, 'report.json');
  const where = relative(workspace, file);
  let text: string;
  try {
    const away = relative(await realpath(workspace), await realpath(folder));
    if (away.startsWith('..') || isAbsolute(away))
      throw new InputFault({
        where,
        what: 'lies outside the workspace',
        fix: 'Download the report of the first workflow into the workspace, and name its folder as `report-folder`.',
      });
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const about = await handle.stat();
      if (!about.isFile())
        throw new InputFault({
          where,
          what: 'is no regular file',
          fix: 'Take the artifact of the first workflow as it is; links are not followed.',
        });
      if (about.size > MOST_BYTES)
        throw new InputFault({
          where,
          what: `has ${about.size} bytes; at most ${MOST_BYTES} are read`,
          fix: 'Set `report.images: 0` to keep pictures out of the report.',
        });
      text = await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof InputFault) throw cause;
    const code = systemCode(cause) ?? messageOf(cause);
    const fix = 'Download the artifact of the run into `report-folder` first.';
    const what = code === 'ENOENT' ? 'there is no report' : `cannot be read (${code})`;
    throw new InputFault({ where, what, fix }, { cause });
  }
  return parseReport(text, where);
}

/** What a reader must know of a report that a pull request's own run made. */
export function cautionOf(occasion: Occasion, verdict: Report['verdict'] | undefined): Caution {
  if (occasion.kind !== 'workflow-run') return { notes: [], doubt: undefined };
  const succeeded = occasion.conclusion === 'success';
  const notes = [
    'These numbers come from the run of the pull request, which can change what it reports. The result of that run is the gate, not this comment.',
  ];
  return {
    notes,
    doubt:
      verdict !== undefined && !verdict.blocks && !succeeded
        ? `the report says ${verdict.kind}, and its run ended with ${occasion.conclusion}`
        : undefined,
  };
}

/**
 * `mode: comment`: posts a report that is there already. After another workflow its status is only about posting; in a
 * job of the same run it is the verdict's.
 */
export async function passOn(
  folder: string,
  config: string,
  workspace: string,
  occasion: Occasion,
  where: Surroundings,
  posting: Posting,
  manners: Manners,
): Promise<ExitStatus> {
  if (occasion.kind === 'workflow-run' && !occasion.ofPullRequest) {
    core.info('The run was for no pull request; there is nothing to post.');
    return EXIT.pass;
  }
  const report = await readForeignReport(folder, workspace).catch(async (error: unknown) => {
    if (error instanceof InputFault)
      await announce(
        { kind: 'problems', problems: error.problems },
        occasion,
        where,
        posting,
        manners,
        cautionOf(occasion, undefined),
      );
    throw error;
  });
  core.setOutput('verdict', report.verdict.kind);
  core.setOutput('report-path', folder);
  await summarize(briefly(report, SUMMARY_BYTES));
  const caution = cautionOf(occasion, report.verdict);
  const sources = occasion.kind === 'workflow-run' ? undefined : await sourcesAt(config, workspace);
  const annotations = sources === undefined ? [] : annotationsOf(report, sources);
  await announce({ kind: 'report', report, annotations }, occasion, where, posting, manners, caution);
  return occasion.kind !== 'workflow-run' && report.verdict.blocks ? EXIT.fail : EXIT.pass;
}
