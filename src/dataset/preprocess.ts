import { resizeOpenCvCubic } from './resize-cubic.js';
import { resizeOpenCv, resizePil, roundHalfEven, type Raster } from './resize.js';
import type { ImageGeometry, PreparedImage, PreprocessingSpec } from './types.js';

interface Placement {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly top: number;
  readonly scaleX: number;
  readonly scaleY: number;
}

/** Where and how large an image lands on the model's canvas. */
export function place(width: number, height: number, spec: PreprocessingSpec): Placement {
  switch (spec.resize) {
    case 'stretch':
      return {
        width: spec.width,
        height: spec.height,
        left: 0,
        top: 0,
        scaleX: spec.width / width,
        scaleY: spec.height / height,
      };
    case 'letterbox': {
      // As Ultralytics: rounded size, half-pixel pads go up and left, and the inverse divides by the ratio.
      const margin = spec.margin ?? 0;
      const ratio = Math.min(
        Math.max(1, spec.height - margin) / height,
        Math.max(1, spec.width - margin) / width,
      );
      const [w, h] = [Math.max(1, roundHalfEven(width * ratio)), Math.max(1, roundHalfEven(height * ratio))];
      const left = roundHalfEven((spec.width - w) / 2 - 0.1);
      const top = roundHalfEven((spec.height - h) / 2 - 0.1);
      return { width: w, height: h, left, top, scaleX: ratio, scaleY: ratio };
    }
    case 'letterbox-top-left': {
      // As YOLOX: truncated size, and its own inverse divides by the ratio.
      const ratio = Math.min(spec.height / height, spec.width / width);
      return {
        width: Math.max(1, Math.trunc(width * ratio)),
        height: Math.max(1, Math.trunc(height * ratio)),
        left: 0,
        top: 0,
        scaleX: ratio,
        scaleY: ratio,
      };
    }
    case 'shortest-side': {
      const [w, h] = shortestSide(width, height, spec);
      return { width: w, height: h, left: 0, top: 0, scaleX: w / width, scaleY: h / height };
    }
  }
}

/**
 * With `pil` as DETR does it: the short side is exact (rounded when the long side decides), the long one truncated;
 * with `opencv` as mmdetection does it: both are rounded half up.
 */
function shortestSide(width: number, height: number, spec: PreprocessingSpec): readonly [number, number] {
  const short = spec.shortSide ?? Math.min(spec.height, spec.width);
  const ratio = Math.min(
    short / Math.min(height, width),
    (spec.longSide ?? Infinity) / Math.max(height, width),
    spec.height / height,
    spec.width / width,
  );
  const bounded = (w: number, h: number): readonly [number, number] => [
    Math.min(spec.width, Math.max(1, w)),
    Math.min(spec.height, Math.max(1, h)),
  ];
  if (spec.interpolation !== 'pil')
    return bounded(Math.floor(width * ratio + 0.5), Math.floor(height * ratio + 0.5));
  const side = Math.max(1, roundHalfEven(Math.min(width, height) * ratio));
  return width < height
    ? bounded(side, Math.trunc((side * height) / width))
    : bounded(Math.trunc((side * width) / height), side);
}

const RESIZERS = { opencv: resizeOpenCv, 'opencv-cubic': resizeOpenCvCubic, pil: resizePil } as const;

/** Resizes, pads and orders channels: from a decoded RGB image to the model's 8-bit canvas. */
export function prepareImage(image: Raster, spec: PreprocessingSpec): PreparedImage {
  const where = place(image.width, image.height, spec);
  const resized = RESIZERS[spec.interpolation](image, where.width, where.height);
  const pixels = new Uint8Array(new SharedArrayBuffer(spec.width * spec.height * 3));
  if (where.width !== spec.width || where.height !== spec.height) pixels.fill(spec.pad);
  for (let y = 0; y < where.height; y++)
    pixels.set(
      resized.data.subarray(y * where.width * 3, (y + 1) * where.width * 3),
      ((y + where.top) * spec.width + where.left) * 3,
    );
  if (spec.color === 'bgr') swapChannels(pixels);
  const geometry: ImageGeometry = {
    scaleX: where.scaleX,
    scaleY: where.scaleY,
    padX: where.left,
    padY: where.top,
    originalWidth: image.width,
    originalHeight: image.height,
  };
  return { pixels, width: spec.width, height: spec.height, geometry };
}

function swapChannels(pixels: Uint8Array): void {
  for (let i = 0; i < pixels.length; i += 3) {
    const first = pixels[i] as number;
    pixels[i] = pixels[i + 2] as number;
    pixels[i + 2] = first;
  }
}
