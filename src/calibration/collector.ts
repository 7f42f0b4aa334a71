import { BINS, type TensorStatistics } from './types.js';

/** Running statistics of one tensor; every update commutes with every other. */
interface Running {
  count: number;
  min: number;
  max: number;
  zeros: number;
  nonFinite: number;
  images: number;
  limit: number;
  bins: Float64Array;
  shape: readonly number[];
}

/** Structured-clone form of a collector, to cross a thread. */
export type CollectorMessage = readonly (readonly [name: string, running: Running])[];

/**
 * Keeps extremes and a histogram of |x| per tensor in constant memory.
 *
 * A histogram's limit is a power of two and grows by merging pairs of bins, which loses nothing but resolution and
 * depends on the data only through the largest |x|. Counts are whole numbers in float64. So the result has the same
 * bits for any order of images, any split into batches and any tree of merges.
 */
export class RangeCollector {
  private readonly tensors = new Map<string, Running>();

  /** Takes in the values that one image gave a tensor; `shape` at batch 1. */
  observe(name: string, data: Float32Array, shape: readonly number[]): void {
    const running = this.tensors.get(name) ?? this.start(name, shape);
    running.images++;
    const nonFinite = extremes(data, running);
    const amax = Math.max(-running.min, running.max);
    if (amax > running.limit) grow(running, amax);
    if (nonFinite === 0) fill(data, running);
    else fillFinite(data, running);
    running.nonFinite += nonFinite;
    running.count += data.length - nonFinite;
  }

  private start(name: string, shape: readonly number[]): Running {
    const running: Running = {
      count: 0,
      min: Infinity,
      max: -Infinity,
      zeros: 0,
      nonFinite: 0,
      images: 0,
      limit: 0,
      bins: new Float64Array(BINS),
      shape: [...shape],
    };
    this.tensors.set(name, running);
    return running;
  }

  /** Adds what another collector saw. */
  merge(other: RangeCollector): void {
    for (const [name, theirs] of other.tensors) {
      const ours = this.tensors.get(name);
      if (ours === undefined) {
        this.tensors.set(name, { ...theirs, bins: theirs.bins.slice() });
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
      ours.min = Math.min(ours.min, copy.min);
      ours.max = Math.max(ours.max, copy.max);
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

/** Updates min and max by the finite values and counts the others. */
function extremes(data: Float32Array, running: Running): number {
  let min = Infinity;
  let max = -Infinity;
  let sum = 0;
  for (let i = 0; i < data.length; i++) {
    const x = data[i] as number;
    min = x < min ? x : min;
    max = x > max ? x : max;
    sum += x - x; // NaN as soon as one value is NaN or infinite
  }
  if (sum === 0) {
    running.min = Math.min(running.min, min);
    running.max = Math.max(running.max, max);
    return 0;
  }
  let bad = 0;
  for (const x of data) {
    if (!Number.isFinite(x)) bad++;
    else {
      running.min = Math.min(running.min, x);
      running.max = Math.max(running.max, x);
    }
  }
  return bad;
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

// Two tables in turn, so that neighbouring equal values do not wait for each other's store.
const even = new Uint32Array(BINS + 1);
const odd = new Uint32Array(BINS + 1);

function fill(data: Float32Array, running: Running): void {
  if (running.limit === 0) {
    running.zeros += data.length;
    running.bins[0] = (running.bins[0] as number) + data.length;
    return;
  }
  const perUnit = BINS / running.limit;
  let zeros = 0;
  const n = data.length & ~1;
  for (let i = 0; i < n; i += 2) {
    const a = Math.abs(data[i] as number);
    const b = Math.abs(data[i + 1] as number);
    even[(a * perUnit) | 0]!++;
    odd[(b * perUnit) | 0]!++;
    zeros += (a === 0 ? 1 : 0) + (b === 0 ? 1 : 0);
  }
  if (n < data.length) {
    const a = Math.abs(data[n] as number);
    even[(a * perUnit) | 0]!++;
    zeros += a === 0 ? 1 : 0;
  }
  running.zeros += zeros;
  drain(running.bins);
}

/** Adds the scratch tables to the bins; the spare bin holds |x| equal to the limit and belongs to the last. */
function drain(bins: Float64Array): void {
  for (let i = 0; i < BINS; i++) bins[i] = (bins[i] as number) + (even[i] as number) + (odd[i] as number);
  bins[BINS - 1] = (bins[BINS - 1] as number) + (even[BINS] as number) + (odd[BINS] as number);
  even.fill(0);
  odd.fill(0);
}

function fillFinite(data: Float32Array, running: Running): void {
  fill(data.filter(Number.isFinite), running);
}
