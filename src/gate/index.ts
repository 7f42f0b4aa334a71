/** Thresholds and numbers in, verdict out. Pure. */
export * from './types.js';
export { exitStatusOf, judge, wantsOnlyImages, type Judgement } from './judge.js';
export { commonWaivers, expiredWaivers, type Waivers } from './waivers.js';
