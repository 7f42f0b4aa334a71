import { describe, expect, test } from '@jest/globals';
import { mkdir, readFile, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { pack, packDigest, putShelves, takeShelves, unpack, type PackedFile } from '../../src/store/index.js';
import { withFolder } from '../commands/child.js';

const files: fc.Arbitrary<PackedFile[]> = fc.array(
  fc.record({ name: fc.string(), bytes: fc.uint8Array({ maxLength: 40 }) }),
  { maxLength: 5 },
);
const plain = (all: readonly PackedFile[]) => all.map(({ name, bytes }) => [name, [...bytes]]);

describe('a pack', () => {
  test('gives back what it was made of', () =>
    fc.assert(fc.property(files, (all) => expect(plain(unpack(pack(all)))).toEqual(plain(all)))));

  test('that is cut short has the files in front of the cut', () =>
    fc.assert(
      fc.property(files, fc.nat(), (all, n) => {
        const whole = pack(all);
        const found = plain(unpack(whole.subarray(0, n % whole.length)));
        expect(found).toEqual(plain(all).slice(0, found.length));
      }),
    ));

  test('in which a byte is another has no file that is another', () =>
    fc.assert(
      fc.property(files, fc.nat(), fc.integer({ min: 1, max: 255 }), (all, n, x) => {
        const spoilt = Buffer.from(pack(all));
        const at = n % spoilt.length;
        spoilt[at] = (spoilt[at] ?? 0) ^ x;
        const contents = new Set(all.map(({ bytes }) => bytes.join()));
        for (const { bytes } of unpack(spoilt)) expect(contents).toContain(bytes.join());
      }),
    ));

  test('of anything else is empty', () =>
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(unpack(bytes)).toEqual([]);
        for (const text of ['[]', '{}', 'null', '[[1]]', '[["a",-1,""]]', '[["a",1e300,""]]', '['])
          expect(unpack(Buffer.from(`int8-gate pack 1 ${text}\n`))).toEqual([]);
      }),
    ));

  test('has a digest of names and contents', () => {
    const one = [{ name: 'a', bytes: Buffer.from('x') }];
    expect(packDigest(one)).toBe(packDigest([{ name: 'a', bytes: Buffer.from('x') }]));
    expect(packDigest(one)).not.toBe(packDigest([{ name: 'b', bytes: Buffer.from('x') }]));
    expect(packDigest(one)).not.toBe(packDigest([{ name: 'a', bytes: Buffer.from('y') }]));
  });
});

describe('shelves that move', () => {
  const shelf = (digit: string): string => `base-${digit.repeat(64)}.shelf`;
  const file = (name: string): PackedFile => ({ name, bytes: Buffer.from(name) });

  test('are put where none is, under names of shelves alone', () =>
    withFolder(async (folder) => {
      const store = join(folder, 'deep', 'store');
      await mkdir(store, { recursive: true });
      await writeFile(join(store, shelf('b')), 'own');
      const names = [
        shelf('a'),
        shelf('b'),
        '../x.shelf',
        'x',
        `../${shelf('c')}`,
        '.',
        '',
        `${shelf('c')}\0`,
      ];
      expect(await putShelves(store, names.map(file))).toEqual([shelf('a')]);
      expect((await readdir(store)).sort()).toEqual([shelf('a'), shelf('b')]);
      expect(await readdir(folder)).toEqual(['deep']);
      expect(await readFile(join(store, shelf('b')), 'utf8')).toBe('own');
    }));

  test('that cannot be written leave nothing half written', () =>
    withFolder(async (folder) => {
      // As on a full disk: the first bytes are written, the rest is not.
      const bytes = (function* () {
        yield Buffer.from('half');
        throw new Error('no space left');
      })() as unknown as Uint8Array;
      await expect(putShelves(folder, [{ name: shelf('a'), bytes }])).rejects.toThrow('no space left');
      expect(await readdir(folder)).toEqual([]);
    }));

  test('are taken when they were used since, or are named, the last used first', () =>
    withFolder(async (folder) => {
      const now = Date.now();
      for (const [digit, age] of [
        ['a', 0],
        ['b', 10],
        ['c', 100],
        ['d', 100],
      ] as const) {
        const path = join(folder, shelf(digit));
        await writeFile(path, 'x'.repeat(10));
        await utimes(path, new Date(now - age * 1000), new Date(now - age * 1000));
      }
      await writeFile(join(folder, 'other.txt'), '');
      const take = async (most: number) =>
        (await takeShelves(folder, now - 50_000, new Set([shelf('d')]), most)).map(({ name }) => name);
      expect(await take(100)).toEqual([shelf('a'), shelf('b'), shelf('d')]);
      expect(await take(20)).toEqual([shelf('a'), shelf('b')]);
      expect(await takeShelves(join(folder, 'none'), 0, new Set(), 1)).toEqual([]);
    }));
});
