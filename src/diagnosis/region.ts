import type { ImageGeometry } from '../dataset/index.js';

/** A rectangle in pixels of the original image, edges included, whole numbers. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/**
 * The part of the original image over which a value of a feature map [1, C, H, W] lies (its cell, not its receptive
 * field). Undefined for tensors of another rank, and for cells that lie in the padding altogether.
 */
export function regionOf(
  index: number,
  shape: readonly number[],
  input: { readonly height: number; readonly width: number },
  geometry: ImageGeometry,
): Region | undefined {
  const [, , height, width] = shape;
  if (shape.length !== 4 || height === undefined || width === undefined) return undefined;
  const [row, column] = [Math.floor(index / width) % height, index % width];
  const side = (from: number, cells: number, length: number, pad: number, scale: number, end: number) => {
    const at = (cell: number): number => ((cell * length) / cells - pad) / scale;
    const [low, high] = [Math.max(0, Math.floor(at(from))), Math.min(end, Math.ceil(at(from + 1)) - 1)];
    return low > high || low >= end ? undefined : ([low, Math.min(high, end - 1)] as const);
  };
  const x = side(column, width, input.width, geometry.padX, geometry.scaleX, geometry.originalWidth);
  const y = side(row, height, input.height, geometry.padY, geometry.scaleY, geometry.originalHeight);
  return x === undefined || y === undefined
    ? undefined
    : { left: x[0], right: x[1], top: y[0], bottom: y[1] };
}
