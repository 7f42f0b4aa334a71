import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  evaluateFiles,
  formatEvaluation,
  type CocoFileEvaluation,
} from '../../src/commands/evaluate-files.js';
import { runDist } from './child.js';

interface Case {
  readonly corner: string;
  readonly ids?: 'distinct' | 'pycocotools';
  readonly truth: { images: object[]; annotations: object[]; categories: object[] };
  readonly detections: object[];
  readonly stats: readonly number[];
}

const cases = JSON.parse(
  gunzipSync(readFileSync('test/evaluation/golden/coco.json.gz')).toString(),
) as Case[];
const caseOf = (corner: string): Case => cases.find((one) => one.corner === corner) as Case;

let folder = '';
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'int8-gate-files-'))));
afterAll(() => rm(folder, { recursive: true }));

/** Writes the files of a case; answers their paths. */
async function write({ truth, detections }: Pick<Case, 'truth' | 'detections'>): Promise<[string, string]> {
  const images = truth.images.map((image, i) => ({ file_name: `${i}.jpg`, ...image }));
  const paths: [string, string] = [join(folder, 'gt.json'), join(folder, 'dt.json')];
  await writeFile(paths[0], JSON.stringify({ ...truth, images }));
  await writeFile(paths[1], JSON.stringify(detections));
  return paths;
}

const NAMES = [
  'AP',
  'AP50',
  'AP75',
  'APs',
  'APm',
  'APl',
  'AR1',
  'AR10',
  'AR100',
  'ARs',
  'ARm',
  'ARl',
] as const;

describe('files', () => {
  test.each([
    'plain',
    'crowd',
    'zero-id',
    'zero-id, distinct',
    'repeated-ids',
    'empty-detections',
    'empty-truth',
  ])('have the numbers of pycocotools: %s', async (corner) => {
    const one = caseOf(corner);
    const ids = one.ids ?? 'distinct';
    const found = (await evaluateFiles(...(await write(one)), { metric: 'coco', ids })) as CocoFileEvaluation;
    NAMES.forEach((name, i) => expect(found[name]).toBeCloseTo(one.stats[i] as number, 12));
    expect(found.counted.detections).toBe(one.detections.length);
  });

  const box = (image_id: number, category_id: number, x: number) => ({
    image_id,
    category_id,
    bbox: [x, 0, 40, 40],
  });
  const made = {
    truth: {
      images: [{ id: 1 }, { id: 2 }],
      categories: [
        { id: 1, name: 'cat' },
        { id: 2, name: 'red\u001b[31mdog' },
      ],
      annotations: [
        { id: 0, ...box(1, 1, 0) },
        { id: 3, ...box(1, 1, 100) },
        { id: 4, ...box(2, 1, 0), iscrowd: 1 },
      ],
    },
    detections: [
      ...Array.from({ length: 103 }, (_, i) => ({
        ...box(1, 1, i === 50 ? 0 : 500 + 50 * i),
        score: 1 - i / 200,
      })),
      { ...box(2, 2, 0), score: 0.5 },
    ],
  };

  test('what had no part in the numbers is counted and said', async () => {
    const paths = await write(made);
    const found = await evaluateFiles(...paths, { metric: 'coco', ids: 'distinct' });
    expect(found.counted).toMatchObject({
      images: 2,
      boxes: 3,
      countingBoxes: 2,
      detections: 104,
      leftOut: [{ count: 3 }, { count: 1 }],
    });
    expect(formatEvaluation(found)).toMatch(
      /2 images; 3 boxes, 2 of which count; 104 detections\nleft out: 3 beyond the 100 strongest of their class and image\nleft out: 1 of classes without a box that counts\nAn annotation has the id 0\. Here it counts/,
    );
    expect(formatEvaluation(found)).not.toContain('\u001b');
    const voc = await evaluateFiles(...paths, { metric: 'voc', ids: 'distinct' });
    expect(voc.counted.leftOut).toEqual([{ what: 'of classes without a box that counts', count: 1 }]);
    expect(formatEvaluation(voc)).toMatch(/mAP +0\.0098 +Pascal VOC, all points, IoU above 0\.5/);
  });
});

describe('int8-gate evaluate --ground-truth --detections', () => {
  const evaluate = async (one: Pick<Case, 'truth' | 'detections'>, ...more: string[]) => {
    const [gt, dt] = await write(one);
    return runDist('cli.js', ['evaluate', '--ground-truth', gt, '--detections', dt, ...more]);
  };

  test("--json has pycocotools' names, per IoU and per class", async () => {
    const one = caseOf('plain');
    const { status, stdout } = await evaluate(one, '--json', '--iou-type', 'bbox');
    expect(status).toBe(0);
    const found = JSON.parse(stdout) as CocoFileEvaluation;
    NAMES.forEach((name, i) => expect(found[name]).toBeCloseTo(one.stats[i] as number, 12));
    expect(found.perIou.map(({ iou }) => iou)).toHaveLength(10);
    expect(found.perIou.reduce((sum, { AP }) => sum + AP, 0) / 10).toBeCloseTo(found.AP, 12);
    const judged = found.perClass.filter(({ APs }) => APs >= 0);
    expect(judged.reduce((sum, { APs }) => sum + APs, 0) / judged.length).toBeCloseTo(found.APs, 9);
    expect(found.perClass.map(({ id }) => id)).toEqual([3, 7, 90]);
  });

  test.each<[string, string[], RegExp]>([
    ['masks', ['--iou-type', 'segm'], /Allowed choices are bbox/],
    ['an unknown metric', ['--metric', 'lvis'], /Allowed choices are coco, voc07, voc/],
  ])('%s are refused with status 2', async (_, more, message) => {
    const { status, stdout, stderr } = await evaluate(caseOf('plain'), ...more);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });

  test('--metric without files is refused', async () => {
    const { status, stderr } = await runDist('cli.js', ['evaluate', '--metric', 'voc']);
    expect(stderr).toMatch(/--metric and --ids are for files/);
    expect(status).toBe(2);
  });

  test.each<[string, (gt: string, dt: string) => Promise<void>, RegExp]>([
    ['a missing file', (_, dt) => rm(dt), /dt\.json: this results file does not exist/],
    [
      'no JSON',
      (_, dt) => writeFile(dt, '[{"image_id": 1,]'),
      /dt\.json:1:17: .*not valid JSON: expected a key/,
    ],
    [
      'files the wrong way round',
      async (gt, dt) => writeFile(gt, await readFile(dt)),
      /this looks like a results file/,
    ],
    [
      'a score of NaN',
      (_, dt) => writeFile(dt, '[{"image_id":1,"category_id":3,"bbox":[0,0,1,1],"score":NaN}]'),
      /dt\.json \[0\]\.score: must be a finite number, is NaN/,
    ],
    [
      'an image that is not there',
      (_, dt) => writeFile(dt, '[{"image_id":999,"category_id":3,"bbox":[0,0,1,1],"score":1}]'),
      /dt\.json \[0\]\.image_id: 999 is not in the annotations/,
    ],
  ])('%s ends with status 2 and no number', async (_, spoil, message) => {
    const [gt, dt] = await write(caseOf('plain'));
    await spoil(gt, dt);
    const { status, stdout, stderr } = await runDist('cli.js', [
      'evaluate',
      '--ground-truth',
      gt,
      '--detections',
      dt,
    ]);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect([status, stdout]).toEqual([2, '']);
  });
});
