import type { ImageStore, PreparedImage, PreprocessingSpec } from '../dataset/index.js';
import type { PixelMeans } from '../diagnosis/index.js';

/** The part of a canvas that shows the image, without the padding: pixels, end excluded. */
export function imageArea({ width, height, geometry }: PreparedImage): {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
} {
  const { padX, padY, scaleX, scaleY, originalWidth, originalHeight } = geometry;
  return {
    left: padX,
    top: padY,
    right: Math.min(width, Math.max(padX + 1, Math.round(padX + originalWidth * scaleX))),
    bottom: Math.min(height, Math.max(padY + 1, Math.round(padY + originalHeight * scaleY))),
  };
}

/** Mean red, green and blue of one image without its padding, 0…255. */
export function imageMeans(
  image: PreparedImage,
  color: PreprocessingSpec['color'],
): [number, number, number] {
  const { left, top, right, bottom } = imageArea(image);
  const sum: [number, number, number] = [0, 0, 0];
  for (let y = top; y < bottom; y++)
    for (let i = (y * image.width + left) * 3; i < (y * image.width + right) * 3; i += 3) {
      sum[0] += image.pixels[i] as number;
      sum[1] += image.pixels[i + 1] as number;
      sum[2] += image.pixels[i + 2] as number;
    }
  const count = (right - left) * (bottom - top);
  const [a, g, b] = sum.map((one) => one / count) as [number, number, number];
  return color === 'rgb' ? [a, g, b] : [b, g, a];
}

/** Means over up to `most` images spread over a set, every image weighing the same. */
export async function pixelMeans(store: ImageStore, most = 32): Promise<PixelMeans> {
  const count = Math.min(most, store.count);
  const sum: [number, number, number] = [0, 0, 0];
  for (let k = 0; k < count; k++) {
    const means = imageMeans(await store.get(Math.floor((k * store.count) / count)), store.spec.color);
    means.forEach((one, c) => (sum[c] = (sum[c] as number) + one / count));
  }
  return { mean: sum, brightness: (sum[0] + sum[1] + sum[2]) / 3 };
}
