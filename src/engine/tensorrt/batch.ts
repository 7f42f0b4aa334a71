/** A batch of images as the bytes of an engine's inputs. */
import { fillInput } from '../canvas.js';
import type { ImageFeed, TensorSpec } from '../types.js';
import { toBytes } from './exchange.js';

/** One input of a batch: bytes image by image, all of one size. */
export interface BatchInput {
  readonly name: string;
  /** Of one image, without the batch dimension. */
  readonly dims: readonly number[];
  readonly parts: readonly Uint8Array[];
}

/** Images `from … from + count` of a feed, for each input of an engine in its order. */
export async function batchInputs(
  feed: ImageFeed,
  inputs: readonly TensorSpec[],
  from: number,
  count: number,
): Promise<readonly BatchInput[]> {
  const images = await Promise.all(Array.from({ length: count }, (_, i) => feed.image(from + i)));
  const extras = images.map((image, i) => feed.extras?.(from + i, image) ?? {});
  return inputs.map(({ name, type }) => {
    const parts = images.map((image, i) => {
      const extra = extras[i]?.[name];
      if (extra !== undefined) return { dims: extra.dims.slice(1), bytes: toBytes(extra.data, type) };
      const { pixels, width, height } = image;
      const size = 3 * width * height;
      const canvas = feed.spec.dtype === 'uint8' ? new Uint8Array(size) : new Float32Array(size);
      fillInput({ pixels, width, height, extras: undefined }, feed.spec, canvas);
      const dims = feed.spec.layout === 'nchw' ? [3, height, width] : [height, width, 3];
      return { dims, bytes: toBytes(canvas, type) };
    });
    return { name, dims: parts[0]?.dims ?? [], parts: parts.map(({ bytes }) => bytes) };
  });
}
