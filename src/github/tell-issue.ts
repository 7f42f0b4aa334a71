import * as core from '@actions/core';
import { terminalText } from '../report/index.js';
import { connect } from './client.js';
import { keepIssue } from './issue.js';
import type { Surroundings } from './occasion.js';
import type { Manners } from './patience.js';
import { keyOf } from './sticky.js';
import type { Posting } from './tell.js';

/** What a job that nobody waits for has to say. */
export interface Trouble {
  /** Tells the issues of one gate apart: `audit`, `night`. */
  readonly about: string;
  /** Follows the gate's name in the title. */
  readonly headline: string;
  /** What is wrong; undefined when nothing is, and an open issue is closed. */
  readonly problem: string | undefined;
  /** What is said when it is closed, in front of the run's address. */
  readonly solved: string;
}

/** Keeps one issue while there is trouble, and says in the log what came of it. What cannot be posted changes no verdict. */
export async function tellIssue(
  { about, headline, problem, solved }: Trouble,
  where: Surroundings,
  { token, name }: Posting,
  manners: Manners,
): Promise<void> {
  const { repository, serverUrl, runId } = where;
  if (token === '' || repository === undefined) return;
  const said = await keepIssue(
    connect(token, { ...where, repository }, manners),
    {
      key: keyOf(`${about} ${name}`),
      title: `${name}: ${headline}`,
      problem,
      solved: `${solved} ${serverUrl}/${repository}/actions/runs/${runId}`,
    },
    manners,
  );
  core.info(terminalText(said));
}
