import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { scanCoco, parseCoco } from '../../src/dataset/coco.js';
import { DecimalReader } from '../../src/dataset/decimal.js';
import { parseDetections, scanDetections } from '../../src/dataset/detections.js';
import { JsonScanner } from '../../src/dataset/scan.js';

/** What the scanner makes of a text, by value() and by skip(); both must agree on whether it is JSON. */
function scan(text: string): unknown {
  const bytes = Buffer.from(text);
  const [reading, skipping] = [new JsonScanner(bytes, 'f', 'file'), new JsonScanner(bytes, 'f', 'file')];
  let value: unknown;
  let failed = false;
  try {
    value = reading.value();
    reading.end();
  } catch {
    failed = true;
  }
  const skip = (): void => {
    skipping.skip();
    skipping.end();
  };
  if (failed) {
    expect(skip).toThrow(/f:\d+:\d+: the file is not valid JSON/);
    throw new Error('no JSON');
  }
  skip();
  return JSON.parse(JSON.stringify(value));
}

function native(text: string): unknown {
  return JSON.parse(JSON.stringify(JSON.parse(text)));
}

describe('numbers', () => {
  const read = (text: string): number => {
    const reader = new DecimalReader(Buffer.from(`${text},`));
    reader.read(0);
    expect(reader.end).toBe(text.length);
    return reader.value;
  };

  test.each([
    '0',
    '-0',
    '0.1',
    '123456789012345',
    '1234567890123456789',
    '9007199254740993',
    '9007199254740992.5',
    '0.30000000000000004',
    '0.500000000000000166533453693773481063544750213623046875',
    '1.7976931348623157e308',
    '5e-324',
    '2.2250738585072011e-308',
    '1e23',
    '8.5e-07',
    '1e400',
  ])('%s', (text) => expect(read(text)).toBe(Number(text)));

  test('of every kind are rounded as Number does', () =>
    fc.assert(
      fc.property(
        fc.oneof(
          fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
          fc.float({ noNaN: true, noDefaultInfinity: true }).map(String),
          fc.double({ min: 0, max: 1000, noNaN: true }).map((x) => x.toFixed(3)),
          fc.double({ min: 0, max: 1000, noNaN: true }).map((x) => x.toFixed(17)),
          fc.bigInt({ min: 0n, max: 1n << 64n }).map(String),
        ),
        (text) => Object.is(read(text.replace('e+', 'e')), Number(text)),
      ),
      { numRuns: 3000 },
    ));
});

describe('JSON', () => {
  test('is read as JSON.parse reads it', () =>
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), fc.boolean(), (text, spaced) => {
        const written = spaced ? JSON.stringify(JSON.parse(text), undefined, '\t') : text;
        expect(scan(written)).toEqual(native(written));
      }),
      { numRuns: 500 },
    ));

  test('that was spoilt is refused exactly where JSON.parse refuses it', () =>
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 2 }),
        fc.nat(),
        fc.constantFrom('', ',', '"', ']', '}', '0', '.', '\\', 'e', ':', '\n', '-'),
        (text, place, spoil) => {
          const at = place % (text.length + 1);
          const spoilt = text.slice(0, at) + spoil + text.slice(at + 1);
          let expected: unknown;
          try {
            expected = native(spoilt);
          } catch {
            return expect(() => scan(spoilt)).toThrow('no JSON');
          }
          expect(scan(spoilt)).toEqual(expected);
        },
      ),
      { numRuns: 2000 },
    ));

  test.each<[string, RegExp]>([
    ['{"a": 1,\n "b" 2}', /f:2:6: .*expected :, found "2}"/],
    ['[1, 2', /f:1:6: .*expected , or \], the file ends/],
    ['', /f:1:1: .*the file ends/],
    ['[1] 2', /f:1:5: .*goes on/],
    ['["a', /f:1:4: .*text without end/],
    ['['.repeat(1000), /nested more than 200 deep/],
  ])('%p is refused with line and column', (text, message) => {
    const scanner = new JsonScanner(Buffer.from(text), 'f', 'file');
    expect(() => {
      scanner.value();
      scanner.end();
    }).toThrow(message);
  });
});

test('a record keeps known keys and short values alone, however much the file holds', () => {
  const record = {
    id: 1,
    other: [1, 2, 3],
    bbox: Array.from({ length: 1000 }, (_, i) => i),
    deep: [[1], {}, 'x'],
  };
  const scanner = new JsonScanner(Buffer.from(JSON.stringify(record)), 'f', 'file');
  const known = ['id', 'bbox', 'deep'];
  expect(
    scanner.record(
      known,
      known.map((key) => Buffer.from(key)),
    ),
  ).toEqual({ id: 1, bbox: [0, 1, 2, 3, 4, 5, 6, 7], deep: [[], {}, 'x'] });
  expect(() => scanner.end()).not.toThrow();
});

const truth = {
  annotations: [
    { id: 0, image_id: 2, category_id: 4, bbox: [1, 2, 3, 4], segmentation: [[1, 2.5, 3, 4]] },
    { id: 7, image_id: 1, category_id: 9, bbox: [0.1, 2, 3, 4], area: 9.5, iscrowd: 1 },
    { id: 8, image_id: 1, category_id: 9, bbox: [0, 2, 3, 4], area: null, iscrowd: false },
  ],
  info: { x: 'a"b\\' },
  images: [
    { id: 2, file_name: 'b.jpg', width: 10, height: 10 },
    { id: 1, file_name: 'é.jpg', width: 10, height: 10 },
  ],
  categories: [
    { id: 9, name: 'y' },
    { id: 4, name: 'x' },
  ],
};
const parsed = parseCoco(truth, 'gt.json', '');
const bytes = (value: unknown): Buffer =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

describe('columns from bytes', () => {
  test('annotations before images, odd but valid records among them', () =>
    expect(scanCoco(bytes(truth), 'gt.json', '')).toEqual(parsed));

  test('detections in any order of keys, with escapes, repeated keys and keys of others', () => {
    const text = `\uFEFF[ {"score":0.5,"bbox":[1,2,3,4.5],"image\\u005fid":2,"category_id":9},
      {"image_id":1,"segmentation":{"counts":"a[\\"","size":[1,2]},"category_id":4,"score":1,"score":2e-1,"bbox":[0,0,1,1]}]`;
    const table = scanDetections(bytes(text), 'dt.json', parsed);
    expect(table).toEqual(parseDetections(JSON.parse(text.slice(1)), 'dt.json', parsed));
    expect([...table.score]).toEqual([0.5, 0.2]);
  });

  const detection = { image_id: 1, category_id: 4, bbox: [0, 0, 1, 1], score: 0.5 };
  test.each<[string, unknown, RegExp]>([
    ['a word as score', { score: 'high' }, /dt\.json \[1\]\.score: must be a finite number, is "high"/],
    ['no score', { score: undefined }, /\[1\]\.score: is missing/],
    ['an unknown image', { image_id: 77 }, /\[1\]\.image_id: 77 is not in the annotations gt\.json/],
    ['an unknown class', { category_id: -1 }, /\[1\]\.category_id: -1 is not in/],
    ['a broken id', { image_id: 1.5 }, /\[1\]\.image_id: must be a whole number, is 1\.5/],
    ['a negative width', { bbox: [0, 0, -1, 1] }, /\[1\]\.bbox: width and height must not be negative/],
    ['a box of five', { bbox: [0, 0, 1, 1, 1] }, /\[1\]\.bbox: must be four finite numbers/],
    ['a box without end', { bbox: [0, 0, 1e200, 1e200] }, /\[1\]\.bbox: width times height must be finite/],
    ['a box of words', { bbox: 'here' }, /\[1\]\.bbox: must be four/],
  ])('%s is refused, naming record and key', (_, change, message) =>
    expect(() =>
      scanDetections(bytes([detection, { ...detection, ...(change as object) }]), 'dt.json', parsed),
    ).toThrow(message),
  );

  test.each(['NaN', 'Infinity', '-Infinity'])('a score of %s, as Python writes it, is named', (word) =>
    expect(() =>
      scanDetections(bytes(`[${JSON.stringify(detection).replace('0.5', word)}]`), 'dt.json', parsed),
    ).toThrow(`dt.json [0].score: must be a finite number, is ${word}`),
  );

  const annotation = { id: 1, image_id: 1, category_id: 4, bbox: [0, 0, 1, 1] };
  test.each<[string, unknown, RegExp]>([
    ['an id as text', { id: '1' }, /gt\.json annotations\[1\]\.id: must be a whole number, is "1"/],
    ['a repeated id', { id: 5 }, /annotations\[1\]\.id: 5 was used before, by annotations\[0\]/],
    ['an unknown image', { image_id: 3 }, /annotations\[1\]\.image_id: 3 is no id in images/],
    ['a crowd of 2', { iscrowd: 2 }, /annotations\[1\]\.iscrowd: must be 0 or 1, is 2/],
    ['a negative area', { area: -1 }, /annotations\[1\]\.area: must not be negative/],
    ['no box', { bbox: null }, /annotations\[1\]\.bbox/],
  ])('%s is refused, naming record and key', (_, change, message) => {
    const annotations = [
      { ...annotation, id: 5 },
      { ...annotation, ...(change as object) },
    ];
    expect(() => scanCoco(bytes({ ...truth, annotations }), 'gt.json', '')).toThrow(message);
  });

  test('many mistakes are listed and counted, a mistake before does not shift the index of a repeated id', () => {
    const annotations = [{}, annotation, 5, annotation];
    expect(() => scanCoco(bytes({ ...truth, annotations }), 'gt.json', '')).toThrow(
      /annotations\[0\]\.id: is missing[\s\S]*annotations\[2\]: must be an object[\s\S]*annotations\[3\]\.id: 1 was used before, by annotations\[1\]/,
    );
    const wrong = Array.from({ length: 500 }, () => 0);
    expect(() => scanDetections(bytes(wrong), 'dt.json', parsed)).toThrow(/and 480 more mistakes/);
  });

  test('repeated ids become their last annotation where pycocotools is to be followed', () => {
    const annotations = [annotation, { ...annotation, image_id: 2, bbox: [5, 5, 5, 5] }];
    const { annotations: table } = scanCoco(bytes({ ...truth, annotations }), 'gt.json', '', {
      repeatedIds: 'last',
    });
    expect([...table.bbox]).toEqual([5, 5, 5, 5, 5, 5, 5, 5]);
    expect([...table.image]).toEqual([1, 1]);
  });
});
