import { describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { loadGroundTruth, parseYoloLabels, Problems, type GroundTruth } from '../../src/dataset/index.js';
import { withFolder, writeFiles } from './folder.js';

const picture = (width: number, height: number, orientation?: number) => {
  const image = sharp({ create: { width, height, channels: 3, background: 'gray' } });
  return (orientation === undefined ? image : image.withMetadata({ orientation })).jpeg().toBuffer();
};
const boxes = ({ annotations }: GroundTruth) =>
  Array.from(annotations.image, (image, row) => [
    image,
    annotations.category[row],
    ...annotations.bbox.subarray(4 * row, 4 * row + 4),
  ]);
const parsed = (text: string, classes = 3) => {
  const problems = new Problems();
  const labels = parseYoloLabels(text, 'a.txt', classes, problems);
  problems.throwIfAny('a.txt');
  return labels;
};

describe('a label file', () => {
  test.each<[string, string, readonly (readonly number[])[]]>([
    ['of one box', '1 0.5 0.5 0.25 0.5', [[1, 1, 0.375, 0.25, 0.25, 0.5]]],
    [
      'without a line end, with spaces and Windows line ends',
      '\uFEFF  0 .5 .5 1 1 \r\n\r\n2\t0.5 0.5 1e-1 0.5',
      [
        [1, 0, 0, 0, 1, 1],
        [3, 2, 0.45, 0.25, 0.1, 0.5],
      ],
    ],
    ['with a class written as a fraction', '1.0 0.5 0.5 1 1', [[1, 1, 0, 0, 1, 1]]],
    ['of a polygon, which becomes its box', '0 0.25 0.5 0.75 0.25 0.5 1', [[1, 0, 0.25, 0.25, 0.5, 0.75]]],
    [
      'of a polygon and a box, each by itself',
      '0 0.25 0.5 0.75 0.25 0.5 1\n1 0.5 0.5 1 1',
      [
        [1, 0, 0.25, 0.25, 0.5, 0.75],
        [2, 1, 0, 0, 1, 1],
      ],
    ],
    ['that is empty', '', []],
    ['of blank lines', '\n \n', []],
    ['a little outside', '0 0.5 0.5 1.01 1', [[1, 0, -0.005, 0, 1.01, 1]]],
  ])('%s', (_, text, rows) => {
    const found = parsed(text).rows.map(({ line, category, x, y, w, h }) => [line, category, x, y, w, h]);
    expect(found).toHaveLength(rows.length);
    found.forEach((row, i) => row.forEach((value, k) => expect(value).toBeCloseTo(rows[i]![k]!, 12)));
  });

  test('exact repeats are dropped and counted, also when written otherwise', () =>
    expect(parsed('0 0.5 0.5 1 1\n0 0.5 0.50 1 1\n1 0.5 0.5 1 1')).toMatchObject({
      duplicates: 1,
      polygons: 0,
      rows: [{ line: 1 }, { line: 3 }],
    }));

  test.each<[string, string, RegExp]>([
    [
      'a class beyond the names',
      '0 0.5 0.5 1 1\n3 0.5 0.5 1 1',
      /^a\.txt:2: class 3 is not in 0…2\n.*3 names/,
    ],
    ['a negative class', '-1 0.5 0.5 1 1', /^a\.txt:1: class -1 is not in 0…2/],
    ['half a class', '0.5 0.5 0.5 1 1', /^a\.txt:1: class 0\.5 is not in/],
    ['pixels', '0 320 240 50 60', /^a\.txt:1: 320 lies outside 0…1\n.*not pixels/],
    ['a negative centre', '0 -0.2 0.5 0.1 0.1', /^a\.txt:1: -0\.2 lies outside/],
    ['four fields', '0 0.5 0.5 1', /^a\.txt:1: has 4 fields\n.*A row is/],
    ['a confidence', '0 0.5 0.5 1 1 0.9', /^a\.txt:1: has 6 fields.*these are predictions/],
    ['half a point', '0 0.1 0.1 0.2 0.2 0.3 0.3 0.4', /^a\.txt:1: has 8 fields/],
    ['a word', '0 0.5 x 1 1', /^a\.txt:1: field 3 must be a number, is "x"/],
    ['NaN', '0 0.5 nan 1 1', /^a\.txt:1: field 3 must be a number, is "nan"/],
    ['infinity', '0 0.5 1e999 1 1', /^a\.txt:1: field 3 must be a number, is "1e999"/],
    ['no width', '0 0.5 0.5 0 1', /^a\.txt:1: the box is 0×1: it has no area/],
    ['a flat polygon', '0 0.1 0.5 0.5 0.5 0.9 0.5', /^a\.txt:1: the box is .*×0: it has no area/],
    ['two mistakes', 'x\n0 2 2 1 1', /a\.txt:1: has 1 field\n[^]*a\.txt:2: 2 lies outside/],
  ])('with %s is refused by line', (_, text, message) => expect(() => parsed(text)).toThrow(message));
});

describe('a YOLO set', () => {
  const files = async () => ({
    'set/images/val/b.jpg': await picture(40, 20),
    'set/images/val/a.jpg': await picture(100, 50),
    'set/images/val/deep/c.jpg': await picture(10, 10),
    'set/images/train/t.jpg': await picture(8, 8),
    'set/labels/val/b.txt': '1 0.5 0.5 0.5 0.5\n0 0.25 0.5 0.5 1',
    'set/labels/val/a.txt': '',
    'set/labels/train/t.txt': '0 0.5 0.5 1 1',
  });
  const valBoxes = [
    [1, 1, 10, 5, 20, 10],
    [1, 0, 0, 0, 20, 20],
  ];

  test.each<[string, string, string]>([
    ['a folder', 'set/data.yaml', 'val: images/val\nnames: [cat, dog]'],
    ['a folder under path', 'data.yaml', 'path: set\nval: images/val\nnames: {0: cat, 1: dog}'],
    [
      'a folder, though path is that of another machine',
      'set/data.yaml',
      'path: /content/x\nval: images/val\nnames: [cat, dog]\nnc: 2',
    ],
    ['a folder behind ../, as Roboflow has it', 'set/data.yaml', 'val: ../images/val\nnames: [cat, dog]'],
    ['a list of folders', 'set/data.yaml', 'val:\n  - images/val/deep\n  - images/val\nnames: [cat, dog]'],
    ['called valid', 'set/data.yaml', 'valid: images/val\nnames: [cat, dog]'],
  ])('reads the split from %s', (_, at, yaml) =>
    withFolder(async (folder) => {
      await writeFiles(folder, { ...(await files()), [at]: yaml });
      const truth = await loadGroundTruth({ format: 'auto', annotations: join(folder, at) });
      expect(truth.images.map(({ id, name, width, height }) => [id, name, width, height])).toEqual([
        [1, 'a.jpg', 100, 50],
        [2, 'b.jpg', 40, 20],
        [3, 'deep/c.jpg', 10, 10],
      ]);
      expect(truth.categories).toEqual([
        { id: 0, name: 'cat' },
        { id: 1, name: 'dog' },
      ]);
      expect(boxes(truth)).toEqual(valBoxes);
      expect(truth.annotations.area).toEqual(Float64Array.of(200, 400));
      expect(truth.skipped).toContainEqual({
        what: 'images without a label file, taken as images without objects',
        count: 1,
      });
    }),
  );

  test('reads the split from a text file, paths relative to it or to the set, repeats once', () =>
    withFolder(async (folder) => {
      await writeFiles(folder, {
        ...(await files()),
        'set/lists/val.txt': `./../images/val/b.jpg\n\nimages/val/a.jpg\n${join(folder, 'set/images/val/a.jpg')}\n`,
        'set/data.yaml': 'test: lists/val.txt\nnames: [cat, dog]',
      });
      const truth = await loadGroundTruth({
        format: 'yolo',
        annotations: join(folder, 'set'),
        split: 'test',
      });
      expect(truth.images.map(({ name }) => name)).toEqual(['a.jpg', 'b.jpg']);
      expect(boxes(truth)).toEqual(valBoxes);
      expect(truth.skipped).toEqual([{ what: 'images listed more than once, used once', count: 1 }]);
    }));

  test('reads a folder of labels with classes.txt, and counts labels without an image', () =>
    withFolder(async (folder) => {
      await writeFiles(folder, {
        ...(await files()),
        'set/labels/classes.txt': 'cat\ndog\n',
        'set/labels/val/z.txt': '',
      });
      const [annotations, images] = [join(folder, 'set/labels/val'), join(folder, 'set/images/val')];
      const truth = await loadGroundTruth({ format: 'auto', annotations, images });
      expect(boxes(truth)).toEqual(valBoxes);
      expect(truth.skipped).toEqual([
        { what: 'images without a label file, taken as images without objects', count: 1 },
        { what: 'label files without an image, left out', count: 1 },
      ]);
    }));

  test('lays boxes on the image as it is shown, or as it is stored', () =>
    withFolder(async (folder) => {
      await writeFiles(folder, {
        'images/a.jpg': await picture(100, 50, 6),
        'labels/a.txt': '0 0.5 0.5 0.5 1',
        'data.yaml': 'val: images\nnames: [cat]',
      });
      const source = { format: 'auto', annotations: join(folder, 'data.yaml') } as const;
      expect(boxes(await loadGroundTruth(source))).toEqual([[0, 0, 12.5, 0, 25, 100]]);
      expect(boxes(await loadGroundTruth({ ...source, exif: false }))).toEqual([[0, 0, 25, 0, 50, 50]]);
    }));

  test.each<[string, string, RegExp]>([
    ['no names', 'val: images', /data\.yaml names: is missing/],
    ['names with a gap', 'val: images\nnames: {0: a, 2: b}', /data\.yaml:2:8 names: class "2" is not in 0…1/],
    ['an empty name', 'val: images\nnames: [a, ""]', /data\.yaml:2:8 names: the name of class 1/],
    ['a name twice', 'val: images\nnames: [a, a]', /names: "a" names two classes/],
    ['another count', 'val: images\nnames: [a]\nnc: 3', /data\.yaml:3:5 nc: says 3 classes, names has 1/],
    [
      'no such split',
      'train: images\nnames: [a]',
      /data\.yaml val: is missing; the file has train\n.*validation\.split/,
    ],
    [
      'a split that is not there',
      'val: gone\nnames: [a]',
      /data\.yaml:1:6 val: gone is not there \(looked at .*gone\)/,
    ],
    ['a split that is no text', 'val: 3\nnames: [a]', /data\.yaml:1:6 val: must name a folder/],
    ['broken YAML', 'val: [', /data\.yaml:1:7: /],
    ['a list on top', '- a', /must have keys such as val and names/],
  ])('is refused with %s, by line and key', (_, yaml, message) =>
    withFolder(async (folder) => {
      await writeFiles(folder, {
        'data.yaml': yaml,
        'images/a.jpg': await picture(5, 5),
        'labels/a.txt': '',
      });
      await expect(loadGroundTruth({ format: 'auto', annotations: folder })).rejects.toThrow(message);
    }),
  );

  test.each<[string, Record<string, string>, RegExp]>([
    [
      'no label file at all',
      { 'labels/a.txt': '' },
      /none of 1 images has a label file \(looked for .*labels\/x\.txt\)/,
    ],
    [
      'a picture that is text',
      { 'images/x.jpg': 'text', 'labels/x.txt': '' },
      /x\.jpg: is no image that can be read: no JPEG/,
    ],
    [
      'labels named by file and line',
      { 'labels/x.txt': '0 0.5 0.5 1 1\n7 0.5 0.5 1 1' },
      /labels\/x\.txt:2: class 7/,
    ],
  ])('is refused with %s', (_, more, message) =>
    withFolder(async (folder) => {
      await writeFiles(folder, {
        'images/x.jpg': await picture(5, 5),
        'data.yaml': 'val: images\nnames: [a]',
        ...more,
      });
      await expect(loadGroundTruth({ format: 'auto', annotations: folder })).rejects.toThrow(message);
    }),
  );

  test('without images to list, and a list with a line that leads nowhere, are refused', () =>
    withFolder(async (folder) => {
      await writeFiles(folder, {
        'images/readme.md': '',
        'list.txt': './gone.jpg',
        'data.yaml': 'val: images\ntest: list.txt\nnames: [a]',
      });
      const source = { format: 'auto', annotations: folder } as const;
      await expect(loadGroundTruth(source)).rejects.toThrow(/names no image/);
      await expect(loadGroundTruth({ ...source, split: 'test' })).rejects.toThrow(
        /list\.txt:1: \.\/gone\.jpg is not there/,
      );
    }));
});

test('the fixture’s photos serve a YOLO set as they serve COCO', () =>
  withFolder(async (folder) => {
    const coco = await loadGroundTruth({
      format: 'auto',
      annotations: 'fixtures/signs/val.json',
      images: 'fixtures/signs/val',
    });
    const { images, categories, annotations } = coco;
    const lines = images.map(() => [] as string[]);
    boxes(coco).forEach(([image, category, x, y, w, h]) => {
      const { width, height } = images[image!]!;
      lines[image!]!.push(
        [category, (x! + w! / 2) / width, (y! + h! / 2) / height, w! / width, h! / height].join(' '),
      );
    });
    for (const [i, { name, file }] of images.entries())
      await writeFiles(folder, {
        [`images/${name}`]: await readFile(file),
        [`labels/${name.replace('.jpg', '.txt')}`]: lines[i]!.join('\n'),
      });
    await writeFiles(folder, {
      'data.yaml': `val: images\nnames: [${categories.map(({ name }) => name).join(', ')}]`,
    });
    const yolo = await loadGroundTruth({ format: 'auto', annotations: folder });
    expect(yolo.categories.map(({ name }) => name)).toEqual(categories.map(({ name }) => name));
    expect([...yolo.annotations.image]).toEqual([...annotations.image].sort((a, b) => a - b));
    const sorted = (truth: GroundTruth) =>
      boxes(truth)
        .map((row) => row.map((v) => v!.toFixed(6)).join())
        .sort();
    expect(sorted(yolo)).toEqual(sorted(coco));
  }));
