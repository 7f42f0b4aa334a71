import type { Peak } from './types.js';

/** Who reached how far, while it is gathered; every update commutes with every other. */
export interface Reach {
  channelMin: Float32Array;
  channelMax: Float32Array;
  peak: Peak | undefined;
}

/** One image's values of a tensor; its least and greatest finite value, low > high when none is. */
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

/** Takes in an image. A tensor whose channels are now so many, now so many, has none. */
export function widenReach(reach: Reach, seen: Seen): void {
  const { image, data, shape, low, high } = seen;
  const channels = channelsOf(shape);
  if (channels === reach.channelMin.length) byChannel(reach, seen);
  else dropChannels(reach);
  if (low > high) return;
  const value = (-low > high ? low : high) + 0;
  if (reach.peak === undefined || above(value, image, reach.peak))
    reach.peak = { image, index: data.indexOf(value), value, shape: [...shape] };
}

function byChannel({ channelMin, channelMax }: Reach, { data, shape, low, high }: Seen): void {
  const channels = channelMin.length;
  if (channels === 0 || data.length === 0) return;
  const rows = shape[0] as number;
  const each = data.length / (rows * channels);
  for (let part = 0; part < rows * channels; part++) {
    const c = part % channels;
    // A channel's bounds lie within the image's, which are finite: what is not finite is passed over by comparing.
    let [least, greatest] = [channelMin[c] as number, channelMax[c] as number];
    for (let i = part * each; i < (part + 1) * each; i++) {
      const x = data[i] as number;
      if (x < least && x >= low) least = x;
      if (x > greatest && x <= high) greatest = x;
    }
    // -0 becomes 0: which of the two came first must not show.
    channelMin[c] = least + 0;
    channelMax[c] = greatest + 0;
  }
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
