import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Report } from '../../src/report/index.js';
import type { PrecisionPlan } from '../../src/quantization/index.js';
import { makeProject, runDist, withFolder, type Ended } from './child.js';

const PLAN = 'int8-gate.plan.json';

/** Ranked on few images; what was measured is kept in the folder. */
const quick = (text: string): string =>
  `${text
    .replace('enabled: false', 'images: 3')
    .replace('keepModels: false', 'keepModels: false\n  audit: false')}cache: { folder: cache }
`;

/** Every operator in INT8, post-processing too, which leaves nothing; images enough to be sure of a fall. */
const settings = (text: string): string =>
  `${quick(text).replace('{ min: 0.5 }', '{ maxDrop: 0.2 }').replace('limit: 12', 'limit: 24')}quantization:
  operators: all
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'int8-gate-plan-'));
  await makeProject(folder, settings);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const gate = (...args: readonly string[]): Promise<Ended> => runDist('cli.js', args, { cwd: folder });
const read = async <T>(...path: readonly string[]): Promise<T> =>
  JSON.parse(await readFile(join(folder, ...path), 'utf8')) as T;
const report = (): Promise<Report> => read('int8-gate-report', 'report.json');
const writePlan = (plan: unknown): Promise<void> =>
  writeFile(join(folder, PLAN), typeof plan === 'string' ? plan : JSON.stringify(plan));

test(
  'a plan beyond the limit is not written, though the gate would let its interval pass',
  () =>
    withFolder(async (own) => {
      await makeProject(own, (text) =>
        quick(text)
          .replace('{ min: 0.5 }', '{ maxDrop: 0 }')
          .replace('sensitivity:\n', 'sensitivity:\n  maxFloatLayers: 0\n  calibrators: []\n')
          .replace('gate:\n', 'gate:\n  inconclusive: pass\n'),
      );
      const { status, stdout } = await runDist('cli.js', ['plan', '--write'], { cwd: own });
      const said = stdout.replace(/\s+/g, ' ');
      expect(said).toContain('INCONCLUSIVE');
      expect(said).toContain('The one plan measured on the whole set does not pass');
      expect(said).toContain('No plan passes. The best that was found');
      expect(status).toBe(1);
      await expect(readFile(join(own, PLAN))).rejects.toThrow(/ENOENT/);
    }),
  300_000,
);

describe('a plan from search to pull request', () => {
  // Steps of one story: each begins with what those before left behind.
  let plan: PrecisionPlan;

  test('is found and written where INT8 alone detects nothing: post-processing in float, and no convolution', async () => {
    const { status, stdout } = await gate('plan', '--write');
    expect(stdout).toContain(`Plan written to ${join(folder, PLAN)}. Commit it.`);
    expect(status).toBe(0);
    plan = await read(PLAN);
    const { search, plan: section } = await report();
    expect(search?.[0]).toMatchObject({ kept: [], full: true, passes: false });
    expect(section).toMatchObject({ source: 'found', search: { passes: true, ended: 'cheapest' } });
    expect(section?.search?.fullEvaluations).toBeLessThan(6);
    const float = Object.entries(plan.layers).filter(([, precision]) => precision !== 'int8');
    expect(float.map(([name]) => name)).toEqual(expect.arrayContaining(['/Transpose', '/Concat_10']));
    expect(float.filter(([name]) => name.endsWith('/Conv'))).toEqual([]);
  }, 300_000);

  test('is found again without measuring anything anew', async () => {
    const { plan: before } = await report();
    expect((await gate('plan', '--write')).status).toBe(0);
    expect(await read(PLAN)).toEqual(plan);
    const { fullEvaluations, subsetEvaluations, cachedEvaluations } = before?.search ?? {};
    expect((await report()).plan?.search).toMatchObject({
      fullEvaluations: 0,
      subsetEvaluations: 0,
      cachedEvaluations: (fullEvaluations ?? NaN) + (subsetEvaluations ?? NaN) + (cachedEvaluations ?? NaN),
    });
  }, 300_000);

  test('is only checked by run, once it is committed', async () => {
    const file = join(folder, 'int8-gate.yml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, `${text}  plan: ${PLAN}\n`);
    const { status, stderr, stdout } = await gate('run');
    expect(stdout).toContain('PASS');
    expect(status).toBe(0);
    expect(stderr).not.toMatch(/Sensitivity of|Steering/);
    const { plan: section, search, sensitivity, findings } = await report();
    expect(section).toMatchObject({ source: 'committed', file: PLAN });
    expect(section).not.toHaveProperty('search');
    expect(search ?? []).toEqual([]);
    expect(sensitivity ?? []).toEqual([]);
    expect(section?.layers.map(({ name, precision }) => [name, precision])).toEqual(
      expect.arrayContaining(Object.entries(plan.layers).filter(([, precision]) => precision !== 'int8')),
    );
    expect(findings.map(({ kind }) => kind)).not.toContain('stale-plan');
  }, 300_000);

  test('that was found with another calibrator is called out of date', async () => {
    await writePlan({ ...plan, calibrator: 'entropy' });
    const { stdout } = await gate('run');
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      `The plan ${PLAN} is out of date: it was found with the calibrator entropy, and the settings have ${plan.calibrator}`,
    );
  }, 300_000);

  test('is judged as it runs: without what it keeps float it fails, and layers are ranked to tell why', async () => {
    await writePlan({ ...plan, layers: {}, calibrators: {} });
    const { status, stderr } = await gate('run');
    expect(status).toBe(1);
    expect(stderr).toMatch(/Sensitivity of/);
    const { variants, sensitivity } = await report();
    expect(variants.mixed?.stats.AP).toBe(0);
    // What cannot hold boxes and scores under one scale stands first, though no head tensor tells of it.
    expect(sensitivity?.layers[0]).toMatchObject({ name: '/Transpose', sqnr: null, rank: 1 });
  }, 300_000);

  test.each([
    [
      'that names a layer which neither network knows',
      () => ({ ...plan, layers: { ...plan.layers, '/b1/conv/Convv': 'fp16' } }),
      /int8-gate\.plan\.json.*\/b1\/conv\/Convv/,
    ],
    [
      'with a precision that there is not',
      () => ({ ...plan, layers: { '/b1/conv/Conv': 'int4' } }),
      /int8-gate\.plan\.json.*int4/,
    ],
    ['with a key that there is not', () => ({ ...plan, verdict: 'pass' }), /int8-gate\.plan\.json.*verdict/],
    [
      'that was cut off',
      () => JSON.stringify(plan).slice(0, 200),
      /int8-gate\.plan\.json.*(JSON|position|Unterminated)/,
    ],
  ])('%s is refused', async (_what, tampered, words) => {
    await writePlan(tampered());
    const { status, stderr } = await gate('run');
    expect(stderr.replace(/\s+/g, ' ')).toMatch(words);
    expect(status).toBe(2);
  });
});

describe('what is asked of a search that no search can give', () => {
  test.each([
    [
      'a share of INT8 beyond that of the start',
      'minInt8Share: 1',
      /asked\.yml:\d+:\d+ sensitivity\.minInt8Share: asks for 1, and the plan that the search starts from has 0\.\d{3} of/,
    ],
    [
      'the latencies of another network',
      'profile: other.json',
      /other\.json layers: 1 of 1 names are no layers of the model, "elsewhere" for one/,
    ],
    [
      'a percentile that is none',
      "calibrators: ['percentile:101']",
      /sensitivity\.calibrators.*percentile:101/,
    ],
  ])(
    '%s stops it before layers are ranked',
    async (_what, line, words) => {
      await writeFile(
        join(folder, 'other.json'),
        JSON.stringify({ version: 1, reformatMs: 0, layers: { elsewhere: { int8Ms: 1, floatMs: 2 } } }),
      );
      const file = join(folder, 'int8-gate.yml');
      await writeFile(
        join(folder, 'asked.yml'),
        (await readFile(file, 'utf8'))
          .replace('  images: 3', `  images: 3\n  ${line}`)
          // Which keeps the head float: no plan has everything in INT8.
          .replace('operators: all', 'operators: tensorrt'),
      );
      const { status, stderr } = await gate('plan', '--config', 'asked.yml');
      expect(stderr.replace(/\s+/g, ' ')).toMatch(words);
      expect(stderr).not.toMatch(/Sensitivity of/);
      expect(status).toBe(2);
    },
    240_000,
  );
});

describe('Ctrl-C and the same command again', () => {
  test(
    'goes on where it was, and ends as if nothing had happened',
    () =>
      withFolder(async (own) => {
        await makeProject(own, (text) => quick(text).replace('images: 3', 'images: 8'));
        const again = (options: Parameters<typeof runDist>[2] = {}): Promise<Ended> =>
          runDist('cli.js', ['sensitivity', '--json'], { cwd: own, ...options });
        const stopped = await again({ interruptAt: /Sensitivity of[^]*25 %/ });
        expect(stopped).toMatchObject({ status: 130, stdout: expect.stringContaining('interrupted') });
        const second = await again();
        const resumed = /resumed, (\d+) of at most (\d+)/.exec(second.stderr)?.slice(1).map(Number);
        expect(resumed?.[0]).toBeGreaterThan(0);
        expect(resumed?.[0]).toBeLessThan(resumed?.[1] as number);
        await rm(join(own, 'cache'), { recursive: true });
        const fresh = await again();
        expect(fresh.stderr).not.toContain('resumed');
        expect(JSON.parse(second.stdout)).toEqual(JSON.parse(fresh.stdout));
        expect((JSON.parse(fresh.stdout) as unknown[]).length).toBeGreaterThan(80);
      }),
    300_000,
  );
});
