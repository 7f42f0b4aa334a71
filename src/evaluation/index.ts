/** How good detections are (COCO mAP as pycocotools defines it), how sure that is, and how far two sets of outputs lie apart. */
export * from './types.js';
export { evaluateCoco, CocoEvaluation } from './coco.js';
export type { MatchOptions } from './matching.js';
export { evaluateVoc, type VocClass, type VocEvaluation, type VocMetric } from './voc.js';
export {
  pairedBootstrap,
  type BootstrapOptions,
  type BootstrapResult,
  type ClassDrop,
  type Drop,
} from './bootstrap.js';
export { INTERVAL_METHODS, type IntervalMethod } from './intervals.js';
export { agreementByImage, agreementOf, agreementShares, type Agreement } from './agreement.js';
export { compareFound, type FoundComparison } from './found.js';
export { outputDistances, type OutputDistances } from './distances.js';
export { prepareMatches, type ClassMatches, type Matches } from './matches.js';
export { AREAS, IOU_THRESHOLDS, MAX_DETECTIONS, OUTCOME, RECALL_POINTS } from './parameters.js';
export { linspace, mulberry32, pairwiseSum } from './numeric.js';
