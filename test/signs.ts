import type { PreprocessingSpec } from '../src/dataset/index.js';

/** How images reach the detectors of fixtures/signs, as Ultralytics trains them. */
export const signsSpec: PreprocessingSpec = {
  resize: 'letterbox',
  height: 192,
  width: 192,
  interpolation: 'opencv',
  color: 'rgb',
  pad: 114,
  scale: 1 / 255,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  layout: 'nchw',
  dtype: 'float32',
  exif: true,
};
