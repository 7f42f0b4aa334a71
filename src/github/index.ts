/** The adapter to GitHub Actions: inputs, native packages, outputs, summary, annotations, comment and check run. */
export { annotate, publish, publishShard, readInputs, refuseHeadCode, type ActionInputs } from './action.js';
export { tellAudit } from './audit.js';
export { announce } from './announce.js';
export { passOn } from './companion.js';
export { confine } from './confine.js';
export { ensureNativePackages } from './natives.js';
export { readOccasion, readSurroundings, type Occasion, type Surroundings } from './occasion.js';
export { mannersOf, type Manners } from './patience.js';
export { carryFor } from './carry.js';
export { annotationsOf, sourcesOf } from './places.js';
export { tellNight } from './night.js';
export type { News, Posting } from './tell.js';
export { haveBase, readComparison, type Comparison } from './comparison.js';
