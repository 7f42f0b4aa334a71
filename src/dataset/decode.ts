import { access } from 'node:fs/promises';
import { InputFault, messageOf } from '../faults/index.js';
import { sharp } from '../native/index.js';
import type { Raster } from './resize.js';

/**
 * Decodes an image file to 8-bit RGB at full size: grey, palette, CMYK, 16-bit and transparent images included.
 * @throws InputFault naming the file when it is missing, damaged or no image.
 */
export async function decodeImage(file: string, exif: boolean): Promise<Raster> {
  try {
    // Training code decodes with OpenCV or Pillow, which leave colour profiles aside.
    const image = sharp()(file, { failOn: 'truncated', ignoreIcc: true });
    const { data, info } = await (exif ? image.autoOrient() : image)
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`has ${info.channels} channels after conversion to RGB`);
    return {
      data: new Uint8Array(data.buffer, data.byteOffset, data.length),
      width: info.width,
      height: info.height,
    };
  } catch (cause) {
    const missing = await access(file).then(
      () => false,
      () => true,
    );
    throw new InputFault(
      missing
        ? {
            where: file,
            what: 'there is no such image',
            fix: 'Check the folder of images in the settings, or remove the image from the annotations.',
          }
        : {
            where: file,
            what: `is no image that can be read: ${messageOf(cause)}`,
            fix: 'Replace or remove the file.',
          },
      { cause },
    );
  }
}
