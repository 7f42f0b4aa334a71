/** Statistics of tensors over calibration images, in one streaming pass, and the calibrators that turn them into ranges. */
export * from './types.js';
export { RangeCollector, type CollectorMessage } from './collector.js';
export { extremesOf, type TensorExtremes } from './extremes.js';
export {
  CALIBRATORS,
  calibratorFor,
  computeRanges,
  rangeCandidates,
  type CalibratorName,
  type CalibratorOptions,
  type RangeCandidate,
} from './calibrators.js';
export { meanSquare, quantizationError } from './mse.js';
export {
  cacheVersionOf,
  formatCalibrationCache,
  parseCalibrationCache,
  rangesFromCache,
  type CalibrationCache,
} from './cache.js';
export { holdBack, type HeldBack } from './hold-back.js';
