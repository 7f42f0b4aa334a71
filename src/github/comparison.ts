import { resolve } from 'node:path';
import * as core from '@actions/core';
import { obtainCommit, type BaseRequest } from '../baseline/index.js';
import { InputFault } from '../faults/index.js';
import { inside } from './action.js';
import type { Occasion, Surroundings } from './occasion.js';

/** What a run is compared with and remembered in. */
export interface Comparison {
  readonly base: BaseRequest;
  readonly history: string | undefined;
  readonly commit: string | undefined;
}

/**
 * The inputs `base`, `base-ref` and `history`. In a pull request and in a merge queue the event names the base, and no
 * input is needed: its settings judge, and it is measured where `base` says nothing else.
 * @param workingDirectory - absolute; what paths are relative to
 * @throws InputFault when a path leaves the workspace
 */
export function readComparison(
  workingDirectory: string,
  environment: NodeJS.ProcessEnv,
  occasion: Occasion,
): Comparison {
  const workspace = resolve(environment.GITHUB_WORKSPACE ?? process.cwd());
  const path = (input: string): string | undefined => {
    const text = core.getInput(input);
    return text === '' ? undefined : inside(workspace, resolve(workingDirectory, text), input);
  };
  const none = core.getInput('base') === 'none';
  return {
    base: requestOf(none ? 'none' : path('base'), core.getInput('base-ref') || baseOf(occasion)),
    history: path('history'),
    commit: environment.GITHUB_SHA,
  };
}

/** The base's commit by the event; others than a pull request's and a merge queue's have none. */
export function baseOf(occasion: Occasion): string | undefined {
  return occasion.kind === 'pull-request' || occasion.kind === 'merge-group' ? occasion.baseSha : undefined;
}

/**
 * How inputs and event become a request. No combination leaves a pull request to its own settings: `none` and a report
 * take the place of measuring, never of the base's word.
 * @param base - `none`, an absolute path, or nothing
 */
export function requestOf(base: string | undefined, ref: string | undefined): BaseRequest {
  const named = ref === undefined ? {} : { ref };
  if (base === 'none') return { kind: 'none', ...named };
  if (base !== undefined) return { kind: 'report', file: base, ...named };
  return ref === undefined ? { kind: 'none' } : { kind: 'ref', ref };
}

/**
 * Fetches the base's commit where the checkout lacks it, which a checkout of depth 1 does.
 * @throws InputFault when it cannot be had: a head is never judged by its own settings for want of the base's
 */
export async function haveBase(
  { base }: Comparison,
  folder: string,
  { repository, serverUrl }: Surroundings,
  token: string,
  say: (line: string) => void,
): Promise<void> {
  const { ref } = base;
  // What has another name than a commit's is for git to find, or not.
  if (ref === undefined || !/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(ref)) return;
  if (repository === undefined)
    throw new InputFault({
      where: 'GITHUB_REPOSITORY',
      what: 'names no repository to fetch the base from',
      fix: 'The runner sets it to `owner/name`: run as an action, or name the base with `--base-ref`.',
    });
  const found = await obtainCommit(folder, ref, { url: `${serverUrl}/${repository}`, token });
  if (found === 'fetched') say(`Fetched the base's commit ${ref.slice(0, 9)}, which the checkout lacked`);
}
