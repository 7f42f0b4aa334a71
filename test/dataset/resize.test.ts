import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { resizeOpenCv, resizeOpenCvCubic, resizePil } from '../../src/dataset/index.js';

interface Case {
  readonly from: [number, number];
  readonly to: [number, number];
  readonly image: string;
  readonly opencv: string;
  readonly cubic: string;
  readonly pil: string;
}

const golden = JSON.parse(readFileSync('test/dataset/golden/resize.json', 'utf8')) as {
  readonly cases: readonly Case[];
};
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));

describe.each(golden.cases)(
  'resizing $from to $to',
  ({ from: [width, height], to, image, opencv, cubic, pil }) => {
    const source = { data: bytes(image), width, height };

    test('equals cv2.INTER_LINEAR bit for bit', () => {
      expect(resizeOpenCv(source, ...to).data).toEqual(bytes(opencv));
    });

    (cubic === '' ? test.skip : test)('equals cv2.INTER_CUBIC bit for bit', () => {
      expect(resizeOpenCvCubic(source, ...to).data).toEqual(bytes(cubic));
    });

    test("equals Pillow's BILINEAR bit for bit", () => {
      expect(resizePil(source, ...to).data).toEqual(bytes(pil));
    });
  },
);
