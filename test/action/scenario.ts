/** What a scenario is, and what many of them begin with. */
import type { Report } from '../../src/report/index.js';
import { formatMark, keyOf } from '../../src/github/sticky.js';
import type { FakeGitHub, Fault } from './fake-github.js';
import { NEW, OLD, pullRequest, type Step } from './runner.js';

export interface Scenario {
  readonly name: string;
  /** Runs at the same time; one for `NEW` by a pull request when left out. */
  readonly steps?: readonly Step[];
  /** `report.json` in the folder; a text is written as it is, null writes none. */
  readonly report?: Report | string | null;
  /** GitHub as it is before; pull request 7 with head `NEW` is there. */
  readonly github?: (github: FakeGitHub) => void;
  readonly faults?: readonly Fault[];
  readonly expect: Expected;
}

export interface Expected {
  /** Exit status, of each run. 0 when left out. */
  readonly status?: number | readonly number[];
  /** Comments of ours on #7 in the end; `[/PASS/]` when left out. */
  readonly comments?: readonly RegExp[];
  /** Conclusions of check runs; `['success']` when left out. */
  readonly checks?: readonly string[];
  readonly annotations?: number;
  readonly says?: RegExp;
  readonly never?: RegExp;
  readonly summary?: RegExp;
  /** Requests that write: POST, PATCH, DELETE. */
  readonly writes?: number;
  /** All requests. */
  readonly calls?: number;
  readonly also?: (github: FakeGitHub) => boolean;
}

export const BOT = 'github-actions[bot]';
export const COMMENTS = /\/issues\/7\/comments$/;
export const COMMENT = /\/issues\/comments\/\d+$/;
export const CHECKS = /\/check-runs/;
export const PASS = /## ✅ int8-gate: PASS/;
export const FAIL = /## ❌ int8-gate: FAIL/;
export const noCheck = { check: 'false' };
export const step = (inputs: Record<string, string> = {}, more: Partial<Step> = {}): Step => ({
  event: pullRequest(NEW),
  ...more,
  inputs,
});
export const quiet = step(noCheck);
export const times = (count: number, text: string): string =>
  Array.from({ length: count }, () => text).join('');

/** A comment as an earlier run left it. */
export function earlier(
  github: FakeGitHub,
  { head = OLD, run = 90, attempt = 1, name = 'int8-gate', author = BOT, text = 'earlier' } = {},
): number {
  const mark = formatMark({ key: keyOf(name), head, run, attempt, digest: '0'.repeat(16) });
  return github.say(7, author, `${mark}\n${text}`).id;
}

export const head = (github: FakeGitHub, sha: string): void =>
  void github.pulls.set(7, { number: 7, head: sha, from: 'eve:feature', open: true });
