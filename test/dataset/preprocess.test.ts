import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { place, prepareImage, type PreprocessingSpec } from '../../src/dataset/index.js';
import { fillInput, floatToHalf } from '../../src/engine/canvas.js';

interface Golden {
  readonly images: readonly { readonly width: number; readonly height: number; readonly data: string }[];
  readonly cases: readonly {
    readonly name: string;
    readonly spec: PreprocessingSpec;
    readonly inputs: readonly string[];
  }[];
}

const golden = JSON.parse(
  gunzipSync(readFileSync('test/dataset/golden/preprocess.json.gz')).toString(),
) as Golden;
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));

/** The elements that an engine is given, floats as their bits when half. */
function inputOf(image: Golden['images'][number], spec: PreprocessingSpec): readonly number[] {
  const { width, height } = image;
  const prepared = prepareImage({ data: bytes(image.data), width, height }, spec);
  const target =
    spec.dtype === 'uint8'
      ? new Uint8Array(spec.width * spec.height * 3)
      : new Float32Array(spec.width * spec.height * 3);
  fillInput({ ...prepared, index: 0 } as unknown as Parameters<typeof fillInput>[0], spec, target);
  return spec.dtype === 'float16' ? Array.from(target, floatToHalf) : [...target];
}

function expected(text: string, { dtype }: PreprocessingSpec): readonly number[] {
  const { buffer } = bytes(text);
  return [
    ...(dtype === 'uint8'
      ? new Uint8Array(buffer)
      : dtype === 'float16'
        ? new Uint16Array(buffer)
        : new Float32Array(buffer)),
  ];
}

describe.each(golden.cases)('the input of $name', ({ spec, inputs }) => {
  test.each(golden.images.map(({ width, height }, i) => [width, height, i] as const))(
    'from %p×%p pixels equals what cv2, Pillow and numpy make',
    (_width, _height, i) => {
      const ours = inputOf(golden.images[i]!, spec);
      const theirs = expected(inputs[i]!, spec);
      expect(ours).toHaveLength(theirs.length);
      const off = Math.max(...ours.map((value, k) => Math.abs(value - theirs[k]!)));
      // numpy divides and subtracts in float32, we in float64: the last bits of a float may differ, nothing else.
      expect(off).toBeLessThanOrEqual(spec.dtype === 'float32' ? 1e-6 : 0);
    },
  );
});

describe('the shortest side', () => {
  const spec: PreprocessingSpec = {
    ...golden.cases[0]!.spec,
    resize: 'shortest-side',
    width: 1344,
    height: 1344,
    shortSide: 800,
    longSide: 1333,
  };
  test.each([
    // [width, height], as DETR and torchvision place them, as mmdetection does
    [640, 480, [1066, 800], [1067, 800]],
    [480, 640, [800, 1066], [800, 1067]],
    [500, 375, [1066, 800], [1067, 800]],
    [1000, 300, [1333, 400], [1333, 400]],
    [427, 640, [800, 1199], [800, 1199]],
    [4000, 10, [1200, 3], [1333, 3]],
    [800, 800, [800, 800], [800, 800]],
  ] as const)('of %p×%p', (width, height, pil, opencv) => {
    const size = (interpolation: 'pil' | 'opencv') => {
      const {
        width: w,
        height: h,
        left,
        top,
        scaleX,
        scaleY,
      } = place(width, height, { ...spec, interpolation });
      expect([left, top, scaleX, scaleY]).toEqual([0, 0, w / width, h / height]);
      return [w, h];
    };
    expect(size('pil')).toEqual(pil);
    expect(size('opencv')).toEqual(opencv);
  });

  test('never leaves the canvas, and is the canvas’ own when nothing is said', () => {
    const free = golden.cases[0]!.spec; // without shortSide and longSide
    for (const interpolation of ['pil', 'opencv'] as const)
      for (const [width, height] of [
        [640, 480],
        [333, 1000],
        [1, 5000],
        [5000, 1],
        [7, 7],
      ] as const) {
        const small = { ...free, resize: 'shortest-side' as const, interpolation, width: 320, height: 256 };
        const { width: w, height: h } = place(width, height, small);
        expect(w >= 1 && w <= 320 && h >= 1 && h <= 256).toBe(true);
        expect(w >= 319 || h >= 255).toBe(true);
      }
  });
});
