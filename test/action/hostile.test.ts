import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { formatHtml } from '../../src/report/index.js';
import { git } from '../baseline/repository.js';
import { withFolder } from '../commands/child.js';
import { fullReport } from '../report/full-report.js';
import type { FakeGitHub } from './fake-github.js';
import { openPullRequest } from './pull-request.js';
import { CONTROL, brokenRows, dangersIn } from './hostile.js';
import { MARK, makeHostileProject } from './hostile-project.js';
import { tagsOf } from './page-tags.js';
import { NEW, commandsIn, pullRequest, runStep, type Event, type StepResult } from './runner.js';

let github: FakeGitHub;
let api: string;
beforeEach(async () => void ({ github, api } = await openPullRequest()));
afterEach(() => github.stop());

const TITLE = '\r\n::error::pwned\n##[error]x</details><img src=x onerror=alert(1)> @octo/team #1 \u202e';

/** The whole gate on a pull request that brings this project and whose title is hostile too. */
async function judge(folder: string): Promise<StepResult> {
  await git(folder, 'init', '-q');
  await git(folder, 'commit', '-q', '--allow-empty', '-m', TITLE);
  const event = pullRequest(NEW, { base: await git(folder, 'rev-parse', 'HEAD') });
  const { pull_request: pull, ...rest } = event.payload as { pull_request: object };
  const hostile: Event = {
    ...event,
    payload: { ...rest, pull_request: { ...pull, title: TITLE, body: TITLE } },
  };
  return runStep(folder, api, { event: hostile });
}

/** The mark and links to the run are ours. */
const withoutOurs = (markdown: string): string =>
  markdown
    .replace(/^<!-- int8-gate:[\w =.]+ -->/, '')
    .replaceAll(/\[[^\]\n]*\]\(https:\/\/github\.example\/octo\/signs\/[\w/]+(?:#artifacts)?\)/g, '');

const inert = (markdown: string): void => {
  expect(dangersIn(withoutOurs(markdown))).toEqual([]);
  expect(brokenRows(markdown)).toEqual([]);
  expect(markdown.match(/<details>/g) ?? []).toHaveLength((markdown.match(/<\/details>/g) ?? []).length);
};

/** The commands of a log are those of the verdict and of its groups, none of whose titles holds a name. */
const OUR_COMMAND = /^::(?:error title=int8-gate(?:%3A fail)?::.+|group::[A-Z](?:[\w ,-]|: )+|endgroup::)$/;

function quiet(stdout: string): void {
  const foreign = commandsIn(stdout).filter((line) => !OUR_COMMAND.test(line));
  expect(foreign).toEqual([]);
}

const { outputs: DECLARED } = parse(readFileSync('action.yml', 'utf8')) as { outputs: object };

describe('a project whose every name is hostile, through the whole gate', () => {
  test('is judged, and no name becomes more than text anywhere', () =>
    withFolder(async (folder) => {
      await makeHostileProject(folder);
      const { status, stdout, summary, outputs } = await judge(folder);
      expect([status, outputs.verdict]).toEqual([1, 'fail']);

      const [comment = ''] = github.commentsOn(7).map(({ body }) => body);
      for (const text of [comment, summary]) {
        expect(text).toContain(MARK);
        inert(text);
      }

      const [check] = [...github.checks.values()];
      inert(check?.summary ?? '');
      expect(check?.annotations.some(({ message }) => message.includes(MARK))).toBe(true);
      for (const { path, message } of check?.annotations ?? []) {
        expect(path).toBe('int8-gate.yml');
        expect(message).not.toMatch(CONTROL);
      }

      expect(stdout).toContain(MARK);
      quiet(stdout);
      expect(Object.keys(outputs).filter((name) => !(name in DECLARED))).toEqual([]);
      expect(outputs.why).toContain(MARK);
      expect(outputs.why).not.toMatch(/[\r\n]/);
      expect(outputs.why).not.toMatch(CONTROL);
      expect(commandsIn(outputs.why ?? '')).toEqual([]);
      expect(github.violations).toEqual([]);

      const page = await readFile(join(outputs['report-path'] ?? '', 'report.html'), 'utf8');
      inertPage(page);
    }));

  test('an image that is not there is named as text too', () =>
    withFolder(async (folder) => {
      await makeHostileProject(folder, ({ images }) =>
        images.forEach((image) => (image.file_name = `gone-${image.file_name}`)),
      );
      const { status, stdout } = await judge(folder);
      expect(status).toBe(2);
      quiet(stdout);
      const [comment = ''] = github.commentsOn(7).map(({ body }) => body);
      expect(comment).toContain(MARK);
      inert(comment);
    }));
});

/** Attributes whose value is a text to read. */
const READ = ['title', 'aria-label', 'alt', 'data-name'];

/** What the section of pictures adds to a page without. */
const OF_PICTURES =
  'div[id] div[hidden] select select[id] option option[value] noscript script[type] script[id]'.split(' ');

/** Elements and attributes are those of a page with tame names, and names are in texts alone. */
function inertPage(page: string): void {
  const kinds = (text: string): Set<string> =>
    new Set(
      tagsOf(text).flatMap(({ name, attributes }) => [
        name,
        ...[...attributes.keys()].map((one) => `${name}[${one}]`),
      ]),
    );
  const tame = new Set([...kinds(formatHtml(fullReport())), ...OF_PICTURES]);
  expect([...kinds(page)].filter((kind) => !tame.has(kind))).toEqual([]);
  const told = tagsOf(page).flatMap(({ attributes }) =>
    [...attributes].filter(([, value]) => value.includes(MARK)).map(([name]) => name),
  );
  expect([...new Set(told)].filter((name) => !READ.includes(name))).toEqual([]);
  expect(page).toContain(MARK);
}
