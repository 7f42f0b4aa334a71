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
  const ratio = Math.min(spec.height / height, spec.width / width);
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
      const [w, h] = [roundHalfEven(width * ratio), roundHalfEven(height * ratio)];
      const left = roundHalfEven((spec.width - w) / 2 - 0.1);
      const top = roundHalfEven((spec.height - h) / 2 - 0.1);
      return { width: w, height: h, left, top, scaleX: ratio, scaleY: ratio };
    }
    case 'letterbox-top-left':
      // As YOLOX: truncated size, and its own inverse divides by the ratio.
      return {
        width: Math.max(1, Math.trunc(width * ratio)),
        height: Math.max(1, Math.trunc(height * ratio)),
        left: 0,
        top: 0,
        scaleX: ratio,
        scaleY: ratio,
      };
    case 'shortest-side': {
      const short = Math.min(spec.height, spec.width) / Math.min(height, width);
      const fit = Math.min(short, ratio);
      const [w, h] = [
        Math.max(1, Math.floor(width * fit + 0.5)),
        Math.max(1, Math.floor(height * fit + 0.5)),
      ];
      return { width: w, height: h, left: 0, top: 0, scaleX: w / width, scaleY: h / height };
    }
  }
}

/** Resizes, pads and orders channels: from a decoded RGB image to the model's 8-bit canvas. */
export function prepareImage(image: Raster, spec: PreprocessingSpec): PreparedImage {
  const where = place(image.width, image.height, spec);
  const resized = (spec.interpolation === 'pil' ? resizePil : resizeOpenCv)(image, where.width, where.height);
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
