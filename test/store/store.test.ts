import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  NO_STORE,
  codeDigest,
  keyOf,
  openStore,
  packNumbers,
  unpackNumbers,
  userCacheFolder,
  type Shelf,
} from '../../src/store/index.js';

let folder: string;
let troubles: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'store-'));
  troubles = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A shelf as a new process would open it. */
async function open(key = 'k', maxBytes = 1e6): Promise<Shelf> {
  const store = await openStore(join(folder, 'deep', 'cache'), {
    maxBytes,
    onTrouble: (what) => troubles.push(what),
  });
  return store.shelf('sweep', key);
}
const inside = (): string => join(folder, 'deep', 'cache');
const fileOf = (key = 'k'): string => join(inside(), `sweep-${key}.shelf`);

describe('a shelf', () => {
  test('gives back in a later process what was put, the last of a name', async () => {
    const first = await open();
    expect(first.get('a')).toBeUndefined();
    first.put('a', { x: [1, null, 'é\n"'] });
    first.put('b"\\', 2);
    first.put('a', 3);
    expect([first.get('a'), first.get('b"\\')]).toEqual([3, 2]);
    const second = await open();
    expect([second.size, second.get('a'), second.get('b"\\'), second.get('c')]).toEqual([2, 3, 2, undefined]);
    second.put('c', { x: [1, null, 'é\n"'] });
    expect((await open()).get('c')).toEqual({ x: [1, null, 'é\n"'] });
    expect(troubles).toEqual([]);
  });

  test('knows nothing of another key, and leaves no folder where nothing is put', async () => {
    await open();
    expect(await readdir(folder)).toEqual([]);
    (await open()).put('a', 1);
    expect((await open('other')).get('a')).toBeUndefined();
  });

  test.each([
    ['cut off in its last record', (text: string) => text.slice(0, -5), ['a'], 1],
    ['cut off in front of its last line end', (text: string) => text.slice(0, -1), ['a', 'b'], 0],
    ['with a digit changed', (text: string) => text.replace('"value":1', '"value":7'), ['b'], 1],
    ['with a name changed', (text: string) => text.replace('["a"', '["b"'), ['b'], 1],
    ['of another format', (text: string) => text.replace('shelf 1', 'shelf 0'), [], 1],
    ['of another key', (text: string) => text.replace('sweep-k', 'sweep-j'), [], 1],
    ['filled with zeros', (text: string) => '\0'.repeat(text.length), [], 1],
    ['emptied', () => '', [], 1],
  ])('that was %s loses just what is damaged, and goes on', async (_what, damage, whole, damaged) => {
    const first = await open();
    first.put('a', { value: 1 });
    first.put('b', { value: 2 });
    await writeFile(fileOf(), damage(await readFile(fileOf(), 'utf8')));
    const second = await open();
    const expected = { a: { value: 1 }, b: { value: 2 } } as Record<string, unknown>;
    for (const name of ['a', 'b'])
      expect(second.get(name)).toEqual(whole.includes(name) ? expected[name] : undefined);
    expect(troubles).toEqual(damaged === 0 ? [] : [expect.stringContaining(`${damaged} damaged record`)]);
    second.put('c', { value: 3 });
    second.put('d', { value: 4 });
    const third = await open();
    expect(third.size).toBe(whole.length + 2);
    expect([third.get('c'), third.get('d')]).toEqual([{ value: 3 }, { value: 4 }]);
  });

  test('loses none of its records to two processes that write at once', async () => {
    const [one, other] = [await open(), await open()];
    one.put('a', 1);
    other.put('b', 2);
    one.put('c', 3);
    const later = await open();
    expect([later.get('a'), later.get('b'), later.get('c')]).toEqual([1, 2, 3]);
    expect(troubles).toEqual([]);
  });

  test('that cannot be written says so once and keeps what it is given meanwhile', async () => {
    await writeFile(join(folder, 'deep'), 'a file in the way');
    const shelf = await open();
    shelf.put('a', 1);
    shelf.put('b', 2);
    expect(shelf.get('b')).toBe(2);
    expect(troubles.filter((what) => what.includes('cannot be written'))).toHaveLength(1);
  });
});

describe('the folder', () => {
  const sizes = async (): Promise<Record<string, number>> =>
    Object.fromEntries(
      await Promise.all(
        (await readdir(inside())).map(
          async (name) => [name, (await stat(join(inside(), name))).size] as const,
        ),
      ),
    );

  test('keeps to its size: what was not used for longest goes first', async () => {
    for (const [age, key] of ['old', 'older', 'new'].entries()) {
      (await open(key)).put('a', 'x'.repeat(1000));
      const used = new Date(Date.now() - ([50, 100, 10][age] as number) * 1000);
      await utimes(fileOf(key), used, used);
    }
    await open('none', 2500);
    expect(Object.keys(await sizes()).sort()).toEqual(['sweep-new.shelf', 'sweep-old.shelf']);
    // Looking at it is using it.
    await open('old');
    await open('none', 1500);
    expect(Object.keys(await sizes())).toEqual(['sweep-old.shelf']);
  });

  test('is not filled beyond its size, and says so once', async () => {
    const shelf = await open('k', 3000);
    for (let i = 0; i < 10; i++) shelf.put(`${i}`, 'x'.repeat(1000));
    expect((await sizes())['sweep-k.shelf']).toBeLessThanOrEqual(3000);
    expect(troubles).toEqual([expect.stringContaining('full')]);
    expect(shelf.get('9')).toBe('x'.repeat(1000));
  });

  test('is the one that the system gives to programs', () => {
    expect(userCacheFolder({ XDG_CACHE_HOME: '/c' }, 'linux')).toBe('/c/int8-gate');
    expect(userCacheFolder({ XDG_CACHE_HOME: 'relative' }, 'linux')).toMatch(/\/\.cache\/int8-gate$/);
    expect(userCacheFolder({}, 'darwin')).toMatch(/Library.Caches.int8-gate$/);
  });
});

test('a key depends on values, not on the order in which they are named', () => {
  expect(keyOf({ a: 1, b: { c: [1, 2], d: 'x' } })).toBe(keyOf({ b: { d: 'x', c: [1, 2] }, a: 1 }));
  expect(keyOf({ a: [1, 2] })).not.toBe(keyOf({ a: [2, 1] }));
  expect(keyOf({ a: '1' })).not.toBe(keyOf({ a: 1 }));
});

test('no store remembers nothing, and source code has no digest', async () => {
  const shelf = await NO_STORE.shelf('sweep', 'k');
  shelf.put('a', 1);
  expect(shelf.get('a')).toBeUndefined();
  expect(codeDigest()).toBeUndefined();
});

describe('packed numbers', () => {
  test('are the same numbers to the bit', () => {
    fc.assert(
      fc.property(fc.array(fc.double()), (values) => {
        const back = [...(unpackNumbers(packNumbers(values)) ?? [])];
        expect(back.map((x) => (Object.is(x, -0) ? '-0' : x))).toEqual(
          values.map((x) => (Object.is(x, -0) ? '-0' : x)),
        );
      }),
    );
  });

  test.each([['AAAA'], ['not base64'], [undefined], [7], [['AAAAAAAA8D8=']]])('%j is none', (text) => {
    expect(unpackNumbers(text)).toBeUndefined();
  });
});
