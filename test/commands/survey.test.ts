import { describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { annotationsIn, calibrationOf, imagesOf, survey } from '../../src/commands/survey.js';
import { runDist } from './child.js';

async function withFiles(
  files: Readonly<Record<string, string | Uint8Array>>,
  job: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'int8-gate-init-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), content);
    }
    await job(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const COCO = JSON.stringify({
  images: [{ id: 1, file_name: 'a.jpg' }],
  categories: [{ id: 1, name: 'x' }],
  annotations: [],
});
const XML = '<annotation><filename>a.jpg</filename></annotation>';

describe('a labelled set is found', () => {
  test.each<[string, Record<string, string>, string, string | undefined]>([
    [
      'as COCO, other JSON left aside',
      { 'x/gt.json': COCO, 'package.json': '{}', 'pics/a.jpg': '' },
      'x/gt.json',
      'pics',
    ],
    [
      'as COCO of the validation split',
      { 'train.json': COCO, 'val.json': COCO, 'p/a.jpg': '' },
      'val.json',
      'p',
    ],
    ['as a data.yaml', { 'set/data.yaml': 'val: images', 'other.yaml': '' }, 'set/data.yaml', undefined],
    [
      'as Pascal VOC',
      { 'voc/Annotations/a.xml': XML, 'pom.xml': '<project/>' },
      'voc/Annotations',
      undefined,
    ],
  ])('%s', (_, files, annotations, images) =>
    withFiles({ ...files, 'node_modules/val.json': COCO }, async (folder) => {
      const found = await survey(folder);
      const path = await annotationsIn(found);
      expect(relative(folder, path)).toBe(annotations);
      const where = await imagesOf(path, found);
      expect(where && relative(folder, where)).toBe(images);
    }),
  );

  test.each<[string, Record<string, string>, RegExp]>([
    ['nothing', {}, /^annotations: no annotations \(COCO .json.*lies in this folder\n.*--annotations/],
    [
      'two that could be meant',
      { 'a.json': COCO, 'data.yaml': '' },
      /several could be meant: .*a\.json, .*data\.yaml/,
    ],
  ])('unless there is %s', (_, files, message) =>
    withFiles(files, async (folder) => {
      await expect(annotationsIn(await survey(folder))).rejects.toThrow(message);
    }),
  );

  test('unless no folder holds the images', () =>
    withFiles({ 'gt.json': COCO, 'pics/b.jpg': '' }, async (folder) => {
      await expect(imagesOf(join(folder, 'gt.json'), await survey(folder))).rejects.toThrow(
        /no folder here holds its images \(looked for a\.jpg\)/,
      );
    }));
});

test('folders that are linked into the project are looked through, and a circle of links ends', () =>
  withFiles({ 'far/pics/a.jpg': '', 'far/m.onnx': '', 'project/gt.json': COCO }, async (folder) => {
    const project = join(folder, 'project');
    await symlink(join(folder, 'far'), join(project, 'data'));
    await symlink(project, join(project, 'again'));
    await symlink(join(folder, 'nowhere'), join(project, 'broken'));
    const found = await survey(project);
    expect(found.models).toEqual([join(project, 'data', 'm.onnx')]);
    expect([...found.folders.keys()]).toEqual([join(project, 'data', 'pics')]);
  }));

test.each<[string, readonly string[], string | RegExp]>([
  ['the one that speaks of calibration', ['val', 'train', 'calib'], 'calib'],
  ['that of the training images', ['val', 'train', 'more'], 'train'],
  ['the only one beside the validation images', ['val', 'more'], 'more'],
  ['asked for when there are several', ['val', 'a', 'b'], /several could be meant/],
  ['asked for when there is none', ['val'], /no folder of calibration images/],
])('the calibration folder is %s', (_, folders, expected) =>
  withFiles(Object.fromEntries(folders.map((name) => [`${name}/x.jpg`, ''])), async (folder) => {
    const found = await survey(folder);
    const choose = () => relative(folder, calibrationOf(found, new Set([join(folder, 'val')])));
    if (typeof expected === 'string') expect(choose()).toBe(expected);
    else expect(choose).toThrow(expected);
  }),
);

test('init finds a YOLO set, leaves its images to data.yaml, and writes settings that evaluate takes', async () => {
  const pictures = Object.fromEntries(
    await Promise.all(
      ['001000', '001001', '001002'].map(async (name, i) => [
        `set/images/${i === 2 ? 'train' : 'val'}/${name}.jpg`,
        await readFile(`fixtures/signs/val/${name}.jpg`),
      ]),
    ),
  ) as Record<string, Uint8Array>;
  const names = (
    JSON.parse(await readFile('fixtures/signs/val.json', 'utf8')) as { categories: { name: string }[] }
  ).categories.map(({ name }) => name);
  const files = {
    ...pictures,
    'set/labels/val/001000.txt': '0 0.5 0.5 0.5 0.5\n0 0.5 0.5 0.5 0.5\n',
    'set/data.yaml': `path: .\ntrain: images/train\nval: images/val\nnames: ${JSON.stringify(names)}\n`,
  };
  await withFiles(files, async (folder) => {
    const model = join(process.cwd(), 'fixtures/signs/models/signs-v10.onnx');
    const { status, stdout, stderr } = await runDist('cli.js', ['init', '--model', model], { cwd: folder });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /2 validation images with 1 boxes[^]*1 rows that repeat another exactly, dropped[^]*1 calibration images in set\/images\/train/,
    );
    const text = await readFile(join(folder, 'int8-gate.yml'), 'utf8');
    expect(text).toMatch(/validation:\n {2}annotations: "set\/data\.yaml"\n/);
    expect(text).toMatch(/calibration:\n {2}images: "set\/images\/train"\n/);
    const evaluated = await runDist('cli.js', ['evaluate', '--json'], { cwd: folder });
    expect(evaluated.stderr).toMatch(
      /Validation data: 1 rows that repeat another exactly, dropped; 1 images without a label file/,
    );
    expect([evaluated.status, JSON.parse(evaluated.stdout)]).toEqual([
      0,
      expect.objectContaining({ AP: expect.any(Number) as unknown }),
    ]);
  });
}, 60_000);
