import type { PreprocessingSpec } from '../../../src/dataset/index.js';
import type { ImageFeed } from '../../../src/engine/index.js';

/** Pixels on a side. */
export const SIZE = 4;

/** Images of 4 × 4 pixels, nothing done to them; image i has the value i + 1 everywhere. */
export function plainFeed(count: number, dtype: PreprocessingSpec['dtype']): ImageFeed {
  const spec: PreprocessingSpec = {
    resize: 'stretch',
    height: SIZE,
    width: SIZE,
    interpolation: 'opencv',
    color: 'rgb',
    pad: 114,
    scale: 1,
    mean: [0, 0, 0],
    std: [1, 1, 1],
    layout: 'nchw',
    dtype,
    exif: true,
  };
  return {
    count,
    spec,
    image: (i) =>
      Promise.resolve({
        pixels: new Uint8Array(3 * SIZE * SIZE).fill(i + 1),
        width: SIZE,
        height: SIZE,
        geometry: { scaleX: 1, scaleY: 1, padX: 0, padY: 0, originalWidth: SIZE, originalHeight: SIZE },
      }),
  };
}
