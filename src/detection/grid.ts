/** Sets of strides that detectors have, the common one first. */
const STRIDES = [
  [8, 16, 32],
  [8, 16, 32, 64],
  [4, 8, 16, 32],
] as const;

/** A cell of the grid: column, row and stride in pixels. */
export type Cell = readonly [x: number, y: number, stride: number];

/** Strides with which a detector of this input size has `count` cells; undefined when there are none. */
export function stridesOf(count: number, height: number, width: number): readonly number[] | undefined {
  return STRIDES.find((strides) => cellCount(strides, height, width) === count);
}

/** Predictions of a detector with one anchor a cell. */
export function cellCount(strides: readonly number[], height: number, width: number): number {
  return strides.reduce((sum, stride) => sum + Math.ceil(height / stride) * Math.ceil(width / stride), 0);
}

/** Grids that were asked for: an input size has one or two, and each image asks again. */
const grids = new Map<string, readonly Cell[]>();

/** Cells row by row, finest stride first. Made once for a size. */
export function gridOf(strides: readonly number[], height: number, width: number): readonly Cell[] {
  const key = [...strides, height, width].join();
  const known = grids.get(key);
  if (known !== undefined) return known;
  const grid = cellsOf(strides, height, width);
  grids.set(key, grid);
  return grid;
}

function cellsOf(strides: readonly number[], height: number, width: number): readonly Cell[] {
  return strides.flatMap((stride) => {
    const columns = Math.ceil(width / stride);
    return Array.from({ length: Math.ceil(height / stride) * columns }, (_, i): Cell => [
      i % columns,
      Math.floor(i / columns),
      stride,
    ]);
  });
}
