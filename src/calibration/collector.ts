import { mergeReach, startReach, widenReach, type Reach } from './reach.js';
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
    const { low, high, nonFinite } = extremes(data);
    widen(running, low, high);
    if (low <= high) {
      running.minByImage[image] = low + 0;
      running.maxByImage[image] = high + 0;
    }
    if (running.reach !== undefined) widenReach(running.reach, { image, data, shape, low, high });
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

/** Least and greatest finite value, and how many are not finite; low > high when none is. */
function extremes(data: Float32Array): { low: number; high: number; nonFinite: number } {
  const [min, max] = bounds(data);
  // Math.min and Math.max hand NaN on, so finite bounds prove that every value is finite.
  if (data.length === 0 || (Number.isFinite(min) && Number.isFinite(max)))
    return { low: min, high: max, nonFinite: 0 };
  const finite = data.filter(Number.isFinite);
  const [low, high] = bounds(finite);
  return { low, high, nonFinite: data.length - finite.length };
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

/** Least and greatest value, in four independent lanes so that no comparison waits for the one before it. */
function bounds(data: Float32Array): [min: number, max: number] {
  let [a, b, c, d] = [Infinity, Infinity, Infinity, Infinity];
  let [e, f, g, h] = [-Infinity, -Infinity, -Infinity, -Infinity];
  const whole = data.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    const [p, q] = [data[i] as number, data[i + 1] as number];
    const [r, s] = [data[i + 2] as number, data[i + 3] as number];
    a = Math.min(a, p);
    b = Math.min(b, q);
    c = Math.min(c, r);
    d = Math.min(d, s);
    e = Math.max(e, p);
    f = Math.max(f, q);
    g = Math.max(g, r);
    h = Math.max(h, s);
  }
  for (let i = whole; i < data.length; i++) {
    a = Math.min(a, data[i] as number);
    e = Math.max(e, data[i] as number);
  }
  return [Math.min(a, b, c, d), Math.max(e, f, g, h)];
}

/** `+ 0` turns -0 into 0: which of the two came first must not show. */
function widen(running: Running, min: number, max: number): void {
  running.min = Math.min(running.min, min) + 0;
  running.max = Math.max(running.max, max) + 0;
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

// Two tables in turn, so that neighbouring equal values do not wait for each other's store. Entry 0 counts zeros,
// entry i + 1 bin i.
const even = new Uint32Array(BINS + 1);
const odd = new Uint32Array(BINS + 1);

/**
 * Counts finite values. Bins are closed above, (i, i + 1] * limit / BINS: rounding up puts a value that equals the
 * limit into the last bin, and merging pairs keeps it where a wider histogram would have put it. Bins closed below
 * would not: exactly 1 is in the last bin of [0, 1], but above the middle, not below it, of [0, 2].
 */
function fill(data: Float32Array, running: Running): void {
  // With limit 0 every value is 0 and stays in entry 0.
  const perUnit = running.limit === 0 ? 0 : BINS / running.limit;
  const n = data.length & ~1;
  for (let i = 0; i < n; i += 2) {
    even[Math.ceil(Math.abs(data[i] as number) * perUnit)]!++;
    odd[Math.ceil(Math.abs(data[i + 1] as number) * perUnit)]!++;
  }
  if (n < data.length) even[Math.ceil(Math.abs(data[n] as number) * perUnit)]!++;
  drain(running);
}

/** Adds the scratch tables to the statistics; zeros lie in bin 0. */
function drain(running: Running): void {
  const { bins } = running;
  const zeros = (even[0] as number) + (odd[0] as number);
  running.zeros += zeros;
  bins[0] = (bins[0] as number) + zeros;
  for (let i = 0; i < BINS; i++)
    bins[i] = (bins[i] as number) + (even[i + 1] as number) + (odd[i + 1] as number);
  even.fill(0);
  odd.fill(0);
}

function fillFinite(data: Float32Array, running: Running): void {
  fill(data.filter(Number.isFinite), running);
}
