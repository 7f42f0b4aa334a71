import { resolve } from 'node:path';
import * as core from '@actions/core';
import type { BaseRequest } from '../baseline/index.js';
import { InputFault } from '../faults/index.js';
import { inside } from './action.js';

/** What the workflow says a run is compared with and remembered in. */
export interface Comparison {
  readonly base: BaseRequest | undefined;
  readonly history: string | undefined;
  readonly commit: string | undefined;
}

/** Events that stand for a pull request: there a base that is not named is missing. Others have none. */
const COMPARED: ReadonlySet<string> = new Set(['pull_request', 'pull_request_target', 'merge_group']);

/**
 * The inputs `base`, `base-ref` and `history`.
 * @param workingDirectory - absolute; what paths are relative to
 * @throws InputFault when a path leaves the workspace, or the inputs contradict each other
 */
export function readComparison(workingDirectory: string, environment: NodeJS.ProcessEnv): Comparison {
  const workspace = resolve(environment.GITHUB_WORKSPACE ?? process.cwd());
  const path = (input: string): string | undefined => {
    const text = core.getInput(input);
    return text === '' ? undefined : inside(workspace, resolve(workingDirectory, text), input);
  };
  return {
    base: baseOf(core.getInput('base'), core.getInput('base-ref'), path, environment.GITHUB_EVENT_NAME ?? ''),
    history: path('history'),
    commit: environment.GITHUB_SHA,
  };
}

function baseOf(
  base: string,
  ref: string,
  path: (input: string) => string | undefined,
  event: string,
): BaseRequest | undefined {
  if (base === 'none') {
    if (ref === '') return { kind: 'none' };
    throw new InputFault({ where: 'input base', what: '`none` contradicts base-ref', fix: 'Give one.' });
  }
  const file = path('base');
  if (file !== undefined) return { kind: 'report', file, ...(ref !== '' && { ref }) };
  if (ref !== '') return { kind: 'ref', ref };
  return COMPARED.has(event) ? undefined : { kind: 'none' };
}
