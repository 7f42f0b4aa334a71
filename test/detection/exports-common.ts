import type { PreprocessingSpec } from '../../src/dataset/index.js';
import type { DecoderOverride } from '../../src/detection/index.js';
import type { ExportWords, OutputWords, Put } from './onnx-exports.js';

/**
 * What detectors' own exporters write: names, dimensions, types and metadata, at an input of 64 by 64 pixels.
 * Sources: docs/decoders.md.
 */
export interface Export extends ExportWords {
  readonly title: string;
  readonly format: string;
  readonly spec: Partial<PreprocessingSpec>;
  readonly expected: readonly (readonly number[])[];
  readonly categories?: number;
  readonly override?: DecoderOverride;
  /** For models with free height and width. */
  readonly size?: { readonly height: number; readonly width: number };
}

/** Cells of strides 8, 16 and 32. */
export const N = 84;
export const image = (name: string): ExportWords['inputs'] => [[name, [1, 3, 64, 64]]];
export const names = (n: number): string =>
  `{${Array.from({ length: n }, (_, i) => `${i}: 'c${i}'`).join(', ')}}`;
export const ultralytics = (n: number, more: Readonly<Record<string, string>> = {}) => ({
  description: 'Ultralytics YOLO11n model trained on coco.yaml',
  author: 'Ultralytics',
  version: '8.3.0',
  stride: '32',
  task: 'detect',
  batch: '1',
  imgsz: '[64, 64]',
  names: names(n),
  args: "{'dynamic': False, 'half': False, 'nms': False}",
  end2end: 'False',
  ...more,
});

// The photo is of one colour: red 51, green 102, blue 204. The middle pixel's first channel by family:
export const RGB = 0.2;
export const BGR255 = 204;
export const RGB255 = 51;
export const IMAGENET = (0.2 - 0.485) / 0.229;
export const MMDET = (204 - 103.53) / 57.375;

/** The object in each geometry: 128 by 96 pixels letterboxed, or stretched. */
export const BOXED = [44, 24, 40, 32];
export const STRETCHED = [48, 24, 32, 48];

export const LETTERBOX = {
  resize: 'letterbox',
  interpolation: 'opencv',
  color: 'rgb',
  scale: 1 / 255,
} as const;
export const TOP_LEFT = {
  resize: 'letterbox-top-left',
  interpolation: 'opencv',
  color: 'bgr',
  scale: 1,
} as const;
export const STRETCH = { resize: 'stretch', scale: 1 / 255, mean: [0, 0, 0] } as const;

/** One row of a table `[1, rows, width]`, its last number (or that at `score`) seen in the image. */
export const row = (
  output: Omit<OutputWords, 'puts' | 'seen'>,
  width: number,
  at: number,
  values: readonly number[],
  score: number,
  pixel: number,
  value = 0.5,
): OutputWords => ({
  ...output,
  puts: [[at * width, values]],
  seen: { at: at * width + score, pixel, value },
});

export const yolov8 = (name: string, classes: number, dims: OutputWords['dims']): OutputWords => ({
  name,
  dims,
  ran: [1, 4 + classes, N],
  puts: [32, 28, 20, 16].map((value, side): Put => [side * N + 7, [value]]),
  seen: { at: (4 + classes - 1) * N + 7, pixel: RGB, value: 0.5 },
});
export const yolov5 = (name: string, dims: OutputWords['dims'], pixel = RGB): OutputWords =>
  row({ name, dims, ran: [1, 3 * N, 8] }, 8, 9, [32, 28, 20, 16, 0.8, 0, 0, 0], 6, pixel);
export const corners = (output: Omit<OutputWords, 'puts' | 'seen'>, at = 0): OutputWords => ({
  ...output,
  puts: [[4 * at, [22, 20, 42, 36]]],
});
export const stretched = [24, 16, 40, 48];
export const centred = [0.5, 0.5, 0.25, 0.5];
/** Distances of a stride in each direction from the centre of cell (4, 3), or from its corner, of stride 8. */
export const distances = (bins: number, step: number): Put[] =>
  [0, 1, 2, 3].map((side): Put => [(8 * 3 + 4) * step + side * bins + 1, [50]]);
export const pico = [64, 16, 4, 1];
