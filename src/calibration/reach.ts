import type { Peak } from './types.js';

/** Who reached how far, while it is gathered; every update commutes with every other. */
export interface Reach {
  channelMin: Float32Array;
  channelMax: Float32Array;
  peak: Peak | undefined;
}

/** One image's values of a tensor; its least and greatest finite value. */
interface Seen {
  readonly image: number;
  readonly data: Float32Array;
  readonly shape: readonly number[];
  readonly low: number;
  readonly high: number;
}

/** Channels lie along axis 1 of tensors of rank 4; others have none. */
export function startReach(shape: readonly number[]): Reach {
  const channels = channelsOf(shape);
  return {
    channelMin: new Float32Array(channels).fill(Infinity),
    channelMax: new Float32Array(channels).fill(-Infinity),
    peak: undefined,
  };
}

function channelsOf(shape: readonly number[]): number {
  return shape.length === 4 ? (shape[1] as number) : 0;
}

/** How many channels an image's values are kept by. A tensor that has now so many, now so many, has none from then on. */
export function sameChannels(reach: Reach, shape: readonly number[]): number {
  if (channelsOf(shape) !== reach.channelMin.length) dropChannels(reach);
  return reach.channelMin.length;
}

/** Takes in the bounds of some finite values of a channel. */
export function widenChannel({ channelMin, channelMax }: Reach, c: number, low: number, high: number): void {
  channelMin[c] = Math.min(channelMin[c] as number, low);
  channelMax[c] = Math.max(channelMax[c] as number, high);
}

/** Takes in an image that holds finite values. */
export function widenPeak(reach: Reach, { image, data, shape, low, high }: Seen): void {
  const value = -low > high ? low : high;
  if (reach.peak === undefined || above(value, image, reach.peak))
    reach.peak = { image, index: data.indexOf(value), value, shape: [...shape] };
}

function dropChannels(reach: Reach): void {
  reach.channelMin = new Float32Array();
  reach.channelMax = new Float32Array();
}

/** Adds what other images reached. */
export function mergeReach(ours: Reach, theirs: Reach): void {
  const { channelMin, channelMax } = ours;
  if (channelMin.length !== theirs.channelMin.length) dropChannels(ours);
  else
    theirs.channelMin.forEach((low, c) => {
      channelMin[c] = Math.min(channelMin[c] as number, low);
      channelMax[c] = Math.max(channelMax[c] as number, theirs.channelMax[c] as number);
    });
  const { peak } = theirs;
  if (peak !== undefined && (ours.peak === undefined || above(peak.value, peak.image, ours.peak)))
    ours.peak = peak;
}

/** Larger, or as large in an earlier image. */
function above(value: number, image: number, peak: Peak): boolean {
  const [ours, theirs] = [Math.abs(value), Math.abs(peak.value)];
  return ours > theirs || (ours === theirs && image < peak.image);
}
