import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { openRepository, settleTerms, type BaseRequest, type Terms } from '../../src/baseline/index.js';
import { InputFault } from '../../src/faults/index.js';
import { parseSettings } from '../../src/settings/index.js';
import { withFolder } from '../commands/child.js';
import { firstCommit, git } from './repository.js';

const settings = (gate: string, more = '') => `version: 1
model: model.onnx
validation: { annotations: val.json }
calibration: { images: calib }
gate:
  thresholds: ${gate}
${more}`;
const STRICT = settings('{ mAP50-95: { maxDrop: 0.01 } }');
const LOOSE = settings('{ mAP50-95: { maxDrop: 0.5 } }');
const waivers = (drop: number): string => `version: 1
waivers:
  - { metric: mAP50, allowedDrop: ${drop}, reason: r, owner: o, expires: '2030-01-01' }
`;

/** A repository whose base and work tree hold these files; terms as of `main`. */
const terms = (
  base: Readonly<Record<string, string>>,
  head: Readonly<Record<string, string>>,
  request: BaseRequest | undefined = { kind: 'ref', ref: 'main' },
): Promise<Terms> =>
  withFolder(async (folder) => {
    const write = async (files: Readonly<Record<string, string>>) => {
      for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    };
    await write({ 'README.md': 'x', ...base });
    await firstCommit(folder);
    for (const name of Object.keys(base)) if (!(name in head)) await rm(join(folder, name));
    await write(head);
    const file = join(folder, 'int8-gate.yml');
    return settleTerms(parseSettings(head['int8-gate.yml'] as string, file), request, '2026-11-24');
  });

describe('who judges', () => {
  test.each([
    ['the base, when the head loosens a limit', { kind: 'ref', ref: 'main' }, 0.01],
    ['the base, when its report is named too', { kind: 'report', file: 'r', ref: 'main' }, 0.01],
    ['the head, when there is no ref', { kind: 'report', file: 'r' }, 0.5],
    ['the head, when there is no base', { kind: 'none' }, 0.5],
    ['the head, when nobody said anything', undefined, 0.5],
  ] as const)('%s', async (_, request, maxDrop) => {
    const found = await terms(
      { 'int8-gate.yml': STRICT },
      { 'int8-gate.yml': LOOSE },
      request ?? { kind: 'none' },
    );
    expect(found.loaded.settings.gate.thresholds['mAP50-95']).toEqual({ maxDrop });
    expect(found.settingsChanges).toEqual(
      maxDrop === 0.5
        ? []
        : [{ path: 'gate.thresholds.mAP50-95.maxDrop', base: '0.01', head: '0.5', judgedBy: 'base' }],
    );
  });

  test('limits that the head takes out, and the model that it brings', async () => {
    const base = settings('{ mAP50-95: { maxDrop: 0.01 }, mAP50: { min: 0.7 } }', '  inconclusive: fail\n');
    const head = settings('{ mAP50-95: { maxDrop: 0.01 } }', '  inconclusive: pass\n').replace(
      'model.onnx',
      'other.onnx',
    );
    const found = await terms({ 'int8-gate.yml': base }, { 'int8-gate.yml': head });
    expect(found.loaded.settings.gate.inconclusive).toBe('fail');
    expect(found.loaded.settings.gate.thresholds.mAP50).toEqual({ min: 0.7 });
    expect(found.loaded.settings.model).toMatch(/other\.onnx$/);
    expect(found.settingsChanges).toEqual([
      { path: 'gate.inconclusive', base: '"fail"', head: '"pass"', judgedBy: 'base' },
      { path: 'gate.thresholds.mAP50.min', base: '0.7', head: null, judgedBy: 'base' },
      { path: 'model', base: '"model.onnx"', head: '"other.onnx"', judgedBy: 'head' },
    ]);
  });

  test('the head, with a word on it, when the base has no settings', async () => {
    const found = await terms({}, { 'int8-gate.yml': LOOSE });
    expect(found.loaded.settings.gate.thresholds['mAP50-95']).toEqual({ maxDrop: 0.5 });
    expect(found.withoutBase).toBe('main has no int8-gate.yml, so the head is judged by its own settings');
  });

  test('nobody, when the settings of the base are broken: its place is named', async () => {
    await expect(terms({ 'int8-gate.yml': 'version: 2' }, { 'int8-gate.yml': LOOSE })).rejects.toThrow(
      /main:int8-gate\.yml:1:10 version: must be 1/,
    );
  });

  test('nobody, when there is no such commit: how to fetch it', async () => {
    const request = { kind: 'ref', ref: 'origin/gone' } as const;
    await expect(terms({}, { 'int8-gate.yml': LOOSE }, request)).rejects.toThrow(
      /--base-ref origin\/gone: the repository has no such commit\n.*fetch-depth: 0/,
    );
  });

  test('a ref is no option of git', async () => {
    const request = { kind: 'ref', ref: '--help' } as const;
    await expect(terms({}, { 'int8-gate.yml': LOOSE }, request)).rejects.toThrow(/has no such commit/);
  });
});

describe('waivers', () => {
  const named = `${STRICT}  waivers: waivers.yml\n`;
  test.each([
    [
      'of the base count where the head has them',
      { 'int8-gate.yml': named, 'waivers.yml': waivers(0.1) },
      { 'int8-gate.yml': named, 'waivers.yml': waivers(0.1) },
      [0.1],
    ],
    [
      'that the head adds count nothing',
      { 'int8-gate.yml': STRICT },
      { 'int8-gate.yml': named, 'waivers.yml': waivers(0.1) },
      [],
    ],
    [
      'that the head widens stay',
      { 'int8-gate.yml': named, 'waivers.yml': waivers(0.1) },
      { 'int8-gate.yml': named, 'waivers.yml': waivers(0.9) },
      [0.1],
    ],
    [
      'that the head takes out are out',
      { 'int8-gate.yml': named, 'waivers.yml': waivers(0.1) },
      { 'int8-gate.yml': STRICT },
      [],
    ],
  ])('%s', async (_, base, head, drops) => {
    const found = await terms(base, head);
    expect(found.waivers.list.map(({ allowedDrop }) => allowedDrop)).toEqual(drops);
    expect(found.waivers.today).toBe('2026-11-24');
  });

  test.each([
    [
      'without an owner',
      /owner: '?o/,
      '',
      /waivers\.yml:3:5 waivers\[0\]\.owner: is missing: Who answers for it/,
    ],
    [
      'without an end',
      /2030-01-01/,
      'never',
      /waivers\.yml:3:70 waivers\[0\]\.expires: must be a text like 2026-12-31, is "never"/,
    ],
    ['of an unknown metric', /mAP50/, 'luck', /waivers\[0\]\.metric: must be one of mAP50-95, mAP50/],
  ])('%s are refused at their line', async (_, what, by, says) => {
    const text = waivers(0.1).replace(what, by === '' ? 'x: o' : by);
    const head = { 'int8-gate.yml': named, 'waivers.yml': text };
    const fault: unknown = await terms({ 'int8-gate.yml': STRICT }, head, { kind: 'none' }).catch(
      (error: unknown) => error,
    );
    expect(fault).toBeInstanceOf(InputFault);
    expect((fault as InputFault).message).toMatch(says);
  });
});

describe('a commit', () => {
  test('is checked out beside the work tree, without its hooks, and taken away', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'a.txt'), 'base');
      const commit = await firstCommit(folder);
      await writeFile(
        join(folder, '.git', 'hooks', 'post-checkout'),
        '#!/bin/sh\ntouch "$GIT_DIR/hooked"\n',
        { mode: 0o755 },
      );
      await writeFile(join(folder, 'a.txt'), 'head');
      await mkdir(join(folder, 'sub'));
      const repository = await openRepository(join(folder, 'sub'), 'HEAD');
      expect(repository.commit).toBe(commit);
      expect(await repository.read(join(folder, 'a.txt'))).toBe('base');
      expect(await repository.read(join(folder, 'sub', '*.txt'))).toBeUndefined();
      expect(await repository.checkedOut((at) => readdir(at))).toEqual(['.git', 'a.txt']);
      expect(await git(folder, 'worktree', 'list')).not.toContain('int8-gate-base');
      expect(await readdir(join(folder, '.git'))).not.toContain('hooked');
    }));

  test('is asked of a folder in no repository: words for it', () =>
    withFolder(async (folder) => {
      await expect(openRepository(folder, 'main')).rejects.toThrow(
        /cannot be used as a git repository: git: fatal: not a git repository/,
      );
    }));
});
