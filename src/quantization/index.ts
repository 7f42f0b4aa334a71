/** Precision plans, where Q/DQ is placed and with which scales, and evidence of scales that destroy. */
export * from './types.js';
export {
  attentionNodes,
  headNodes,
  isCompute,
  isDfl,
  listLayers,
  movedInputs,
  weightOf,
  weightValues,
  withMacs,
} from './layers.js';
export { defaultPlan, formatPlan, keepFloat, parsePlan, readPlan, recalibrate, resolvePlan } from './plan.js';
export { throughHalf } from './half.js';
export { planMatches } from './pattern.js';
export { fitPlan, type FittedPlan, type PlanAge, type PlanNetwork } from './stale.js';
export { calibratorOf, planRanges } from './plan-ranges.js';
export { floatModelOf, planOfFile, storedIntegers, tensorsOfFile } from './explicit.js';
export { widened } from './widen.js';
export { biasProbe, canShift, type BiasProbe } from './bias.js';
export {
  equalizationPairs,
  equalize,
  equalizedTensors,
  type EqualizationPair,
  type EqualizationPairs,
} from './equalize.js';
export { shiftBiases } from './shift.js';
export { LEAVES, placeQuantizers, type Placement } from './placement.js';
export {
  channelScales,
  checkWeights,
  quantize,
  scaleOf,
  tensorsToCalibrate,
  type QuantizedModel,
} from './quantize.js';
export { toStrong, type KeptFloat, type StrongModel, type StrongOptions } from './strong.js';
export { findSharedScales, type SharedScale } from './shared-scales.js';
export { elementsMoved } from './moved.js';
