import type { SweepRow } from './sweep.js';

/** Falls of mAP on a subset below this may be chance. */
const CHANCE = 0.05;

/**
 * What steers a search: noise over signal of the head's tensors, which of several layers is nearly the sum of each one's.
 * Where something is in INT8 behind those tensors, which shows in nothing else, the fall of mAP comes to it, if it is
 * beyond chance; elsewhere mAP on a few images only adds chance. The two are of a size: both are about 1 where nothing is left.
 *
 * @param mapDrop 0 where nothing behind the head is in INT8
 */
export function steeringNoise(sqnr: number, mapDrop = 0): number {
  return noiseOf(sqnr) + (mapDrop > CHANCE ? mapDrop : 0);
}

/**
 * What layers are ranked by, the more the worse: noise over signal of the head's tensors. Of a layer that does not touch
 * them, such as one of post-processing, it is the fall of mAP where that is beyond chance; all, where nothing could be
 * decoded any more.
 */
export function harmOf({ sqnr, mapDrop }: Pick<SweepRow, 'sqnr' | 'mapDrop'>): number {
  return sqnr === Infinity ? steeringNoise(sqnr, mapDrop ?? 1) : noiseOf(sqnr);
}

/** Noise over signal of an SQNR in dB. */
function noiseOf(sqnr: number): number {
  return 10 ** (-sqnr / 10);
}
