import { sharp } from '../native/index.js';
import { decodeImage } from './decode.js';

/**
 * A small JPEG of an image file, at most `side` pixels on its longer side, without the file's metadata.
 * @param quality - of JPEG, 1…100
 * @throws InputFault as {@link decodeImage}
 */
export async function thumbnail(
  file: string,
  { side, exif, quality = 70 }: { readonly side: number; readonly exif: boolean; readonly quality?: number },
): Promise<{ readonly jpeg: Uint8Array; readonly width: number; readonly height: number }> {
  const { data, width, height } = await decodeImage(file, exif);
  const jpeg = await sharp()(data, { raw: { width, height, channels: 3 } })
    .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality })
    .toBuffer();
  return { jpeg, width, height };
}
