import { describe, expect, test } from '@jest/globals';
import { mkdir, readFile, readdir, symlink, writeFile, cp } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SIGNS, makeProject, runDist, withFolder } from '../commands/child.js';

/** The runner's files and variables for a step in `folder`. */
async function runnerEnvironment(
  folder: string,
  inputs: Readonly<Record<string, string>>,
): Promise<NodeJS.ProcessEnv> {
  const files = {
    GITHUB_OUTPUT: 'output',
    GITHUB_STEP_SUMMARY: 'summary.md',
    GITHUB_ENV: 'env',
    GITHUB_STATE: 'state',
  };
  const entries = await Promise.all(
    Object.entries(files).map(async ([name, file]) => {
      await writeFile(join(folder, file), '');
      return [name, join(folder, file)] as const;
    }),
  );
  await mkdir(join(folder, 'temp'), { recursive: true });
  return {
    ...Object.fromEntries(entries),
    ...Object.fromEntries(
      Object.entries({ 'data-folders': SIGNS, ...inputs }).map(([name, value]) => [
        `INPUT_${name.toUpperCase()}`,
        value,
      ]),
    ),
    GITHUB_ACTIONS: 'true',
    GITHUB_WORKSPACE: folder,
    RUNNER_TEMP: join(folder, 'temp'),
    RUNNER_TOOL_CACHE: join(folder, 'tools'),
  };
}

/** Outputs as the runner reads them: `name<<delimiter`, value, delimiter. */
function outputsOf(text: string): Record<string, string> {
  const found = [...text.matchAll(/^(.+?)<<(ghadelimiter_\S+)\n([^]*?)\n\2$/gm)];
  return Object.fromEntries(found.map(([, name = '', , value = '']): [string, string] => [name, value]));
}

describe('the action, started as the runner starts it', () => {
  test('sets outputs, writes the summary and ends with status 0 on a pass', () =>
    withFolder(async (folder) => {
      await makeProject(folder);
      const env = await runnerEnvironment(folder, {
        config: 'int8-gate.yml',
        'report-folder': 'out',
      });
      const { status, stdout } = await runDist('index.js', [], {
        cwd: folder,
        env,
      });
      expect(stdout).toMatch(/::group::Evaluating FP32 on 12 images/);
      expect(status).toBe(0);
      const outputs = outputsOf(await readFile(env.GITHUB_OUTPUT as string, 'utf8'));
      expect(outputs).toMatchObject({
        verdict: 'pass',
        'report-path': join(folder, 'out'),
      });
      expect(Number(outputs['map-fp32'])).toBeGreaterThan(0.7);
      expect(await readFile(env.GITHUB_STEP_SUMMARY as string, 'utf8')).toMatch(/^## ✅ int8-gate: PASS/);
      expect((await readdir(join(folder, 'out'))).sort()).toEqual([
        'detections.json.gz',
        'plan.json',
        'report.html',
        'report.json',
        'report.md',
      ]);
    }));

  test('fails the job with the reason as an annotation', () =>
    withFolder(async (folder) => {
      await makeProject(folder, (s) => s.replace('min: 0.5', 'min: 0.999'));
      const env = await runnerEnvironment(folder, {});
      const { status, stdout } = await runDist('index.js', [], {
        cwd: folder,
        env,
      });
      expect(status).toBe(1);
      expect(stdout).toMatch(/::error title=int8-gate%3A fail::.*at least 0\.999 is asked/);
    }));

  test('puts a mistake in the settings on its line', () =>
    withFolder(async (folder) => {
      await makeProject(folder, (s) => s.replace('limit: 12', 'limit: many'));
      const { status, stdout } = await runDist('index.js', [], {
        cwd: folder,
        env: await runnerEnvironment(folder, {}),
      });
      expect(status).toBe(2);
      expect(stdout).toMatch(
        /::error title=int8-gate,file=int8-gate\.yml,line=6,col=10::int8-gate\.yml:6:10 validation\.limit: must be a positive whole number, is "many"/,
      );
    }));

  test('refuses settings outside the workspace', () =>
    withFolder(async (folder) => {
      const env = await runnerEnvironment(folder, {
        config: '../../etc/int8-gate.yml',
      });
      const { status, stdout } = await runDist('index.js', [], {
        cwd: folder,
        env,
      });
      expect(status).toBe(2);
      expect(stdout).toMatch(/lies outside the workspace/);
    }));

  test.each([
    ['a folder outside the workspace', (s: string) => s, /validation\.images: .*lies outside the workspace/],
    [
      'a link that leads out',
      (s: string) => s.replace('calib\n', 'link\n'),
      /calibration\.images: .*link lies outside/,
    ],
    [
      'a program of the repository as Python',
      (s: string) => `${s}engine:\n  tensorrt: { python: ./evil.sh }\n`,
      /engine\.tensorrt\.python: names a program inside the repository/,
    ],
    [
      'a program of the repository as trtexec',
      (s: string) => `${s}engine:\n  tensorrt: { trtexec: tools/evil.sh }\n`,
      /engine\.tensorrt\.trtexec: names a program inside the repository/,
    ],
  ])('refuses settings that name %s', (_, change, message) =>
    withFolder(async (folder) => {
      await makeProject(folder, change);
      await symlink('/etc', join(folder, 'link'));
      const { status, stdout } = await runDist('index.js', [], {
        cwd: folder,
        env: await runnerEnvironment(folder, { 'data-folders': '' }),
      });
      expect(status).toBe(2);
      expect(stdout).toMatch(message);
    }),
  );

  test('a summary that cannot be written changes nothing about the verdict', () =>
    withFolder(async (folder) => {
      await makeProject(folder);
      const env = {
        ...(await runnerEnvironment(folder, {})),
        GITHUB_STEP_SUMMARY: join(folder, 'no', 'such', 'file'),
      };
      const { status, stdout } = await runDist('index.js', [], {
        cwd: folder,
        env,
      });
      expect(stdout).toMatch(/::warning::The job summary could not be written/);
      expect(status).toBe(0);
    }));

  test('native packages come from the tool cache when the action has none beside it', () =>
    withFolder(async (folder) => {
      // The action as the runner downloads it: no node_modules. The cache is filled as a first run leaves it.
      const action = join(folder, 'action');
      await mkdir(action);
      for (const name of ['dist', 'package.json', 'package-lock.json', 'action.yml'])
        await cp(resolve(name), join(action, name), { recursive: true });
      const project = join(folder, 'project');
      await mkdir(project);
      await makeProject(project);
      const env = await runnerEnvironment(project, {});
      const version = await cachedVersion(action);
      const cache = join(env.RUNNER_TOOL_CACHE as string, 'int8-gate-native', version);
      await mkdir(cache, { recursive: true });
      await mkdir(join(cache, process.arch));
      await symlink(resolve('node_modules'), join(cache, process.arch, 'node_modules'));
      await writeFile(join(cache, `${process.arch}.complete`), '');
      const { status, stdout } = await runDist('index.js', [], {
        cwd: project,
        env,
        root: action,
      });
      expect(stdout).not.toMatch(/Installing/);
      expect(status).toBe(0);
    }));
});

async function cachedVersion(action: string): Promise<string> {
  const { createHash } = await import('node:crypto');
  const lock = await readFile(join(action, 'package-lock.json'));
  return `1.0.0-${createHash('sha256').update(lock).update(`${process.platform}-${process.versions.modules}`).digest('hex').slice(0, 16)}`;
}
