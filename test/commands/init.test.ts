import { PassThrough } from 'node:stream';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { createAsk } from '../../src/commands/ask.js';
import { repositoryOf, WORKFLOWS, writeWorkflows } from '../../src/commands/workflows.js';
import { runDist, withFolder } from './child.js';

/** A terminal that answers one line to each question. */
function terminal(...answers: string[]) {
  const [input, output] = [new PassThrough(), new PassThrough()];
  let shown = '';
  output.on('data', (data: Buffer) => {
    const text = data.toString();
    shown += text;
    if (text.includes(']: '))
      setImmediate(() => (answers.length > 0 ? input.write(`${answers.shift()}\n`) : input.end()));
  });
  return { ask: createAsk(input, output), shown: () => shown };
}

describe('questions', () => {
  const OPTIONS = ['models/a.onnx', 'models/b.onnx'];
  test.each([
    ['a number chooses', ['2'], 'models/b.onnx'],
    ['the name itself chooses', ['models/b.onnx'], 'models/b.onnx'],
    ['nothing chooses the first', [''], 'models/a.onnx'],
    ['what is no option is asked again', ['7', 'x', '0', '2'], 'models/b.onnx'],
    ['an input that ends chooses the first', [], 'models/a.onnx'],
  ])('%s', async (_what, answers, chosen) => {
    const { ask, shown } = terminal(...answers);
    expect(await ask.choose('Which model?', OPTIONS)).toBe(chosen);
    expect(shown()).toContain('Which model?\n  1  models/a.onnx\n  2  models/b.onnx\n');
  });

  test.each([
    ['nothing is the fallback', [''], 0.02],
    ['a number is taken', ['0.01'], 0.01],
    ['what is no share is asked again', ['2', '-1', 'much', '0', '0.05'], 0.05],
  ])('%s', async (_what, answers, value) =>
    expect(await terminal(...answers).ask.fraction('Fall that may pass', 0.02)).toBe(value),
  );
});

describe('workflows', () => {
  interface Step {
    readonly uses: string;
    readonly with?: Record<string, string>;
  }
  interface Workflow {
    readonly permissions: unknown;
    readonly jobs: Record<string, { readonly steps: readonly Step[] }>;
  }
  const inRepository = (job: (root: string) => Promise<void>): Promise<void> =>
    withFolder(async (root) => {
      await mkdir(join(root, '.git'));
      await job(root);
    });
  const read = async (root: string): Promise<readonly Workflow[]> =>
    Promise.all(WORKFLOWS.map(async (path) => parse(await readFile(join(root, path), 'utf8')) as Workflow));

  test('name the settings from the root, and only inputs and outputs that the action has', () =>
    inRepository(async (root) => {
      await writeWorkflows(root, join(root, 'detectors', 'int8-gate.yml'), false);
      const { inputs, outputs } = parse(await readFile('action.yml', 'utf8')) as Record<string, object>;
      for (const [i, { jobs, permissions }] of (await read(root)).entries()) {
        const [checkout, ...rest] = jobs.int8!.steps;
        const [gate, upload] = rest.slice(-2);
        const config = 'detectors/int8-gate.yml';
        expect(checkout!.with).toEqual({
          'persist-credentials': false,
          ...(i === 0 && { 'fetch-depth': 0 }),
        });
        // The base of a pull request is the event's; at night the calibration images are looked at first.
        expect(gate!.with).toEqual({ config, ...(i === 1 && { check: 'false' }) });
        expect(rest.slice(0, -2).map((step) => step.with)).toEqual(
          i === 0
            ? []
            : [
                { mode: 'audit', config, 'report-folder': 'int8-gate-audit' },
                {
                  name: 'int8-gate-audit',
                  path: 'int8-gate-audit',
                  'if-no-files-found': 'ignore',
                  'retention-days': 90,
                },
              ],
        );
        expect(Object.keys(inputs!)).toEqual(expect.arrayContaining(Object.keys(gate!.with!)));
        expect(Object.keys(outputs!)).toContain(/outputs\.([\w-]+)/.exec(upload!.with!.path!)![1]);
        expect(permissions).toEqual({
          contents: 'read',
          ...(i === 0 ? { actions: 'read', 'pull-requests': 'write', checks: 'write' } : { issues: 'write' }),
        });
      }
    }));

  test('fetch large files where the repository keeps some', () =>
    inRepository(async (root) => {
      await writeFile(join(root, '.gitattributes'), '*.onnx filter=lfs diff=lfs\n');
      await writeWorkflows(root, join(root, 'int8-gate.yml'), false);
      for (const { jobs } of await read(root)) expect(jobs.int8!.steps[0]!.with).toMatchObject({ lfs: true });
    }));

  test('that are there stay, unless told to overwrite', () =>
    inRepository(async (root) => {
      const mine = join(root, WORKFLOWS[0]);
      await mkdir(dirname(mine), { recursive: true });
      await writeFile(mine, 'mine');
      const config = join(root, 'int8-gate.yml');
      expect(await writeWorkflows(root, config, false)).toEqual([
        `Kept ${WORKFLOWS[0]}, which was there`,
        `Wrote ${WORKFLOWS[1]}`,
      ]);
      expect(await readFile(mine, 'utf8')).toBe('mine');
      await writeWorkflows(root, config, true);
      expect(await readFile(mine, 'utf8')).toContain('pull_request');
    }));

  test('the root is found from a folder inside, and none outside of git', () =>
    inRepository(async (root) => {
      await mkdir(join(root, 'a', 'b'), { recursive: true });
      expect(await repositoryOf(join(root, 'a', 'b'))).toBe(root);
      expect(await repositoryOf('/')).toBeUndefined();
    }));
});

describe('int8-gate init on an unknown project', () => {
  const project = (job: (root: string) => Promise<void>): Promise<void> =>
    withFolder(async (root) => {
      await mkdir(join(root, '.git'));
      await cp('fixtures/signs/val.json', join(root, 'data', 'val.json'));
      for (const set of ['val', 'calib'])
        await cp(`fixtures/signs/${set}`, join(root, 'data', set), { recursive: true });
      for (const model of ['signs-v10', 'signs-v8'])
        await cp(`fixtures/signs/models/${model}.onnx`, join(root, 'models', `${model}.onnx`));
      await job(root);
    });

  test('says what could be meant where nobody can be asked', () =>
    project(async (root) => {
      const { status, stderr } = await runDist('cli.js', ['init'], { cwd: root });
      expect(stderr).toMatch(
        /several could be meant: models\/signs-v10\.onnx, models\/signs-v8\.onnx\n.*--model/,
      );
      expect(status).toBe(2);
    }));

  test('writes settings and workflows', () =>
    project(async (root) => {
      const args = ['init', '--model', 'models/signs-v8.onnx', '--max-drop', '0.03'];
      const { stdout, stderr } = await runDist('cli.js', args, { cwd: root });
      expect(stderr).toBe('');
      expect(stdout).toMatch(/Wrote int8-gate\.yml[^]*Wrote \.github\/workflows\/int8-gate\.yml\n/);
      expect(await readFile(join(root, 'int8-gate.yml'), 'utf8')).toMatch(/maxDrop: 0\.03 /);
    }));

  test('says what the first run would refuse: classes that the model does not have', () =>
    project(async (root) => {
      const file = join(root, 'data', 'val.json');
      const truth = JSON.parse(await readFile(file, 'utf8')) as { categories: { name: string }[] };
      truth.categories[0]!.name = 'giraffe';
      await writeFile(file, JSON.stringify(truth));
      const args = ['init', '--model', 'models/signs-v8.onnx', '--no-workflows'];
      const { status, stdout } = await runDist('cli.js', args, { cwd: root });
      expect(stdout).toMatch(
        /To do before the first run: .*no class called "giraffe".*\n {2}Name the classes/,
      );
      expect(stdout).not.toContain('Next: int8-gate run');
      expect(status).toBe(0);
    }));

  test.each(['0', '1', 'two'])('refuses --max-drop %s', async (value) => {
    const { status, stderr } = await runDist('cli.js', ['init', '--max-drop', value]);
    expect(stderr).toMatch(/number between 0 and 1/);
    expect(status).toBe(2);
  });
});
