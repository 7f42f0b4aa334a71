/** Which layers hurt: one layer in INT8 at a time; and which to keep float so that the thresholds hold. */
export { SqnrMeter, headTensors, layersBehind, referenceOutputs, type ReferenceOutputs } from './sqnr.js';
export { rank, sweep, type Scorer, type SweepDetail, type SweepInput, type SweepRow } from './sweep.js';
export { canSweepStored, sweepShare, sweepStored, type StoredSweepInput } from './stored.js';
export { groupLayers, type LayerGroup } from './groups.js';
export { isAbove, rankIntervals, settled, sqnrOf, type RankInterval } from './tally.js';
export type { Question } from './candidates.js';
export { harmOf, steeringNoise } from './harm.js';
export { searchPlan, type PlanSearch, type SearchEnd, type SearchInput } from './search.js';
export { paretoFront, type PlanEstimate, type PlanOutcome, type PlanPoint } from './trials.js';
export { pricer, type LatencyProfile, type Price } from './price.js';
export { chooseSubset } from './subset.js';
export {
  chooseCalibrators,
  chosenRanges,
  type CalibratorChoice,
  type CandidateError,
  type ChoiceInput,
} from './calibrators.js';
