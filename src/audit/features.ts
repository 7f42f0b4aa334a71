import type { ImageFeatures } from './types.js';

const COLUMNS = 17;
const ROWS = 16;

/**
 * Looks at an image: 8-bit RGB, row-major. Luma by ITU-R BT.601, as JPEG has it.
 * @param name - as its set names it
 * @param digest - SHA-256 of the file
 */
export function featuresOf(
  { data, width, height }: { readonly data: Uint8Array; readonly width: number; readonly height: number },
  name: string,
  digest: string,
): ImageFeatures {
  const sums = new Float64Array(COLUMNS * ROWS);
  const counts = new Float64Array(COLUMNS * ROWS);
  let [sum, squares, colour] = [0, 0, 0];
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * ROWS) / height) * COLUMNS;
    for (let x = 0, at = y * width * 3; x < width; x++, at += 3) {
      const [r, g, b] = [data[at] as number, data[at + 1] as number, data[at + 2] as number];
      const luma = 0.299 * r + 0.587 * g + 0.114 * b;
      const cell = row + Math.floor((x * COLUMNS) / width);
      sums[cell] = (sums[cell] as number) + luma;
      counts[cell] = (counts[cell] as number) + 1;
      sum += luma;
      squares += luma * luma;
      colour += Math.max(r, g, b) - Math.min(r, g, b);
    }
  }
  const pixels = width * height;
  const brightness = sum / pixels;
  // A picture narrower than the grid leaves cells without a pixel: they take the mean.
  const grid = Float32Array.from(sums, (one, i) =>
    (counts[i] as number) > 0 ? one / (counts[i] as number) : brightness,
  );
  return {
    name,
    digest,
    width,
    height,
    brightness,
    contrast: Math.sqrt(Math.max(0, squares / pixels - brightness * brightness)),
    colour: colour / pixels,
    grid,
    hash: hashOf(grid),
  };
}

function hashOf(grid: Float32Array): Uint32Array {
  const hash = new Uint32Array(8);
  for (let row = 0; row < ROWS; row++)
    for (let column = 0; column < COLUMNS - 1; column++) {
      const bit = row * (COLUMNS - 1) + column;
      const at = row * COLUMNS + column;
      if ((grid[at] as number) > (grid[at + 1] as number))
        hash[bit >> 5] = (hash[bit >> 5] as number) | (1 << (bit & 31));
    }
  return hash;
}
