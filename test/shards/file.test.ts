import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { InputFault, SurroundingsFault } from '../../src/faults/index.js';
import {
  checkSame,
  checkWhole,
  findShards,
  joinRecords,
  mine,
  otherScales,
  parseShare,
  readShard,
  writeShard,
  type Shard,
  type ShardHeader,
} from '../../src/shards/index.js';

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

function header(index = 1, count = 3, change: Partial<ShardHeader> = {}): ShardHeader {
  return {
    schema: 'int8-gate/shard',
    version: 1,
    shard: { index, count },
    tool: { version: '1.0.0', program: digest('program') },
    engine: { name: 'onnxruntime', version: '1.30.0' },
    machine: ['linux', 'x64', 'A processor'],
    digests: {
      settings: digest('settings'),
      model: digest('model'),
      validation: digest('validation'),
      calibration: digest('calibration'),
      int8: digest('int8'),
    },
    evaluated: 2,
    ranked: 0,
    ...change,
  };
}

const RECORDS = new Map([
  ['sweep-k', new Map<string, unknown>([['b', [1, 'x', null]]])],
  [
    'detections-k',
    new Map<string, unknown>([
      ['b', 'AAAA'],
      ['a', 'line\nend'],
    ]),
  ],
]);

const messageOf = async (job: Promise<unknown> | (() => unknown)): Promise<string> => {
  try {
    await (typeof job === 'function' ? job() : job);
  } catch (error) {
    if (error instanceof InputFault) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shard-file-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a share', () => {
  test.each([
    ['1/1', { index: 1, count: 1 }],
    ['3/8', { index: 3, count: 8 }],
    ['256/256', { index: 256, count: 256 }],
  ])('%s', (text, share) => expect(parseShare(text, 'run --shard')).toEqual(share));

  test.each(['', '0/3', '4/3', '1/0', '1/257', '1', '1/3/5', '-1/3', '1.5/3', ' 1/3', '1/three'])(
    '"%s" is none',
    async (text) =>
      expect(await messageOf(() => parseShare(text, 'run --shard'))).toBe(
        `run --shard: is "${text}", expected i/n with 1 ≤ i ≤ n ≤ 256\n    For example \`3/8\` for the third of eight shards.`,
      ),
  );

  test.each([1, 2, 3, 7])('%i shares have every item once, as many as the others or one less', (count) => {
    const shares = Array.from({ length: count }, (_, i) =>
      Array.from({ length: 20 }, (_, item) => item).filter((item) => mine({ index: i + 1, count }, item)),
    );
    expect(shares.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, item) => item));
    const sizes = shares.map(({ length }) => length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  });
});

describe('a file', () => {
  test('holds what was written, and the same records give the same bytes', async () => {
    const file = await writeShard(folder, header(2, 3), RECORDS);
    expect(file).toBe(join(folder, '2-of-3.shard.jsonl.gz'));
    expect(await readShard(file)).toEqual({ file, header: header(2, 3), records: RECORDS });
    const before = await readFile(file);
    await writeShard(folder, header(2, 3), new Map([...RECORDS].reverse()));
    expect(await readFile(file)).toEqual(before);
    expect(await readdir(folder)).toEqual(['2-of-3.shard.jsonl.gz']);
  });

  test('that cannot be written leaves nothing behind', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(writeShard(join(folder, 'file'), header(), RECORDS)).rejects.toThrow(SurroundingsFault);
    expect(await readdir(folder)).toEqual(['file']);
  });

  const lines = (text: string): string[] => text.trimEnd().split('\n');
  const edited = (change: (lines: string[]) => string[]) => (packed: Buffer) =>
    gzipSync(`${change(lines(gunzipSync(packed).toString())).join('\n')}\n`);
  const DAMAGE: readonly [string, (packed: Buffer) => Buffer, RegExp][] = [
    [
      'cut off',
      (packed) => packed.subarray(0, packed.length - 30),
      /is no shard, or is cut short: unexpected end/,
    ],
    ['empty', () => Buffer.alloc(0), /is empty|is no shard, or is cut short/],
    [
      'of lines that are cut off',
      edited((all) => all.slice(0, -1)),
      /is cut short: its last line is missing/,
    ],
    [
      'with a record less',
      edited((all) => [...all.slice(0, 2), ...all.slice(3)]),
      /was changed after it was written/,
    ],
    [
      'with a number changed',
      edited((all) => all.map((line) => line.replace('AAAA', 'AAAB'))),
      /was changed after it was written: its content does not match its SHA-256/,
    ],
    [
      'with another header',
      edited((all) => all.map((line) => line.replace('"index":1', '"index":2'))),
      /was changed after it was written/,
    ],
    ['with something behind its end', edited((all) => [...all, '["a","b",1]']), /goes on behind its end/],
    [
      'with a line that is no JSON',
      edited((all) => [all[0] ?? '', '{', ...all.slice(1)]),
      /a line that is no JSON/,
    ],
    [
      'with a line that is no record',
      edited((all) => [all[0] ?? '', '["a"]', ...all.slice(1)]),
      /is no record/,
    ],
    [
      'that is not compressed',
      (packed) => gunzipSync(packed),
      /is no shard, or is cut short: incorrect header/,
    ],
    ['of something else', () => gzipSync('{"schema":"int8-gate/report"}\n'), /is no shard of int8-gate/],
    [
      'of another version',
      edited((all) => all.map((line) => line.replace('"version":1,"shard"', '"version":2,"shard"'))),
      /is a shard of version 2, 1 is read here/,
    ],
    [
      'whose header lacks a digest',
      edited((all) => all.map((line) => line.replace(/"settings":"[0-9a-f]+",/, ''))),
      /has a header that is not agreed on: \/digests must have required property 'settings'/,
    ],
  ];
  test.each(DAMAGE)('%s is refused', async (_, damage, message) => {
    const file = await writeShard(folder, header(), RECORDS);
    await writeFile(file, damage(await readFile(file)));
    expect(await messageOf(readShard(file))).toMatch(message);
  });

  test('that is not there is refused', async () => {
    expect(await messageOf(readShard(join(folder, 'none')))).toMatch(/cannot be read: ENOENT/);
  });
});

describe('a folder', () => {
  test('is searched, and the folders in it, as artifacts are downloaded', async () => {
    for (const index of [1, 2, 3]) {
      await mkdir(join(folder, `shard-${index}`));
      await writeShard(join(folder, `shard-${index}`), header(index), RECORDS);
    }
    await writeFile(join(folder, 'shard-1', 'log.txt'), '');
    const files = await findShards([folder, join(folder, 'shard-2')]);
    expect(files).toEqual([1, 2, 3].map((i) => join(folder, `shard-${i}`, `${i}-of-3.shard.jsonl.gz`)));
  });

  test('without shards, or that is not there, is refused', async () => {
    expect(await messageOf(findShards([folder]))).toContain('holds no file *.shard.jsonl.gz');
    expect(await messageOf(findShards([join(folder, 'none')]))).toContain('there is no such file or folder');
  });
});

const shard = (index: number, count = 3, change: Partial<ShardHeader> = {}): Shard => ({
  file: `${index}.gz`,
  header: header(index, count, change),
  records: RECORDS,
});

describe('a whole', () => {
  test('comes in its order', () =>
    expect(checkWhole([shard(3), shard(1), shard(2)]).map(({ file }) => file)).toEqual([
      '1.gz',
      '2.gz',
      '3.gz',
    ]));

  const BROKEN: readonly [string, readonly Shard[], string][] = [
    ['of nothing', [], 'merge: no shard was named'],
    ['that lacks one', [shard(1), shard(3)], 'merge: shard 2 of 3 is missing'],
    ['that lacks two', [shard(2)], 'merge: shard 1, 3 of 3 are missing'],
    [
      'with one twice',
      [shard(1), shard(2), { ...shard(2), file: 'b.gz' }, shard(3)],
      'b.gz: is shard 2 of 3, and so is 2.gz',
    ],
    ['of two splits', [shard(1), shard(2), shard(3, 7)], '3.gz: is one of 7 shards, 1.gz is one of 3'],
    ['with one beyond', [shard(1), shard(2), shard(4)], '4.gz: is shard 4 of 3, which cannot be'],
  ];
  test.each(BROKEN)('%s is refused', async (_, shards, message) =>
    expect(await messageOf(() => checkWhole(shards))).toMatch(new RegExp(`^${message}`)),
  );

  test('of images alike: the first record counts', () =>
    expect(
      joinRecords([
        new Map([['a', new Map([['x', 1]])]]),
        new Map([
          [
            'a',
            new Map([
              ['x', 2],
              ['y', 3],
            ]),
          ],
        ]),
      ]),
    ).toEqual(
      new Map([
        [
          'a',
          new Map([
            ['x', 1],
            ['y', 3],
          ]),
        ],
      ]),
    ));
});

describe('a shard of something else', () => {
  const { tool, engine, digests } = header();
  const other = (key: string): Partial<ShardHeader> => ({ digests: { ...digests, [key]: digest('other') } });
  const FOREIGN: readonly [string, Partial<ShardHeader>, string][] = [
    [
      'tool',
      { tool: { ...tool, version: '1.1.0' } },
      `was made by int8-gate 1.1.0 (${digest('program').slice(0, 12)}), this is 1.0.0`,
    ],
    [
      'build',
      { tool: { ...tool, program: null } },
      'was made by int8-gate 1.0.0 from source, this is 1.0.0 (',
    ],
    [
      'engine',
      { engine: { ...engine, version: '1.31.0' } },
      'was measured by onnxruntime 1.31.0, here is onnxruntime 1.30.0',
    ],
    ['settings', other('settings'), 'is of other settings'],
    ['model', other('model'), 'is of another model'],
    ['validation set', other('validation'), 'is of another validation set'],
    ['calibration set', other('calibration'), 'is of other calibration images'],
  ];
  test.each(FOREIGN)('%s is refused', async (_, change, message) => {
    expect(() => checkSame([shard(1)], { tool, engine, digests })).not.toThrow();
    const found = await messageOf(() =>
      checkSame([shard(1), shard(2, 3, change)], { tool, engine, digests }),
    );
    expect(found).toContain(`2.gz: ${message}`);
    expect(found).not.toContain('1.gz:');
  });

  const scales = { int8: digests.int8, machine: header().machine };
  test('scales of the same kind of machine are refused', async () => {
    expect(otherScales([shard(1)], scales)).toEqual([]);
    expect(await messageOf(() => otherScales([shard(1), shard(2, 3, other('int8'))], scales))).toMatch(
      /^2\.gz: calibrated to other scales than this machine, which is of the same kind/,
    );
  });

  test('scales of another processor are named, to be measured again', () => {
    const apart = shard(2, 3, { ...other('int8'), machine: ['linux', 'x64', 'B processor'] });
    expect(otherScales([shard(1), apart, shard(3)], scales)).toEqual([apart]);
  });
});
