/** Why INT8 hurts: rules from evidence to causes, with what was tried against them. Pure; whoever runs engines gathers the evidence. */
export * from './types.js';
export { diagnose, floatRemedies, RULES, type Rule } from './diagnose.js';
export { findOutliers, type Outlier } from './outliers.js';
export { findClipped, findOneSided } from './ranges.js';
export { amaxByImage, findAlone, expectedRange, growthCurve, type GrowthCurve } from './growth.js';
export { beyondCalibration, driftOf, type Drift } from './drift.js';
export { featureMaps } from './feature-maps.js';
export { regionOf, type Region } from './region.js';
export { findIdle, weightEvidence, withoutIdle, type WeightEvidence } from './weights.js';
export {
  ALTERNATIVES,
  amaxOf,
  calibratorWords,
  rangeBy,
  reach,
  shareBeyond,
  tensorSqnr,
  type CalibratorChoice,
} from './signal.js';
