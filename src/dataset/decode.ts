/** Image files to 8-bit RGB. sharp only decodes; resizing is our own, to match OpenCV and Pillow. */
import { createHash } from 'node:crypto';
import type { Metadata, Sharp } from 'sharp';
import { InputFault, SurroundingsFault, messageOf, systemCode } from '../faults/index.js';
import { sharp as loadSharp } from '../native/index.js';
import { decodeBmp, isBmp, readBmpHeader } from './bmp.js';
import { readBytes } from './files.js';
import type { Raster } from './resize.js';
import type { PreprocessingSpec } from './types.js';

/** Largest image that is decoded, in pixels: 2^27, which are 384 MiB of RGB. */
export const MOST_PIXELS = 2 ** 27;

/** Formats that are read. Others that libvips knows (SVG above all) are no photographs that a detector was trained on. */
const FORMATS = new Set(['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif']);
const KNOWN = 'JPEG, PNG, WebP, GIF, TIFF, AVIF or BMP';

/** What the header of an image file says. */
export interface ImageHeader {
  /** Size as stored, before any turn by EXIF, in pixels. */
  readonly width: number;
  readonly height: number;
  /** EXIF orientation, 1…8; 1 when the file has none. */
  readonly orientation: number;
}

/** A decoded image and what its header said. */
export interface DecodedImage extends Raster {
  readonly header: ImageHeader;
}

/**
 * Decodes an image file to 8-bit RGB at full size, as OpenCV (`imread`) or Pillow (`convert('RGB')`) do it.
 *
 * Alpha is dropped, grey and palette become RGB, 16 bits keep the upper 8, CMYK is converted without a profile,
 * embedded ICC profiles are left aside.
 * @param exif - turn the image as its EXIF orientation says
 * @param like - the two differ only in the rounding of CMYK
 * @throws InputFault naming the file when it is missing, empty, no image, damaged, animated or too large
 */
export async function decodeImage(
  file: string,
  exif: boolean,
  like: PreprocessingSpec['interpolation'] = 'opencv',
): Promise<DecodedImage> {
  return decodeBytes(await imageBytes(file), file, exif, like);
}

/**
 * Decodes an image, and digests its file, which is read once.
 * @returns `digest`: SHA-256 of the file, hexadecimal digits
 * @throws InputFault as {@link decodeImage}
 */
export async function decodeAndDigest(
  file: string,
  exif: boolean,
): Promise<DecodedImage & { readonly digest: string }> {
  const bytes = await imageBytes(file);
  const image = await decodeBytes(bytes, file, exif, 'opencv');
  return { ...image, digest: createHash('sha256').update(bytes).digest('hex') };
}

async function decodeBytes(
  bytes: Buffer,
  file: string,
  exif: boolean,
  like: PreprocessingSpec['interpolation'],
): Promise<DecodedImage> {
  try {
    if (isBmp(bytes)) {
      const header = bmpHeader(bytes);
      return { ...decodeBmp(bytes), header };
    }
    const about = await metadataOf(bytes);
    const input = library()(bytes, { failOn: 'truncated', ignoreIcc: true, limitInputPixels: MOST_PIXELS });
    const turned = exif ? input.autoOrient() : input;
    const raster = about.space === 'cmyk' ? await fromCmyk(turned, like) : await toRgb(turned);
    return { ...raster, header: headerOf(about) };
  } catch (cause) {
    throw undecodable(file, cause);
  }
}

/**
 * Reads an image's size without decoding its pixels.
 * @throws InputFault as {@link decodeImage}, but for damage past the header
 */
export async function readImageHeader(file: string): Promise<ImageHeader> {
  const start = await imageBytes(file, 128);
  try {
    return isBmp(start) ? bmpHeader(start) : headerOf(await metadataOf(file));
  } catch (cause) {
    throw undecodable(file, cause);
  }
}

/** Width and height as a viewer shows the image (`exif`), or as stored. */
export function shownSize(header: ImageHeader, exif: boolean): { width: number; height: number } {
  const { width, height, orientation } = header;
  return exif && orientation >= 5 ? { width: height, height: width } : { width, height };
}

async function imageBytes(file: string, most?: number): Promise<Buffer> {
  const bytes = await readBytes(file, 'image', most).catch((error: unknown) => {
    if (error instanceof InputFault && systemCode(error.cause) === 'ENOENT')
      throw new InputFault(
        {
          where: file,
          what: 'there is no such image',
          fix: 'Check the folder of images in the settings, or remove the image from the annotations.',
        },
        { cause: error },
      );
    throw error;
  });
  if (bytes.length > 0) return bytes;
  throw new InputFault({
    where: file,
    what: 'is empty (0 bytes), no image',
    fix: 'Replace or remove the file; a download that was cut off is the usual cause.',
  });
}

function bmpHeader(bytes: Buffer): ImageHeader {
  const { width, height } = readBmpHeader(bytes);
  refuseHuge(width, height);
  return { width, height, orientation: 1 };
}

async function metadataOf(source: Buffer | string): Promise<Metadata> {
  const about = await library()(source, { limitInputPixels: false }).metadata();
  if (!FORMATS.has(about.format)) throw new Error(`${about.format.toUpperCase()} is none of ${KNOWN}`);
  const pages = about.pages ?? 1;
  if (pages > 1)
    throw new Error(`it holds ${pages} frames or pages, and boxes can belong to one picture only`);
  refuseHuge(about.width, about.height);
  return about;
}

function refuseHuge(width: number, height: number): void {
  if (width * height > MOST_PIXELS)
    throw new Error(`${width}×${height} pixels are more than the ${MOST_PIXELS} that are decoded`);
}

function headerOf({ width, height, orientation }: Metadata): ImageHeader {
  return { width, height, orientation: orientation ?? 1 };
}

async function toRgb(image: Sharp): Promise<Raster> {
  const { data, info } = await image
    .toColourspace('srgb')
    .removeAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  if (channels === 3)
    return { data: new Uint8Array(data.buffer, data.byteOffset, data.length), width, height };
  if (channels > 2) throw new Error(`it has ${channels} channels after conversion to RGB`);
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) rgb.fill(data[i * channels] as number, i * 3, i * 3 + 3);
  return { data: rgb, width, height };
}

/** Ink without a profile: OpenCV multiplies by shifting 8 bits, Pillow divides by 255 and rounds. */
async function fromCmyk(image: Sharp, like: PreprocessingSpec['interpolation']): Promise<Raster> {
  const { data, info } = await image
    .pipelineColourspace('cmyk')
    .toColourspace('cmyk')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 4) throw new Error(`it has ${info.channels} channels instead of the 4 of CMYK`);
  const plane = info.width * info.height;
  const rgb = new Uint8Array(plane * 3);
  for (let i = 0; i < plane; i++) {
    const white = 255 - (data[i * 4 + 3] as number);
    for (let c = 0; c < 3; c++) {
      const product = (data[i * 4 + c] as number) * white;
      const ink = like !== 'pil' ? product >> 8 : (product + 128 + ((product + 128) >> 8)) >> 8;
      rgb[i * 3 + c] = white - ink;
    }
  }
  return { data: rgb, width: info.width, height: info.height };
}

function undecodable(file: string, cause: unknown): Error {
  // A decoder that is not there says nothing about the file.
  if (cause instanceof SurroundingsFault) return cause;
  const reason = messageOf(cause).replace(/\s+/g, ' ').trim();
  const what = /unsupported image format/.test(reason)
    ? `is no image that can be read: no ${KNOWN}, whatever its name says`
    : `is no image that can be read: ${reason}`;
  return new InputFault({ where: file, what, fix: 'Replace or remove the file.' }, { cause });
}

let prepared: ReturnType<typeof loadSharp> | undefined;

/** sharp without its cache of operations: each image is decoded once, and the store's is the only budget. */
function library(): ReturnType<typeof loadSharp> {
  const sharp = loadSharp();
  if (prepared !== sharp) {
    sharp.cache(false);
    prepared = sharp;
  }
  return sharp;
}
