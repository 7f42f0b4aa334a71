import { describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import sharp from 'sharp';
import { loadGroundTruth, parseVoc, Problems } from '../../src/dataset/index.js';
import { withFolder, writeFiles } from './folder.js';

const picture = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: 'gray' } })
    .jpeg()
    .toBuffer();
const box = (xmin: number | string, ymin: number, xmax: number, ymax: number) =>
  `<bndbox><xmin>${xmin}</xmin><ymin>${ymin}</ymin><xmax>${xmax}</xmax><ymax>${ymax}</ymax></bndbox>`;
const object = (name: string, inside: string) => `<object><name>${name}</name>${inside}</object>`;
const file = (...inside: string[]) => `<annotation>\n${inside.join('\n')}\n</annotation>`;
const SIZE = '<size><width>100</width><height>50</height><depth>3</depth></size>';
const parsed = (text: string) => {
  const problems = new Problems();
  const found = parseVoc(text, 'a.xml', problems);
  problems.throwIfAny('a.xml');
  return found!;
};

describe('an annotation file', () => {
  test('counts pixels from 1 and includes the last', () => {
    const { objects, width, height, filename } = parsed(
      `<?xml version="1.0"?>\r\n${file('<filename>a&amp;b.jpg</filename>', SIZE, object('cat', box(1, 11, 10, 50)), object('dog', `<difficult>1</difficult><part><name>head</name>${box(3, 3, 4, 4)}</part>${box('2.5', 1, 3, 1)}`))}`,
    );
    expect([filename, width, height]).toEqual(['a&b.jpg', 100, 50]);
    expect(objects).toEqual([
      { line: 5, name: 'cat', difficult: false, x: 0, y: 10, w: 10, h: 40, fromZero: false },
      { line: 6, name: 'dog', difficult: true, x: 1.5, y: 0, w: 1.5, h: 1, fromZero: false },
    ]);
  });

  test('without objects, size or name is an image without objects', () =>
    expect(parsed(file('<folder>x</folder>'))).toEqual({
      filename: undefined,
      width: 0,
      height: 0,
      objects: [],
    }));

  test.each<[string, string, RegExp]>([
    ['entities', `<!DOCTYPE a [<!ENTITY x "y">]>${file(SIZE)}`, /^a\.xml: declares a document type/],
    ['an open tag', '<annotation>\n<size></annotation>', /^a\.xml:2:\d+: is no valid XML/],
    ['text', 'hello', /^a\.xml:1:1: is no valid XML/],
    ['nothing', '', /^a\.xml:1: is no valid XML/],
    ['another root', '<html><b>x</b></html>', /^a\.xml: has no element `annotation`/],
    [
      'a size of words',
      file('<size><width>wide</width></size>'),
      /^a\.xml size\.width: must be a whole number of pixels, is "wide"/,
    ],
    [
      'an object without a name',
      file(SIZE, `<object>${box(1, 1, 2, 2)}</object>`),
      /^a\.xml:3 object\[0\]\.name: is missing/,
    ],
    [
      'an object without a box',
      file(SIZE, object('a', box(1, 1, 2, 2)), object('a', '<pose/>')),
      /^a\.xml:4 object\[1\]\.bndbox: is missing/,
    ],
    ['an empty object', file('<object/>'), /^a\.xml:\d object\[0\]: is empty/],
    [
      'an edge missing',
      file(object('a', '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax></bndbox>')),
      /object\[0\]\.bndbox\.ymax: is missing/,
    ],
    [
      'an edge of words',
      file(object('a', box('NaN', 1, 2, 2))),
      /object\[0\]\.bndbox\.xmin: must be a number, is "NaN"/,
    ],
    [
      'an end before the beginning',
      file(object('a', box(5, 1, 2, 2))),
      /object\[0\]\.bndbox: ends before it begins: 5…2/,
    ],
    [
      'a difficulty of words',
      file(object('a', `<difficult>very</difficult>${box(1, 1, 2, 2)}`)),
      /object\[0\]\.difficult: must be 0 or 1, is "very"/,
    ],
  ])('with %s is refused by line and key', (_, text, message) => expect(() => parsed(text)).toThrow(message));
});

describe('a VOC set', () => {
  const files = async () => ({
    'JPEGImages/a.jpg': await picture(100, 50),
    'JPEGImages/b.png': await picture(30, 20),
    'JPEGImages/c.jpg': await picture(30, 20),
    'Annotations/a.xml': file(
      '<filename>a.jpg</filename>',
      SIZE,
      object('dog', box(1, 1, 10, 10)),
      object('cat', `<difficult>1</difficult>${box(0, 1, 101, 50)}`),
    ),
    'Annotations/b.xml': file('<filename>renamed.jpg</filename>', object('cat', box(2, 2, 3, 3))),
  });

  test.each([
    ['by its root', '', undefined],
    ['by its annotations', 'Annotations', undefined],
    ['by annotations and images', 'Annotations', 'JPEGImages'],
  ])('is found %s; names are sorted, difficult ignored, all that is odd counted', (_, annotations, images) =>
    withFolder(async (folder) => {
      await writeFiles(folder, await files());
      const truth = await loadGroundTruth({
        format: 'auto',
        annotations: join(folder, annotations),
        images: images && join(folder, images),
      });
      expect(truth.images.map(({ id, name, width, height }) => [id, name, width, height])).toEqual([
        [1, 'a.jpg', 100, 50],
        [2, 'b.png', 30, 20],
      ]);
      expect(truth.categories).toEqual([
        { id: 1, name: 'cat' },
        { id: 2, name: 'dog' },
      ]);
      expect([...truth.annotations.bbox]).toEqual([0, 0, 10, 10, -1, 0, 102, 50, 1, 1, 2, 2]);
      expect([...truth.annotations.ignore]).toEqual([0, 1, 0]);
      expect(truth.skipped).toEqual([
        { what: 'objects marked difficult, ignored', count: 1 },
        { what: 'boxes that begin at 0 though VOC counts from 1, read as VOC has it', count: 1 },
        { what: 'boxes that reach beyond the image, used as they are', count: 1 },
        { what: 'images without an annotation file, left out', count: 1 },
      ]);
    }),
  );

  test.each<[string, Record<string, string>, RegExp]>([
    [
      'another size than the image',
      { 'Annotations/b.xml': file(SIZE) },
      /b\.png: is 30×20 pixels, the annotations say 100×50/,
    ],
    [
      'a box outside the image',
      { 'Annotations/b.xml': file(object('cat', box(31, 1, 40, 5))) },
      /b\.xml:2 object\[0\]\.bndbox: lies outside the image of 30×20/,
    ],
    [
      'no image',
      { 'Annotations/z.xml': file('<filename>y.jpg</filename>') },
      /z\.xml: its image y\.jpg is not in .*JPEGImages/,
    ],
    [
      'an image annotated twice',
      { 'Annotations/z.xml': file('<filename>a.jpg</filename>') },
      /z\.xml: its image a\.jpg is annotated already, by .*a\.xml/,
    ],
  ])('with %s is refused', (_, more, message) =>
    withFolder(async (folder) => {
      await writeFiles(folder, { ...(await files()), ...more });
      await expect(loadGroundTruth({ format: 'auto', annotations: folder })).rejects.toThrow(message);
    }),
  );

  describe('with lists in ImageSets/Main', () => {
    const lists = { 'ImageSets/Main/val.txt': 'b\n', 'ImageSets/Main/cat_trainval.txt': 'a  1\r\nb -1\r\n' };
    test.each<[string, string, 'val' | 'test', string[], number]>([
      ['the split of the settings', '', 'val', ['b.png'], 1],
      ['every image where the split has no list', '', 'test', ['a.jpg', 'b.png'], 0],
      ['a list that is named, flags aside', 'ImageSets/Main/cat_trainval.txt', 'val', ['a.jpg', 'b.png'], 0],
    ])('holds %s', (_, annotations, split, images, left) =>
      withFolder(async (folder) => {
        await writeFiles(folder, { ...(await files()), ...lists });
        const truth = await loadGroundTruth({
          format: 'auto',
          annotations: join(folder, annotations),
          split,
        });
        expect(truth.images.map(({ name }) => name)).toEqual(images);
        const unlisted = truth.skipped.find(({ what }) => what.startsWith('annotation files that the split'));
        expect(unlisted?.count ?? 0).toBe(left);
      }),
    );
    test('refuses a name without annotations', () =>
      withFolder(async (folder) => {
        await writeFiles(folder, { ...(await files()), 'ImageSets/Main/val.txt': 'a\nz\n' });
        await expect(loadGroundTruth({ format: 'auto', annotations: folder })).rejects.toThrow(
          /val\.txt:2: there is no .*Annotations\/z\.xml/,
        );
      }));
    test('and one that lies elsewhere is refused', () =>
      withFolder(async (folder) => {
        await writeFiles(folder, { 'val.txt': 'a\n' });
        await expect(
          loadGroundTruth({ format: 'voc', annotations: join(folder, 'val.txt') }),
        ).rejects.toThrow(/val\.txt: is a file, and there is no folder .*Annotations/);
      }));
  });

  test('a folder without XML files is refused', () =>
    withFolder((folder) =>
      expect(loadGroundTruth({ format: 'voc', annotations: folder })).rejects.toThrow(/holds no \.xml file/),
    ));
});
