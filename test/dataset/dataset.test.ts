import { describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import {
  decodeImage,
  listImages,
  openImages,
  parseCoco,
  parseDetections,
  place,
  prepareImage,
  type PreprocessingSpec,
} from '../../src/dataset/index.js';

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

async function withFolder(job: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'int8-gate-data-'));
  try {
    await job(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

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

describe('decoding', () => {
  const red = { create: { width: 6, height: 4, channels: 3, background: '#ff0000' } } as const;
  test.each([
    ['grey', () => sharp(red).greyscale().png()],
    ['palette', () => sharp(red).png({ palette: true })],
    ['transparent', () => sharp(red).ensureAlpha(0.5).png()],
    ['16 bit', () => sharp(red).toColourspace('rgb16').png()],
    ['CMYK', () => sharp(red).toColourspace('cmyk').jpeg()],
  ] as const)('%s images become 8-bit RGB', (_, make) =>
    withFolder(async (folder) => {
      await make().toFile(join(folder, 'image'));
      const { data, width, height } = await decodeImage(join(folder, 'image'), true);
      expect([width, height, data.length]).toEqual([6, 4, 72]);
      expect(data[0]).toBeGreaterThan(50);
    }),
  );

  test('EXIF orientation is followed, or left aside', () =>
    withFolder(async (folder) => {
      const file = join(folder, 'turned.jpg');
      await sharp(red).withMetadata({ orientation: 6 }).jpeg().toFile(file);
      expect(await decodeImage(file, true)).toMatchObject({ width: 4, height: 6 });
      expect(await decodeImage(file, false)).toMatchObject({ width: 6, height: 4 });
    }));

  test('truncated, missing and false images are named', () =>
    withFolder(async (folder) => {
      const whole = await readFile('fixtures/signs/val/001000.jpg');
      await writeFile(join(folder, 'cut.jpg'), whole.subarray(0, whole.length / 2));
      await expect(decodeImage(join(folder, 'cut.jpg'), true)).rejects.toThrow(
        /cut\.jpg: is no image that can be read/,
      );
      await expect(decodeImage(join(folder, 'gone.jpg'), true)).rejects.toThrow(
        /gone\.jpg: there is no such image/,
      );
    }));
});

describe('placing on the canvas', () => {
  test.each([
    // As Ultralytics' LetterBox computes it: round half to even, pads round(d - 0.1).
    [100, 50, 'letterbox', { width: 64, height: 32, left: 0, top: 16 }],
    [50, 101, 'letterbox', { width: 32, height: 64, left: 16, top: 0 }],
    [65, 64, 'letterbox', { width: 64, height: 63, left: 0, top: 0 }],
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

  test('an empty folder is refused', () =>
    withFolder((folder) => expect(listImages(folder)).rejects.toThrow(/holds no image/)));
});
