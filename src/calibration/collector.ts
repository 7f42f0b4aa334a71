import { CHUNK, Kernel } from './kernel.js';
import { mergeReach, sameChannels, startReach, widenChannel, widenPeak, type Reach } from './reach.js';
import { BINS, type TensorStatistics } from './types.js';

/** Running statistics of one tensor; every update commutes with every other. */
interface Running {
  count: number;
  min: number;
  max: number;
  zeros: number;
  nonFinite: number;
  images: number;
  minByImage: Float32Array;
  maxByImage: Float32Array;
  limit: number;
  bins: Float64Array;
  shape: readonly number[];
  reach: Reach | undefined;
}

/** Structured-clone form of a collector, to cross a thread. */
export type CollectorMessage = readonly (readonly [name: string, running: Running])[];

/**
 * Keeps extremes and a histogram of |x| per tensor, and eight bytes an image: its extremes.
 *
 * A histogram's limit is a power of two and grows by merging pairs of bins, which loses nothing but resolution and
 * depends on the data only through the largest |x|. Counts are whole numbers in float64. So the result has the same
 * bits for any order of images, any split into batches and any tree of merges. Extremes lie at the image's index.
 */
export class RangeCollector {
  private readonly tensors = new Map<string, Running>();

  /** `reach`: also who set each range, by channel (see {@link TensorStatistics.reach}). */
  constructor(private readonly options: { readonly reach?: boolean } = {}) {}

  /** Takes in the values that image `image` gave a tensor; `shape` at batch 1. */
  observe(image: number, name: string, data: Float32Array, shape: readonly number[]): void {
    const running = this.tensors.get(name) ?? this.start(name, shape);
    running.images++;
    running.shape = widerShape(running.shape, shape);
    reserve(running, image + 1);
    let [low, high] = [Infinity, -Infinity];
    const kernel = Kernel.get();
    for (const part of partsOf(data, shape, running.reach)) {
      const [least, greatest, finite] = take(kernel, part.values, running);
      running.nonFinite += part.values.length - finite;
      running.count += finite;
      if (finite === 0) continue;
      low = Math.min(low, least);
      high = Math.max(high, greatest);
      if (part.channel !== undefined && running.reach !== undefined)
        widenChannel(running.reach, part.channel, least, greatest);
    }
    running.zeros += kernel.drain(running.bins);
    if (low > high) return;
    running.min = Math.min(running.min, low);
    running.max = Math.max(running.max, high);
    running.minByImage[image] = low;
    running.maxByImage[image] = high;
    if (running.reach !== undefined) widenPeak(running.reach, { image, data, shape, low, high });
  }

  private start(name: string, shape: readonly number[]): Running {
    const running: Running = {
      count: 0,
      min: Infinity,
      max: -Infinity,
      zeros: 0,
      nonFinite: 0,
      images: 0,
      minByImage: new Float32Array(),
      maxByImage: new Float32Array(),
      limit: 0,
      bins: new Float64Array(BINS),
      shape: [...shape],
      reach: this.options.reach === true ? startReach(shape) : undefined,
    };
    this.tensors.set(name, running);
    return running;
  }

  /** Adds what another collector saw. */
  merge(other: RangeCollector): void {
    for (const [name, theirs] of other.tensors) {
      const ours = this.tensors.get(name);
      if (ours === undefined) {
        this.tensors.set(name, {
          ...theirs,
          bins: theirs.bins.slice(),
          minByImage: theirs.minByImage.slice(),
          maxByImage: theirs.maxByImage.slice(),
          reach: theirs.reach && structuredClone(theirs.reach),
        });
        continue;
      }
      const bins = theirs.bins.slice();
      const copy = { ...theirs, bins };
      if (copy.limit > ours.limit) grow(ours, copy.limit);
      else if (ours.limit > copy.limit) grow(copy, ours.limit);
      for (let i = 0; i < BINS; i++) ours.bins[i] = (ours.bins[i] as number) + (bins[i] as number);
      ours.count += copy.count;
      ours.zeros += copy.zeros;
      ours.nonFinite += copy.nonFinite;
      ours.images += copy.images;
      reserve(ours, theirs.minByImage.length);
      theirs.minByImage.forEach((low, i) => {
        if (Number.isNaN(low)) return;
        ours.minByImage[i] = low;
        ours.maxByImage[i] = theirs.maxByImage[i] as number;
      });
      ours.min = Math.min(ours.min, copy.min);
      ours.max = Math.max(ours.max, copy.max);
      ours.shape = widerShape(ours.shape, copy.shape);
      if (ours.reach !== undefined && copy.reach !== undefined) mergeReach(ours.reach, copy.reach);
    }
  }

  /** Statistics by tensor name. */
  statistics(): ReadonlyMap<string, TensorStatistics> {
    return new Map([...this.tensors].map(([name, running]) => [name, { name, ...running }]));
  }

  toMessage(): CollectorMessage {
    return [...this.tensors];
  }

  static fromMessage(message: CollectorMessage): RangeCollector {
    const collector = new RangeCollector();
    for (const [name, running] of message) collector.tensors.set(name, running);
    return collector;
  }
}

/** Of two shapes that images gave a tensor the one with more elements; of equals the one whose first other dimension is larger. */
function widerShape(a: readonly number[], b: readonly number[]): readonly number[] {
  if (a.length === b.length && a.every((dim, i) => dim === b[i])) return a;
  const elements = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1);
  const more = elements(b) - elements(a) || b.length - a.length;
  const at = a.findIndex((dim, i) => dim !== b[i]);
  return (more || (b[at] ?? 0) - (a[at] ?? 0)) > 0 ? [...b] : a;
}

/** Values that are looked at at once, and the channel that they belong to where channels are kept. */
interface Part {
  readonly values: Float32Array;
  readonly channel: number | undefined;
}

function* partsOf(data: Float32Array, shape: readonly number[], reach: Reach | undefined): Generator<Part> {
  const channels = reach === undefined ? 0 : sameChannels(reach, shape);
  const runs = channels === 0 ? 1 : channels * (shape[0] as number);
  const each = data.length / runs;
  for (let run = 0; run < runs; run++)
    for (let at = run * each; at < (run + 1) * each; at += CHUNK)
      yield {
        values: data.subarray(at, Math.min(at + CHUNK, (run + 1) * each)),
        channel: channels === 0 ? undefined : run % channels,
      };
}

/** Counts what is finite of some values; answers its bounds and how many that were. */
function take(
  kernel: Kernel,
  values: Float32Array,
  running: Running,
): readonly [low: number, high: number, finite: number] {
  const bounds = kernel.bounds(values);
  if (bounds === undefined) {
    const finite = values.filter(Number.isFinite);
    return finite.length === 0 ? [Infinity, -Infinity, 0] : take(kernel, finite, running);
  }
  const [low, high] = bounds;
  const amax = Math.max(-low, high);
  if (amax > running.limit) {
    // What was counted so far was counted in narrower bins.
    running.zeros += kernel.drain(running.bins);
    grow(running, amax);
  }
  // With limit 0 every value is 0.
  kernel.count(running.limit === 0 ? 0 : BINS / running.limit, values.length);
  return [low, high, values.length];
}

/** Makes room for `count` images. */
function reserve(running: Running, count: number): void {
  if (running.minByImage.length >= count) return;
  for (const side of ['minByImage', 'maxByImage'] as const) {
    const wider = new Float32Array(count).fill(NaN);
    wider.set(running[side]);
    running[side] = wider;
  }
}

/** Smallest power of two that is not below `amax`. */
function powerOfTwoAbove(amax: number): number {
  const power = 2 ** Math.ceil(Math.log2(amax));
  return power < amax ? power * 2 : power / 2 >= amax ? power / 2 : power;
}

/** Widens the histogram to hold `amax` by merging pairs of bins. */
function grow(running: Running, amax: number): void {
  const limit = powerOfTwoAbove(amax);
  if (running.limit === 0) {
    // Only zeros were seen; they stay in bin 0 at any width.
    running.limit = limit;
    return;
  }
  const { bins } = running;
  for (; running.limit < limit; running.limit *= 2) {
    for (let i = 0; i < BINS / 2; i++) bins[i] = (bins[2 * i] as number) + (bins[2 * i + 1] as number);
    bins.fill(0, BINS / 2);
  }
}
