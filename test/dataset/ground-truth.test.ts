import { describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import sharp from 'sharp';
import { findFormat, loadGroundTruth, parseCoco, stratify } from '../../src/dataset/index.js';
import { withFolder, writeFiles } from './folder.js';

const picture = (width: number, height: number, orientation?: number) => {
  const image = sharp({ create: { width, height, channels: 3, background: 'gray' } });
  return (orientation === undefined ? image : image.withMetadata({ orientation })).jpeg().toBuffer();
};
const coco = (change: Record<string, unknown> = {}) => ({
  images: [
    { id: 1, file_name: 'a.jpg', width: 40, height: 20 },
    { id: 2, file_name: 'b.jpg' },
  ],
  categories: [{ id: 7, name: 'cat' }],
  annotations: [{ id: 5, image_id: 1, category_id: 7, bbox: [0, 0, 40, 20] }],
  ...change,
});
const annotation = (bbox: readonly number[], image_id = 1) => ({
  annotations: [{ id: 5, image_id, category_id: 7, bbox }],
});

describe('a COCO set with its images', () => {
  const load = async (json: unknown, exif = true, turned?: number) =>
    withFolder(async (folder) => {
      const [a, b] = [await picture(40, 20, turned), await picture(30, 10, 6)];
      await writeFiles(folder, { 'gt.json': JSON.stringify(json), 'images/a.jpg': a, 'images/b.jpg': b });
      const [annotations, images] = [join(folder, 'gt.json'), join(folder, 'images')];
      return loadGroundTruth({ format: 'auto', annotations, images, exif });
    });
  const refused = async (json: unknown, turned?: number) =>
    expect((await load(json, true, turned).catch((error: unknown) => error)) as Error);

  test('takes sizes that the annotations lack from the headers, turned or as stored', async () => {
    expect((await load(coco())).images[1]).toMatchObject({ width: 10, height: 30 });
    expect((await load(coco(), false)).images[1]).toMatchObject({ width: 30, height: 10 });
    expect((await load(coco())).skipped).toEqual([]);
  });

  test('counts boxes that no detection can match and boxes beyond the border', async () => {
    expect((await load(coco(annotation([5, 5, 0, 10])))).skipped).toEqual([
      { what: 'boxes without area, kept as in pycocotools: no detection can match them', count: 1 },
    ]);
    expect((await load(coco(annotation([-1, 0, 42, 21])))).skipped).toEqual([]);
    expect((await load(coco(annotation([-2, 0, 10, 10])))).skipped).toEqual([
      { what: 'boxes that reach beyond the image, used as they are', count: 1 },
    ]);
  });

  test.each([
    [
      'shares of the image',
      [0.1, 0.2, 0.5, 0.4],
      /annotations\[\]\.bbox: all 5 boxes lie within 0…1.*pixels\n.*Multiply/,
    ],
    ['two corners', [15, 5, 39, 19], /5 of 5 boxes reach beyond their image.*corners.*\n.*x2 − x1/],
  ])('refuses boxes that are %s', async (_, bbox, words) => {
    const annotations = [1, 2, 3, 4, 5].map((id) => ({ id, image_id: 1, category_id: 7, bbox }));
    (await refused(coco({ annotations }))).toHaveProperty('message', expect.stringMatching(words));
  });

  test('takes wide boxes at the left for what they are', async () => {
    const annotations = [1, 2, 3, 4, 5].map((id) => ({
      id,
      image_id: 1,
      category_id: 7,
      bbox: [0, 0, 40, 20],
    }));
    expect((await load(coco({ annotations }))).skipped).toEqual([]);
  });

  test('finds images in subfolders, with any ending, with backslashes, and with accents written otherwise', () =>
    withFolder(async (folder) => {
      const written = ['deep/a.JPG', 'deep\\b.jpeg', 'caf\u00e9.jpg', '\u5199\u771f.jpg', 'val2017/c.jpg'];
      const onDisk = ['deep/a.JPG', 'deep/b.jpeg', 'cafe\u0301.jpg', '\u5199\u771f.jpg', 'c.jpg'];
      const image = await picture(40, 20);
      await writeFiles(folder, Object.fromEntries(onDisk.map((name) => [`images/${name}`, image])));
      const images = written.map((file_name, i) => ({ id: i + 1, file_name, width: 40, height: 20 }));
      await writeFiles(folder, { 'gt.json': JSON.stringify(coco({ images })) });
      const truth = await loadGroundTruth({
        format: 'auto',
        annotations: join(folder, 'gt.json'),
        images: join(folder, 'images'),
      });
      expect(truth.images.map(({ file }) => file)).toEqual(
        onDisk.map((name) => join(folder, 'images', ...name.split('/'))),
      );
    }));

  test('with segmentations alone is refused, and told how to get boxes', async () =>
    (
      await refused(
        coco({ annotations: [{ id: 5, image_id: 1, category_id: 7, segmentation: [[0, 0, 9, 0, 9, 9]] }] }),
      )
    ).toMatchObject({
      message: expect.stringMatching(
        /annotations\[0\]\.bbox: is missing\n.*mask\.toBbox/,
      ) as unknown as string,
    }));

  test('is refused when a box lies outside its image, whose size the header tells', async () =>
    (await refused(coco(annotation([11, 0, 5, 5], 2)))).toMatchObject({
      message: expect.stringMatching(
        /gt\.json annotations\[id 5\]\.bbox: \[11, 0, 5, 5\] lies outside its image of 10×30 pixels/,
      ) as unknown as string,
    }));

  test('is refused when the size contradicts the image, before any is decoded', async () => {
    const images = [{ id: 1, file_name: 'a.jpg', width: 41, height: 20 }];
    (await refused(coco({ images }))).toMatchObject({
      message: expect.stringMatching(
        /a\.jpg: is 40×20 pixels, the annotations say 41×20\n.*The boxes would not fit/,
      ) as unknown as string,
    });
    (await refused(coco(), 8)).toMatchObject({
      message: expect.stringMatching(
        /a\.jpg: is 20×40 pixels \(EXIF orientation 8, followed\).*\n.*set `preprocessing\.exif: false`/,
      ) as unknown as string,
    });
  });

  test('is refused with every missing image named', async () => {
    const images = [1, 2].map((id) => ({ id, file_name: `gone-${id}.jpg` }));
    (await refused(coco({ images }))).toMatchObject({
      message: expect.stringMatching(
        /images\[id 1\]\.file_name: gone-1\.jpg is not in [^]*images\[id 2\]\.file_name: gone-2\.jpg/,
      ) as unknown as string,
    });
  });

  test('needs a folder of images, unless only boxes matter or it is an export that holds both', () =>
    withFolder(async (folder) => {
      await writeFiles(folder, {
        'gt.json': JSON.stringify(coco()),
        'valid/_annotations.coco.json': JSON.stringify(coco()),
        'valid/a.jpg': await picture(40, 20),
        'valid/b.jpg': await picture(3, 2),
      });
      const annotations = join(folder, 'gt.json');
      await expect(loadGroundTruth({ format: 'coco', annotations })).rejects.toThrow(
        /gt\.json: is COCO.*\n.*validation\.images/,
      );
      expect((await loadGroundTruth({ format: 'coco', annotations, boxesOnly: true })).images).toHaveLength(
        2,
      );
      for (const format of ['auto', 'coco'] as const)
        expect((await loadGroundTruth({ format, annotations: join(folder, 'valid') })).images).toHaveLength(
          2,
        );
    }));
});

describe('the format of annotations', () => {
  test.each<[string, Record<string, string>, string, string]>([
    ['a .json file', { 'x.json': '' }, 'x.json', 'coco'],
    ['a .yaml file', { 'x.yaml': '' }, 'x.yaml', 'yolo'],
    ['a folder with data.yaml', { 'd/data.yaml': '', 'd/a.xml': '' }, 'd', 'yolo'],
    ['a folder of .txt', { 'd/a.txt': '', 'd/b.TXT': '' }, 'd', 'yolo'],
    ['a folder of .xml and images', { 'd/a.xml': '', 'd/a.jpg': '' }, 'd', 'voc'],
    ['a folder with Annotations', { 'd/Annotations/a.xml': '' }, 'd', 'voc'],
  ])('is told by %s', (_, files, name, format) =>
    withFolder(async (folder) => {
      await writeFiles(folder, files);
      expect(await findFormat(join(folder, name))).toMatchObject({ format });
    }),
  );

  test.each<[string, Record<string, string>, string, RegExp]>([
    ['nothing there', {}, 'x', /x: there is no such file or folder/],
    [
      'an unknown ending',
      { 'x.csv': '' },
      'x.csv',
      /x\.csv: is no annotation file by its ending \.csv\n.*validation\.format/,
    ],
    [
      'both kinds',
      { 'd/a.xml': '', 'd/a.txt': '' },
      'd',
      /d: several formats could be meant: 1 \.xml, 1 \.txt and 0 \.json/,
    ],
    ['a folder of pictures', { 'd/a.jpg': '' }, 'd', /d: holds no annotations/],
  ])('is not guessed from %s', (_, files, name, message) =>
    withFolder(async (folder) => {
      await writeFiles(folder, files);
      await expect(findFormat(join(folder, name))).rejects.toThrow(message);
    }),
  );
});

describe('a subset', () => {
  /** 300 images: all show class 1, every 10th class 2, three class 3, the last 30 nothing. */
  const truth = parseCoco(
    {
      images: Array.from({ length: 300 }, (_, id) => ({ id, file_name: `${id}.jpg`, width: 9, height: 9 })),
      categories: [1, 2, 3].map((id) => ({ id, name: String(id) })),
      annotations: Array.from({ length: 270 }, (_, image_id) =>
        [1, ...(image_id % 10 === 0 ? [2] : []), ...(image_id % 90 === 5 ? [3] : [])].map((category_id) => ({
          image_id,
          category_id,
          bbox: [0, 0, 1, 1],
        })),
      )
        .flat()
        .map((one, id) => ({ ...one, id })),
    },
    'gt.json',
    '',
  );
  const imagesOf = (category: number) =>
    new Set(
      Array.from(truth.annotations.image).filter((_, row) => truth.annotations.category[row] === category),
    );
  const background = new Set(truth.images.map((_, i) => i).filter((i) => i >= 270));

  test.each([30, 60, 150])(
    'of %p keeps the proportions of classes and of empty images, and the rarest class',
    (count) => {
      const kept = stratify(truth, count, 1);
      expect(kept).toHaveLength(count);
      expect(new Set(kept).size).toBe(count);
      expect([...kept]).toEqual([...kept].sort((a, b) => a - b));
      const share = (members: ReadonlySet<number>) => kept.filter((i) => members.has(i)).length / count;
      expect(Math.abs(share(imagesOf(0)) - 0.9)).toBeLessThan(0.04);
      expect(Math.abs(share(imagesOf(1)) - 0.09)).toBeLessThan(0.04);
      expect(share(imagesOf(2))).toBeGreaterThan(0);
      expect(Math.abs(share(background) - 0.1)).toBeLessThan(0.04);
    },
  );

  test('is the same for a seed, another for another seed', () => {
    expect(stratify(truth, 40, 3)).toEqual(stratify(truth, 40, 3));
    expect(stratify(truth, 40, 3)).not.toEqual(stratify(truth, 40, 4));
  });

  test('of one image, of all and of more', () => {
    expect(stratify(truth, 1, 1)).toHaveLength(1);
    expect(stratify(truth, 300, 1)).toHaveLength(300);
    expect(stratify(truth, 999, 1)).toHaveLength(300);
  });

  test('is told in what was skipped', async () => {
    const source = {
      format: 'auto',
      annotations: 'fixtures/signs/val.json',
      images: 'fixtures/signs/val',
    } as const;
    const whole = await loadGroundTruth(source);
    const part = await loadGroundTruth({ ...source, limit: 16, seed: 5 });
    expect(part.images).toHaveLength(16);
    expect(part.skipped).toEqual([{ what: 'images left out by the limit', count: whole.images.length - 16 }]);
    const names = new Set(part.images.map(({ name }) => name));
    expect(part.annotations.count).toBe(
      Array.from(whole.annotations.image).filter((i) => names.has(whole.images[i]!.name)).length,
    );
  });
});
