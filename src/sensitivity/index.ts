/** Which layers hurt: one layer in INT8 at a time; and which to keep float so that the thresholds hold. */
export { SqnrMeter, headTensors, referenceOutputs, type ReferenceOutputs } from './sqnr.js';
export { rank, sweep, type Scorer, type SweepInput, type SweepRow } from './sweep.js';
export { searchMixed, type MixedSearch, type PlanOutcome, type SearchInput, type Try } from './search.js';
export { chooseSubset } from './subset.js';
