/** Windows bitmaps, which libvips does not decode: uncompressed, 1, 4 and 8 bit with a palette, 16, 24 and 32 bit. */
import type { Raster } from './resize.js';

const FILE_HEADER = 14;
const INFO_HEADER = 40;

/** What a bitmap's headers say. */
export interface BmpHeader {
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly bits: number;
  /** Offset of the pixels. */
  readonly start: number;
  /** Offset of the palette. */
  readonly palette: number;
  /** 5-6-5 instead of 5-5-5 (16 bit). */
  readonly wideGreen: boolean;
}

/** Whether the bytes begin like a bitmap. */
export function isBmp(bytes: Uint8Array): boolean {
  return bytes.length > 2 && bytes[0] === 0x42 && bytes[1] === 0x4d;
}

/** @throws Error saying what is wrong or not read: run-length coding, unusual channel masks, truncation */
export function readBmpHeader(bytes: Buffer): BmpHeader {
  if (bytes.length < FILE_HEADER + INFO_HEADER) throw new Error('its bitmap header is truncated');
  const headerSize = bytes.readUInt32LE(14);
  const width = bytes.readInt32LE(18);
  const signedHeight = bytes.readInt32LE(22);
  const bits = bytes.readUInt16LE(28);
  const compression = bytes.readUInt32LE(30);
  if (headerSize < INFO_HEADER || width <= 0 || signedHeight === 0)
    throw new Error('its header is not that of a Windows bitmap');
  // 3 is BI_BITFIELDS: masks of the channels follow the header.
  if (compression !== 0 && compression !== 3)
    throw new Error(`bitmaps with compression ${compression} are not read`);
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw new Error(`bitmaps of ${bits} bits are not read`);
  return {
    width,
    height: Math.abs(signedHeight),
    topDown: signedHeight < 0,
    bits,
    start: bytes.readUInt32LE(10),
    palette: FILE_HEADER + headerSize,
    wideGreen: compression === 3 && hasWideGreen(bytes, bits),
  };
}

function hasWideGreen(bytes: Buffer, bits: number): boolean {
  const masks = [54, 58, 62].map((at) => (at + 4 <= bytes.length ? bytes.readUInt32LE(at) : 0));
  const are = (...wanted: number[]): boolean => wanted.every((mask, i) => masks[i] === mask);
  if (bits === 32 && are(0xff0000, 0xff00, 0xff)) return false;
  if (bits === 16 && are(0x7c00, 0x3e0, 0x1f)) return false;
  if (bits === 16 && are(0xf800, 0x7e0, 0x1f)) return true;
  throw new Error('bitmaps with unusual channel masks are not read');
}

/** Decodes to RGB; alpha is dropped. @throws Error saying what is wrong or not read */
export function decodeBmp(bytes: Buffer): Raster {
  const header = readBmpHeader(bytes);
  const { width, height, bits, start, topDown } = header;
  const stride = Math.ceil((width * bits) / 32) * 4;
  if (bytes.length < start + stride * height) throw new Error('the bitmap is truncated');
  const data = new Uint8Array(width * height * 3);
  const pixel = bits <= 8 ? paletteReader(bytes, header) : directReader(bytes, header);
  for (let y = 0, to = 0; y < height; y++) {
    const row = start + stride * (topDown ? y : height - 1 - y);
    for (let x = 0; x < width; x++, to += 3) pixel(row, x, data, to);
  }
  return { data, width, height };
}

type PixelReader = (row: number, x: number, data: Uint8Array, to: number) => void;

function paletteReader(bytes: Buffer, { bits, palette }: BmpHeader): PixelReader {
  const mask = (1 << bits) - 1;
  return (row, x, data, to) => {
    const bit = x * bits;
    const index = ((bytes[row + (bit >> 3)] as number) >> (8 - bits - (bit & 7))) & mask;
    const at = palette + index * 4;
    data[to] = bytes[at + 2] ?? 0;
    data[to + 1] = bytes[at + 1] ?? 0;
    data[to + 2] = bytes[at] ?? 0;
  };
}

/** 16 bits are shifted up without filling the low bits, as OpenCV does. */
function directReader(bytes: Buffer, { bits, wideGreen }: BmpHeader): PixelReader {
  if (bits === 16)
    return (row, x, data, to) => {
      const value = bytes.readUInt16LE(row + 2 * x);
      data[to] = wideGreen ? (value >> 8) & 0xf8 : (value >> 7) & 0xf8;
      data[to + 1] = wideGreen ? (value >> 3) & 0xfc : (value >> 2) & 0xf8;
      data[to + 2] = (value << 3) & 0xf8;
    };
  const step = bits / 8;
  return (row, x, data, to) => {
    const at = row + x * step;
    data[to] = bytes[at + 2] as number;
    data[to + 1] = bytes[at + 1] as number;
    data[to + 2] = bytes[at] as number;
  };
}
