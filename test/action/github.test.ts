import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withFolder } from '../commands/child.js';
import type { FakeGitHub } from './fake-github.js';
import { openPullRequest } from './pull-request.js';
import { NEW, REPORTS, commandsIn, pullRequest, runStep, type StepResult } from './runner.js';
import type { Scenario } from './scenario.js';
import { SCENARIOS } from './scenarios.js';

const SETTINGS = `version: 1
model: model.onnx
validation: { images: val, annotations: val.json }
calibration:
  images: calib
quantization:
  operators: all
gate:
  thresholds:
    mAP50-95: { min: 0.85, maxDrop: 0.02 }
`;

let github: FakeGitHub;
let api: string;
beforeEach(async () => void ({ github, api } = await openPullRequest('eve:feature')));
afterEach(() => github.stop());

/** Makes the workspace and runs the steps at the same time, a moment apart so that the first listed is the first to write. */
async function play({ steps, report, faults, github: prepare }: Scenario): Promise<readonly StepResult[]> {
  prepare?.(github);
  github.faults = (faults ?? []).map((one) => ({ ...one }));
  return withResults(async (folder) => {
    await writeFile(join(folder, 'int8-gate.yml'), SETTINGS);
    await writeFile(join(folder, 'other.yml'), SETTINGS);
    await writeReport(join(folder, 'int8-gate-report'), report);
    return Promise.all(
      (steps ?? [{ event: pullRequest(NEW) }]).map((one) =>
        runStep(folder, api + github.prefix, { ...one, inputs: { mode: 'comment', ...one.inputs } }),
      ),
    );
  });
}

async function writeReport(folder: string, report: Scenario['report']): Promise<void> {
  const file = join(folder, 'report.json');
  await mkdir(folder);
  if (report === null) return;
  if (report === 'LINK') return symlink('/etc/passwd', file);
  if (report === 'FOLDER') return void (await mkdir(file));
  await writeFile(file, typeof report === 'string' ? report : JSON.stringify(report ?? REPORTS.pass));
}

async function withResults<T>(job: (folder: string) => Promise<T>): Promise<T> {
  let result: T | undefined;
  await withFolder(async (folder) => void (result = await job(folder)));
  return result as T;
}

describe('dist/index.js against GitHub', () => {
  test('there are enough scenarios, each with its own name', () => {
    expect(SCENARIOS.length).toBeGreaterThanOrEqual(60);
    expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
  });

  test.each(SCENARIOS.map((one) => [one.name, one] as const))('%s', async (_, scenario) => {
    const results = await play(scenario);
    const { status = 0, comments = [/PASS/], checks = ['success'], ...expected } = scenario.expect;
    const log = results.map(({ stdout }) => stdout).join('\n');
    const own = github.commentsOn(7).filter(({ author }) => author === github.login);
    const writes = github.seen.filter(({ method, path }) => method !== 'GET' && !path.endsWith('graphql'));

    expect(github.violations).toEqual([]);
    expect(results.map((one) => one.status)).toEqual(typeof status === 'number' ? [status] : status);
    expect(own.map(({ body }) => body)).toEqual(comments.map((one) => expect.stringMatching(one)));
    expect([...github.checks.values()].map(({ conclusion }) => conclusion).sort()).toEqual(
      [...checks].sort(),
    );
    for (const { body } of own) expect(Buffer.byteLength(body)).toBeLessThanOrEqual(60_000);
    for (const one of github.checks.values()) {
      expect(one.sha).toMatch(/^[ab]{40}$/); // never the ephemeral merge commit
      const texts = one.annotations.map(
        ({ message, path, start_line }) => `${path}:${start_line} ${message}`,
      );
      expect(new Set(texts).size).toBe(texts.length);
    }
    if (expected.annotations !== undefined)
      expect([...github.checks.values()][0]?.annotations).toHaveLength(expected.annotations);
    if (expected.says !== undefined) expect(log).toMatch(expected.says);
    if (expected.never !== undefined) expect(log).not.toMatch(expected.never);
    if (expected.summary !== undefined) expect(results[0]?.summary).toMatch(expected.summary);
    if (expected.writes !== undefined) expect(writes).toHaveLength(expected.writes);
    if (expected.calls !== undefined) expect(github.seen).toHaveLength(expected.calls);
    if (expected.also !== undefined) expect(expected.also(github)).toBe(true);
    expect(log).not.toContain('secret-token');
    for (const line of commandsIn(log))
      expect(line).toMatch(/^::(error|warning|notice) |^::(group|endgroup)::/);
  });
});
