import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { annotationsIn, calibrationOf, imagesOf, survey } from '../../src/commands/survey.js';
import { InputFault } from '../../src/faults/index.js';
import { withFolder } from './child.js';

const YAML = 'path: .\ntrain: images/train\nval: images/val\nnames: [stop, give way]\n';
const COCO = JSON.stringify({
  images: [{ id: 1, file_name: 'a.jpg', width: 8, height: 8 }],
  annotations: [],
  categories: [{ id: 1, name: 'stop' }],
});
const XML = '<?xml version="1.0"?>\n<annotation><filename>a.jpg</filename></annotation>';
const LABELS = '0 0.5 0.5 0.1 0.25\n1 .1 .2 3e-2 .1\n';

interface Found {
  readonly annotations: string;
  readonly images: string | undefined;
  readonly calibration: string;
}

/** What is found in a folder of these files; images are empty ones. */
async function look(files: Readonly<Record<string, string>>): Promise<Found> {
  let found: Found | undefined;
  await withFolder(async (root) => {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, name)), { recursive: true });
      await writeFile(join(root, name), text);
    }
    const seen = await survey(root);
    const annotations = await annotationsIn(seen);
    const images = await imagesOf(annotations, seen);
    found = {
      annotations: relative(root, annotations),
      images: images && relative(root, images),
      calibration: relative(root, calibrationOf(seen, new Set([join(root, 'images/val')]))),
    };
  });
  return found as Found;
}

describe('finds, in a folder that it does not know,', () => {
  const images = { 'images/val/a.jpg': '', 'images/train/b.jpg': '' };
  const calibration = 'images/train';
  test.each<[string, Readonly<Record<string, string>>, Found]>([
    [
      'COCO, and the folder of its images',
      { ...images, 'val.json': COCO, 'package.json': '{}' },
      { annotations: 'val.json', images: 'images/val', calibration },
    ],
    [
      'the COCO file that speaks of validation',
      { ...images, 'instances_train.json': COCO, 'instances_val.json': COCO },
      { annotations: 'instances_val.json', images: 'images/val', calibration },
    ],
    [
      'of folders with images of the same names the one that is called like the annotations',
      {
        'data/aaa/a.jpg': '',
        'data/val/a.jpg': '',
        ...images,
        'images/val/a.jpg': '',
        'data/val.json': COCO,
      },
      { annotations: 'data/val.json', images: 'data/val', calibration },
    ],
    [
      'a data.yaml of any name, and not the labels that belong to it',
      { ...images, 'signs.yaml': YAML, 'labels/val/a.txt': LABELS, 'compose.yml': 'services: {}\n' },
      { annotations: 'signs.yaml', images: undefined, calibration },
    ],
    [
      'labels of validation without a data.yaml, and the images beside them',
      { ...images, 'labels/val/a.txt': LABELS, 'labels/train/b.txt': LABELS, 'notes/a.txt': 'to do: 1 2 3' },
      { annotations: 'labels/val', images: 'images/val', calibration },
    ],
    [
      'labels among their images',
      { ...images, 'val/a.jpg': '', 'val/a.txt': LABELS, 'val/classes.txt': 'stop\n' },
      { annotations: 'val', images: 'val', calibration },
    ],
    [
      'Pascal VOC, and not other XML',
      { ...images, 'Annotations/a.xml': XML, 'layout/page.xml': '<html/>' },
      { annotations: 'Annotations', images: undefined, calibration },
    ],
    [
      'the folder whose name speaks of calibration before that of training',
      { ...images, 'calib/c.jpg': '', 'val.json': COCO },
      { annotations: 'val.json', images: 'images/val', calibration: 'calib' },
    ],
  ])('%s', async (_, files, expected) => expect(await look(files)).toEqual(expected));

  test.each<[string, Readonly<Record<string, string>>, RegExp, string]>([
    ['no annotations', images, /none is found/, '--annotations'],
    [
      'two sets of labels of which none speaks of validation',
      { ...images, 'one/a.txt': LABELS, 'two/a.txt': LABELS },
      /several could be meant: .*one, .*two/,
      '--annotations',
    ],
    [
      'labels without images',
      { 'images/train/b.jpg': '', 'labels/val/a.txt': LABELS },
      /no images/,
      '--images',
    ],
    ['no images of a COCO file', { 'val.json': COCO }, /no folder here holds its images/, '--images'],
    ['no calibration images', { 'images/val/a.jpg': '', 'val.json': COCO }, /none is found/, '--calibration'],
  ])('%s: said with the flag that helps', async (_, files, what, flag) => {
    const fault: unknown = await look(files).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(InputFault);
    const [problem] = (fault as InputFault).problems;
    expect(problem?.what).toMatch(what);
    expect(problem?.fix).toContain(flag);
  });
});
