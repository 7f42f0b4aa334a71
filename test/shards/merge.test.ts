import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Report } from '../../src/report/index.js';
import { readShard, writeShard, type Shard } from '../../src/shards/index.js';
import { packNumbers, unpackNumbers } from '../../src/store/index.js';
import { runDist, type Ended } from '../commands/child.js';

const SIGNS = resolve('fixtures/signs');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shards-'));
  await mkdir(join(folder, 'calib'));
  for (const i of [0, 1]) await cp(join(SIGNS, `calib/30000${i}.jpg`), join(folder, `calib/30000${i}.jpg`));
  await cp(join(SIGNS, 'models/signs-v8.onnx'), join(folder, 'other/signs-v10.onnx'));
  await write('plain.yml', SETTINGS);
  await write('ranked.yml', RANKED);
  expect((await run('run', '-c', 'plain.yml', '-o', 'whole')).status).toBe(0);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Nine images; only what this is about, since every shard is a run. */
const SETTINGS = `version: 1
model: ${join(SIGNS, 'models/signs-v10.onnx')}
validation: { images: ${join(SIGNS, 'val')}, annotations: ${join(SIGNS, 'val.json')}, limit: 9 }
calibration: { images: calib, calibrator: minmax }
gate: { thresholds: { mAP50-95: { min: 0.5 } }, resamples: 100, inconclusive: pass }
sensitivity: { enabled: false }
quantization: { biasCorrection: 'off', equalization: 'off' }
engine: { threads: 1 }
report: { keepModels: false }
cache: { enabled: false }
`;
/** Three of the images rank the layers, and mixed precision is looked for. */
const RANKED = SETTINGS.replace('{ enabled: false }', '{ images: 3, calibrators: [] }');

const write = (name: string, settings: string): Promise<void> => writeFile(join(folder, name), settings);
const run = (...args: string[]): Promise<Ended> => runDist('cli.js', args, { cwd: folder });

/** Writes the shards of a split, two at a time. */
async function shards(count: number, config: string, out: string): Promise<void> {
  for (let index = 1; index <= count; index += 2)
    await Promise.all(
      [index, index + 1]
        .filter((one) => one <= count)
        .map(async (one) => {
          const { status, stderr } = await run(
            'run',
            '-c',
            config,
            '--shard',
            `${one}/${count}`,
            '-o',
            `${out}/${one}`,
          );
          expect([status, status === 0 ? '' : stderr]).toEqual([0, '']);
        }),
    );
}

/** What a report says apart from when, and how fast this machine is: docs/shards.md lists these fields. */
function withoutTimes(text: string): string {
  const report = JSON.parse(text) as Report;
  const variants = Object.fromEntries(
    Object.entries(report.variants).map(([name, variant]) => [name, { ...variant, latency: null }]),
  );
  const search = report.plan?.search;
  return JSON.stringify({
    ...report,
    createdAt: null,
    durationMs: null,
    variants,
    plan: { ...report.plan, ...(search !== undefined && { search: { ...search, seconds: null } }) },
  });
}

async function expectSame(merged: string, whole: string): Promise<void> {
  const text = (out: string): Promise<string> => readFile(join(folder, out, 'report.json'), 'utf8');
  expect(withoutTimes(await text(merged))).toBe(withoutTimes(await text(whole)));
  for (const name of ['detections.json.gz', 'plan.json'])
    expect(await readFile(join(folder, merged, name))).toEqual(await readFile(join(folder, whole, name)));
}

describe('the report of merged shards', () => {
  test.each([1, 2, 3, 7])(
    'equals that of one run, bit for bit but for times: n = %i',
    async (count) => {
      await shards(count, 'plain.yml', `shards-${count}`);
      const { status, stderr } = await run(
        'merge',
        '-c',
        'plain.yml',
        `shards-${count}`,
        '-o',
        `merged-${count}`,
      );
      expect(status).toBe(0);
      await expectSame(`merged-${count}`, 'whole');
      // What shards measured is not measured again, but for a few images that tell whether it holds.
      expect(stderr).toContain('Evaluating FP32: from shards, 9 of 9 images known');
      expect(stderr).toContain('Evaluating INT8: from shards, 9 of 9 images known');
    },
    300_000,
  );

  test('equals it with a ranking and a search too, and the ranking is that of the shards', async () => {
    const [whole] = await Promise.all([
      run('run', '-c', 'ranked.yml', '-o', 'whole-ranked'),
      shards(2, 'ranked.yml', 'shards-ranked'),
    ]);
    const { status, stderr } = await run('merge', '-c', 'ranked.yml', 'shards-ranked', '-o', 'merged-ranked');
    expect(status).toBe(whole.status);
    await expectSame('merged-ranked', 'whole-ranked');
    const [, known, most] =
      /Sensitivity: from shards, (\d+) of at most (\d+) measurements known/.exec(stderr) ?? [];
    expect(known).toBe(most);
    expect(Number(known)).toBeGreaterThan(200);
  }, 300_000);
});

describe('shards of another processor', () => {
  test('with scales of their own are measured again in INT8, and that is said', async () => {
    await cp(join(folder, 'shards-3'), join(folder, 'apart'), { recursive: true });
    const file = join(folder, 'apart/2/2-of-3.shard.jsonl.gz');
    const { header, records } = await readShard(file);
    const { int8, ...digests } = header.digests;
    // Under another calibrator only FP32 is the same model.
    await write('percentile.yml', SETTINGS.replace('minmax', 'percentile'));
    expect((await run('run', '-c', 'percentile.yml', '--shard', '2/3', '-o', 'percentile')).status).toBe(0);
    const percentile = await readShard(join(folder, 'percentile/2-of-3.shard.jsonl.gz'));
    const kept = new Map([...records].filter(([shelf]) => percentile.records.has(shelf)));
    expect([records.size, kept.size]).toEqual([2, 1]);
    const another = {
      ...header,
      machine: ['linux', 'x64', 'B processor'],
      digests: { ...digests, int8: '0'.repeat(64) },
    };
    expect(int8).not.toBe(another.digests.int8);
    await writeShard(dirname(file), another, kept);
    const { status, stderr } = await run('merge', '-c', 'plain.yml', 'apart', '-o', 'merged-apart');
    expect(status).toBe(0);
    expect(stderr).toMatch(/1 of 3 shards ran on another processor than this one/);
    expect(stderr).toMatch(
      /1 of 3 shards calibrated to other scales, on another processor \(linux, x64, B processor\): their share of INT8 is measured again here/,
    );
    expect(stderr).toContain('Evaluating FP32: from shards, 9 of 9 images known');
    expect(stderr).toContain('Evaluating INT8: from shards, 6 of 9 images known');
    await expectSame('merged-apart', 'whole');
  }, 300_000);
});

describe('merge refuses, with one message and nothing written,', () => {
  const change = async (file: string, edit: (shard: Shard) => Shard): Promise<void> => {
    const { header, records } = edit(await readShard(file));
    await writeShard(dirname(file), header, records);
  };
  /** The same detections, the first box of the image moved by a pixel. */
  const moved = (shard: Shard): Shard => ({
    ...shard,
    records: new Map(
      [...shard.records].map(([shelf, values]) => [
        shelf,
        new Map(
          [...values].map(([name, value]) => {
            const numbers = unpackNumbers(value) ?? new Float64Array();
            numbers[1] = (numbers[1] ?? 0) + 1;
            return [name, packNumbers(numbers)];
          }),
        ),
      ]),
    ),
  });
  const CASES: readonly [
    string,
    (shards: string) => Promise<unknown>,
    ((settings: string) => string) | undefined,
    RegExp,
  ][] = [
    [
      'a missing shard',
      (at) => rm(join(at, '2'), { recursive: true }),
      undefined,
      /\nmerge: shard 2 of 3 is missing/,
    ],
    [
      'a doubled shard',
      (at) => cp(join(at, '2'), join(at, 'again'), { recursive: true }),
      undefined,
      /is shard 2 of 3, and so is/,
    ],
    [
      'a shard cut short',
      async (at) => {
        const file = join(at, '2/2-of-3.shard.jsonl.gz');
        await writeFile(file, (await readFile(file)).subarray(0, -40));
      },
      undefined,
      /2-of-3.shard.jsonl.gz: is no shard, or is cut short/,
    ],
    [
      'a shard whose detections were changed, digest and all',
      (at) => change(join(at, '1/1-of-3.shard.jsonl.gz'), moved),
      undefined,
      /\nmerge: FP32 run again on .*\.jpg detects other boxes than the shards hold/,
    ],
    [
      'a shard without the detections of an image',
      (at) => change(join(at, '3/3-of-3.shard.jsonl.gz'), (shard) => ({ ...shard, records: new Map() })),
      undefined,
      /3-of-3.shard.jsonl.gz: holds no detections of FP32 on .*\.jpg/,
    ],
    [
      'shards of other settings',
      () => Promise.resolve(),
      (settings) => settings.replace('min: 0.5', 'min: 0.6'),
      /1-of-3.*: is of other settings\n.*\n.*2-of-3.*: is of other settings/,
    ],
    [
      'shards of another model',
      () => Promise.resolve(),
      (settings) => settings.replace(/model: .*/, 'model: other/signs-v10.onnx'),
      /is of another model/,
    ],
    [
      'a latency to judge',
      () => Promise.resolve(),
      (settings) => settings.replace('{ min: 0.5 }', '{ min: 0.5 }, latencyMs: { max: 100 }'),
      /thresholds.latencyMs: a latency cannot be judged from shards/,
    ],
  ];
  test.each(CASES)(
    '%s',
    async (_, spoil, settings, message) => {
      const at = join(folder, 'spoilt');
      await rm(at, { recursive: true, force: true });
      await cp(join(folder, 'shards-3'), at, { recursive: true });
      await spoil(at);
      await write('refused.yml', settings?.(SETTINGS) ?? SETTINGS);
      const { status, stderr } = await run('merge', '-c', 'refused.yml', 'spoilt', '-o', 'refused');
      expect(status).toBe(2);
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/\n\s+at /);
      expect(await readdir(join(folder, 'refused')).catch(() => [])).toEqual([]);
    },
    300_000,
  );
});
