import { describe, expect, test } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import {
  listImages,
  openImages,
  parseCoco,
  parseDetections,
  place,
  prepareImage,
  type PreprocessingSpec,
} from '../../src/dataset/index.js';
import { withFolder } from './folder.js';

const spec: PreprocessingSpec = {
  resize: 'letterbox',
  height: 64,
  width: 64,
  interpolation: 'opencv',
  color: 'rgb',
  pad: 114,
  scale: 1,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  layout: 'nchw',
  dtype: 'float32',
  exif: true,
};
const coco = (change: Record<string, unknown> = {}) => ({
  images: [
    { id: 2, file_name: 'b.jpg', width: 10, height: 10 },
    { id: 1, file_name: 'a.jpg', width: 10, height: 10 },
  ],
  categories: [
    { id: 9, name: 'y' },
    { id: 4, name: 'x' },
  ],
  annotations: [{ id: 0, image_id: 2, category_id: 4, bbox: [1, 2, 3, 4] }],
  ...change,
});

describe('COCO annotations', () => {
  test('are sorted by id; area and iscrowd have defaults', () => {
    const { images, categories, annotations } = parseCoco(coco(), 'gt.json', '/data');
    expect(images.map(({ id, file }) => [id, file])).toEqual([
      [1, '/data/a.jpg'],
      [2, '/data/b.jpg'],
    ]);
    expect(categories.map(({ name }) => name)).toEqual(['x', 'y']);
    expect([
      annotations.image[0],
      annotations.category[0],
      annotations.area[0],
      annotations.crowd[0],
    ]).toEqual([1, 0, 12, 0]);
  });

  const annotation = (change: Record<string, unknown>) =>
    coco({ annotations: [{ id: 1, image_id: 1, category_id: 4, bbox: [1, 2, 3, 4], ...change }] });
  test.each<[string, unknown, RegExp]>([
    ['a list', [], /gt\.json: a COCO annotation file is an object/],
    ['no images', coco({ images: undefined }), /gt\.json.*images/],
    ['an unknown image', annotation({ image_id: 7 }), /annotations\[0\].*image_id/],
    ['an unknown category', annotation({ category_id: 7 }), /annotations\[0\].*category_id/],
    ['a negative width', annotation({ bbox: [1, 2, -3, 4] }), /annotations\[0\].*bbox/],
    ['a box of three', annotation({ bbox: [1, 2, 3] }), /annotations\[0\].*bbox/],
    ['a word as box', annotation({ bbox: 'here' }), /annotations\[0\].*bbox/],
  ])('%s is refused, naming record and key', (_, json, message) =>
    expect(() => parseCoco(json, 'gt.json', '')).toThrow(message),
  );

  test.each<[string, unknown, RegExp]>([
    ['an unknown image', [{ image_id: 5, category_id: 4, bbox: [0, 0, 1, 1], score: 1 }], /\[0\].*image_id/],
    ['no score', [{ image_id: 1, category_id: 4, bbox: [0, 0, 1, 1] }], /\[0\].*score/],
  ])('results with %s are refused', (_, json, message) =>
    expect(() => parseDetections(json, 'dt.json', parseCoco(coco(), 'gt.json', ''))).toThrow(message),
  );

  test('an empty result file is no detections', () =>
    expect(parseDetections([], 'dt.json', parseCoco(coco(), 'gt.json', '')).count).toBe(0));
});

describe('placing on the canvas', () => {
  test.each([
    // As Ultralytics' LetterBox computes it: round half to even, pads round(d - 0.1).
    [100, 50, 'letterbox', { width: 64, height: 32, left: 0, top: 16 }],
    [50, 101, 'letterbox', { width: 32, height: 64, left: 16, top: 0 }],
    [65, 64, 'letterbox', { width: 64, height: 63, left: 0, top: 0 }],
    [5000, 1, 'letterbox', { width: 64, height: 1, left: 0, top: 31 }],
    [100, 67, 'letterbox-top-left', { width: 64, height: 42, left: 0, top: 0 }],
    [100, 50, 'stretch', { width: 64, height: 64, left: 0, top: 0 }],
  ] as const)('%p×%p by %s', (width, height, resize, expected) =>
    expect(place(width, height, { ...spec, resize })).toMatchObject(expected),
  );

  test('pads with the given value and orders channels', () => {
    const image = { data: Uint8Array.of(1, 2, 3, 1, 2, 3), width: 2, height: 1 };
    const { pixels } = prepareImage(image, { ...spec, width: 2, height: 3, color: 'bgr' });
    expect([...pixels]).toEqual([
      114, 114, 114, 114, 114, 114, 3, 2, 1, 3, 2, 1, 114, 114, 114, 114, 114, 114,
    ]);
  });
});

describe('an image store', () => {
  test('decodes an image once for all who ask at the same time, and again when memory was needed', async () => {
    const records = await listImages('fixtures/signs/calib');
    expect(records).toHaveLength(128);
    const store = openImages(records, { ...spec, width: 192, height: 192 }, { memoryMiB: 1 });
    const [a, b] = await Promise.all([store.get(0), store.get(0)]);
    expect(a).toBe(b);
    for (let i = 1; i < 30; i++) await store.get(i);
    expect(await store.get(0)).not.toBe(a);
    expect((await store.get(0)).pixels).toEqual(a.pixels);
  });

  test('refuses an image whose size contradicts the annotations', async () => {
    const [record] = await listImages('fixtures/signs/calib');
    const store = openImages([{ ...record!, width: 100, height: 192 }], spec, { memoryMiB: 16 });
    await expect(store.get(0)).rejects.toThrow(/is 192×192 pixels, the annotations say 100×192/);
  });

  test.each([
    [6, true, 30, 20, 'as stored', 'false'],
    [6, false, 20, 30, 'as shown', 'true'],
  ] as const)(
    'says so when boxes were made on the other side of EXIF orientation %p',
    (orientation, exif, width, height, how, set) =>
      withFolder(async (folder) => {
        const file = join(folder, 'turned.jpg');
        await sharp({ create: { width: 30, height: 20, channels: 3, background: 'red' } })
          .withMetadata({ orientation })
          .jpeg()
          .toFile(file);
        const store = openImages(
          [{ id: 1, name: 'turned.jpg', file, width, height }],
          { ...spec, exif },
          { memoryMiB: 16 },
        );
        await expect(store.get(0)).rejects.toThrow(
          new RegExp(
            `EXIF orientation 6.*the annotations say ${width}×${height}\\n.*${how}.*preprocessing.exif: ${set}`,
          ),
        );
      }),
  );

  test('decodes the next images ahead when asked in order, and tells a fault to who asks for that image', () =>
    withFolder(async (folder) => {
      const [good] = await listImages('fixtures/signs/calib');
      const bad = join(folder, 'bad.jpg');
      await writeFile(bad, 'text');
      const store = openImages([good!, { ...good!, file: bad }, good!], spec, { memoryMiB: 16 });
      await store.get(0);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await expect(store.get(1)).rejects.toThrow(/bad\.jpg: is no image that can be read: no JPEG/);
      await expect(store.get(1)).rejects.toThrow(/bad\.jpg: is no image that can be read: no JPEG/);
      await expect(store.get(2)).resolves.toMatchObject({ width: 64 });
    }));

  test('an empty folder is refused', () =>
    withFolder((folder) => expect(listImages(folder)).rejects.toThrow(/holds no image/)));
});
