import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { decodeImage, readImageHeader, shownSize } from '../../src/dataset/index.js';
import { withFolder } from './folder.js';

interface Case {
  readonly name: string;
  readonly file: string;
  readonly size: readonly [number, number];
  /** RGB as cv2.imread gives it, turned by EXIF. */
  readonly opencv: string;
  /** RGB as Pillow's convert gives it, not turned; absent when the same. */
  readonly pillow?: string;
  /** The same after exif_transpose. */
  readonly pillowTurned?: string;
}

const { cases } = JSON.parse(readFileSync('test/dataset/golden/decode.json', 'utf8')) as {
  readonly cases: readonly Case[];
};
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));

/** Where OpenCV rounds to 8 bits and we, as Pillow, keep the upper ones. */
const ROUNDED = new Set(['16-bit TIFF']);

/** Where Pillow has a conversion of its own that no detector means: we keep OpenCV's. */
const PILLOW_DIFFERS = new Set(['grey 16-bit PNG', 'BMP of 16 bits, 5-5-5', 'BMP of 16 bits, 5-6-5']);

describe.each(cases)('$name', ({ name, file, size, opencv, pillow, pillowTurned }) => {
  const decoded = (exif: boolean, like: 'opencv' | 'pil') =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'image'), bytes(file));
      return decodeImage(join(folder, 'image'), exif, like);
    });

  test('becomes the RGB of cv2.imread', async () => {
    const { data, width, height } = await decoded(true, 'opencv');
    expect([width, height]).toEqual(size);
    const off = data.map((value, i) => Math.abs(value - (bytes(opencv)[i] as number)));
    expect(Math.max(...off)).toBeLessThanOrEqual(ROUNDED.has(name) ? 1 : 0);
  });

  if (!PILLOW_DIFFERS.has(name))
    test("becomes the RGB of Pillow's convert, turned or not", async () => {
      expect([...(await decoded(true, 'pil')).data]).toEqual([...bytes(pillowTurned ?? opencv)]);
      expect([...(await decoded(false, 'pil')).data]).toEqual([...bytes(pillow ?? opencv)]);
    });

  test('has its size in the header', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'image'), bytes(file));
      const { width, height } = shownSize(await readImageHeader(join(folder, 'image')), true);
      expect([width, height]).toEqual(size);
    }));
});

describe('files that are no single readable picture', () => {
  const png = (width: number, height: number) => {
    // The header alone claims the size; the pixels are never asked for.
    const chunk = (type: string, data: Buffer) => {
      const [length, body, sum] = [
        Buffer.alloc(4),
        Buffer.concat([Buffer.from(type), data]),
        Buffer.alloc(4),
      ];
      length.writeUInt32BE(data.length);
      sum.writeUInt32BE(crc32(body));
      return Buffer.concat([length, body, sum]);
    };
    const size = Buffer.alloc(13);
    size.writeUInt32BE(width, 0);
    size.writeUInt32BE(height, 4);
    size.set([8, 2], 8);
    const data = chunk('IDAT', deflateSync(Buffer.alloc(100)));
    return Buffer.concat([
      Buffer.from('89504e470d0a1a0a', 'hex'),
      chunk('IHDR', size),
      data,
      chunk('IEND', Buffer.alloc(0)),
    ]);
  };
  const frames = () =>
    sharp(Buffer.alloc(4 * 8 * 3, 9).fill(200, 48), {
      raw: { width: 4, height: 8, channels: 3, pageHeight: 4 },
    })
      .gif()
      .toBuffer();
  const bmp = (change: (bytes: Buffer) => void) => {
    const file = Buffer.from(cases.find(({ name }) => name === 'BMP')!.file, 'base64');
    change(file);
    return file;
  };
  test.each<[string, () => Buffer | Promise<Buffer>, RegExp]>([
    ['nothing', () => Buffer.alloc(0), /^\S+\/x\.jpg: is empty \(0 bytes\), no image/],
    [
      'text',
      () => Buffer.from('not an image'),
      /x\.jpg: is no image that can be read: no JPEG, PNG, WebP, GIF, TIFF, AVIF or BMP, whatever/,
    ],
    [
      'a drawing',
      () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="5" height="5"/>'),
      /x\.jpg: is no image that can be read: SVG is none of JPEG/,
    ],
    [
      'half a JPEG',
      async () => (await readFile('fixtures/signs/val/001000.jpg')).subarray(0, 2000),
      /x\.jpg: is no image that can be read: .*premature end/i,
    ],
    ['two frames', frames, /x\.jpg: .*it holds 2 frames or pages/],
    [
      'a huge PNG',
      () => png(60000, 50000),
      /x\.jpg: .*60000×50000 pixels are more than the 134217728 that are decoded/,
    ],
    ['half a BMP', () => bmp(() => undefined).subarray(0, 100), /x\.jpg: .*the bitmap is truncated/],
    [
      'the start of a BMP',
      () => bmp(() => undefined).subarray(0, 20),
      /x\.jpg: .*its bitmap header is truncated/,
    ],
    [
      'a run-length BMP',
      () => bmp((b) => b.writeUInt32LE(1, 30)),
      /x\.jpg: .*bitmaps with compression 1 are not read/,
    ],
    [
      'a BMP of 2^31 pixels',
      () => bmp((b) => b.writeInt32LE(2 ** 30, 18)),
      /x\.jpg: .*more than the 134217728 that are decoded/,
    ],
  ])('%s named x.jpg is refused with one clear message', (_, make, message) =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'x.jpg'), await make());
      const error: unknown = await decodeImage(join(folder, 'x.jpg'), true).catch((e: unknown) => e);
      expect(error).toMatchObject({ name: 'InputFault', exitStatus: 2 });
      expect((error as Error).message).toMatch(message);
    }),
  );

  test('a missing file and a folder are named', () =>
    withFolder(async (folder) => {
      await mkdir(join(folder, 'dir.jpg'));
      await expect(decodeImage(join(folder, 'gone.jpg'), true)).rejects.toThrow(
        /gone\.jpg: there is no such image/,
      );
      await expect(decodeImage(join(folder, 'dir.jpg'), true)).rejects.toThrow(/dir\.jpg: this is a folder/);
      await expect(readImageHeader(join(folder, 'gone.jpg'))).rejects.toThrow(
        /gone\.jpg: there is no such image/,
      );
    }));
});
