import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readHistory, withPoint, writeHistory } from '../../src/baseline/index.js';
import { withFolder } from '../commands/child.js';

const point = (commit: string | undefined, fp32 = 0.9) => ({
  createdAt: '2026-11-24T00:00:00.000Z',
  ...(commit !== undefined && { commit }),
  fp32,
  int8: 0.88,
  mixed: null,
});

describe('the history', () => {
  test('begins where there is none, and comes back as it was written', () =>
    withFolder(async (folder) => {
      const file = join(folder, 'new', 'history.json');
      expect(await readHistory(file)).toEqual([]);
      await writeHistory(file, [point('a'), point(undefined)]);
      expect(await readHistory(file)).toEqual([point('a'), point(undefined)]);
      expect(await readdir(join(folder, 'new'))).toEqual(['history.json']);
    }));

  test.each([
    ['grows at its end', [point('a')], point('b'), ['a', 'b']],
    ['has one point a commit, the last', [point('a', 0.1), point('b')], point('a'), ['b', 'a']],
    ['keeps runs of no commit', [point(undefined)], point(undefined), [undefined, undefined]],
  ])('%s', (_, points, next, commits) =>
    expect(withPoint(points, next).map(({ commit }) => commit)).toEqual(commits),
  );

  test('is bounded: the oldest make place', () => {
    const points = Array.from({ length: 800 }, (_, i) => point(String(i)));
    expect(
      withPoint(points, point('new'))
        .map(({ commit }) => commit)
        .at(0),
    ).toBe('1');
    expect(withPoint(points, point('new'))).toHaveLength(800);
  });

  test.each([
    ['cut short', '{"schema":', /cannot be read/],
    ['something else', '{"schema":"int8-gate/report"}', /is no history/],
    [
      'of numbers that are none',
      JSON.stringify({ schema: 'int8-gate/history', version: 1, points: [{ ...point('a'), fp32: 'x' }] }),
      /is no history: \/points\/0\/fp32 must be number/,
    ],
  ])('that is %s is refused, and left alone', (_, text, says) =>
    withFolder(async (folder) => {
      const file = join(folder, 'history.json');
      await writeFile(file, text);
      await expect(readHistory(file)).rejects.toThrow(says);
      expect(await readFile(file, 'utf8')).toBe(text);
    }),
  );
});
