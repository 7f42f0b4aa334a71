/** Extremes of one tensor, image by image and channel by channel: what tells who set a range. */
export interface TensorExtremes {
  readonly name: string;
  /** Dimensions at batch 1, as observed. */
  readonly shape: readonly number[];
  /** Least and greatest value by index of the image; NaN where an image was not seen. */
  readonly min: Float32Array;
  readonly max: Float32Array;
  /** Least and greatest value by channel (axis 1 of a tensor of rank 4) over all images; empty for other ranks. */
  readonly channelMin: Float32Array;
  readonly channelMax: Float32Array;
  /** Where the largest |x| lies: image, and place in the tensor's data; of equals the first. Undefined before any image. */
  readonly peak: Peak | undefined;
}

/** The largest |x| that a tensor reached. */
export interface Peak {
  readonly image: number;
  /** Index into the data of that image, row-major. */
  readonly index: number;
  /** The value itself, with its sign. */
  readonly value: number;
}

interface Running {
  shape: readonly number[];
  min: Float32Array;
  max: Float32Array;
  channelMin: Float32Array;
  channelMax: Float32Array;
  peak: Peak | undefined;
}

/** Structured-clone form of an observer, to cross a thread. */
export type ExtremesMessage = readonly (readonly [name: string, running: Running])[];

/**
 * Keeps extremes per image and per channel beside the histogram of a collector, which sums all images up.
 *
 * Eight bytes an image and tensor. Every update is a minimum or maximum, and the peak's ties go to the first image, so
 * the result has the same bits for any order of images and any tree of merges.
 */
export class ExtremesObserver {
  private readonly tensors = new Map<string, Running>();

  /** Takes in the values of image `image`; `shape` at batch 1. A value that is not finite makes its image's extremes so. */
  observe(image: number, name: string, data: Float32Array, shape: readonly number[]): void {
    const running = this.tensors.get(name) ?? this.start(name, shape);
    reserve(running, image + 1);
    const channels = running.channelMin.length;
    const parts = Math.max(1, channels);
    const each = data.length / parts;
    let [least, greatest] = [Infinity, -Infinity];
    for (let c = 0; c < parts; c++) {
      const [low, high] = bounds(data, c * each, (c + 1) * each);
      least = Math.min(least, low);
      greatest = Math.max(greatest, high);
      if (channels === 0) continue;
      running.channelMin[c] = Math.min(running.channelMin[c] as number, low);
      running.channelMax[c] = Math.max(running.channelMax[c] as number, high);
    }
    running.min[image] = least;
    running.max[image] = greatest;
    const value = -least > greatest ? least : greatest;
    const before = running.peak;
    if (before === undefined || above(value, image, before))
      running.peak = { image, index: data.indexOf(value), value };
  }

  private start(name: string, shape: readonly number[]): Running {
    const channels = shape.length === 4 ? (shape[1] as number) : 0;
    const running: Running = {
      shape: [...shape],
      min: new Float32Array(),
      max: new Float32Array(),
      channelMin: new Float32Array(channels).fill(Infinity),
      channelMax: new Float32Array(channels).fill(-Infinity),
      peak: undefined,
    };
    this.tensors.set(name, running);
    return running;
  }

  /** Adds what another observer saw of other images. */
  merge(other: ExtremesObserver): void {
    for (const [name, theirs] of other.tensors) {
      const ours = this.tensors.get(name) ?? this.start(name, theirs.shape);
      reserve(ours, theirs.min.length);
      theirs.min.forEach((value, i) => {
        if (Number.isNaN(value)) return;
        ours.min[i] = value;
        ours.max[i] = theirs.max[i] as number;
      });
      theirs.channelMin.forEach((low, c) => {
        ours.channelMin[c] = Math.min(ours.channelMin[c] as number, low);
        ours.channelMax[c] = Math.max(ours.channelMax[c] as number, theirs.channelMax[c] as number);
      });
      if (
        theirs.peak !== undefined &&
        (ours.peak === undefined || above(theirs.peak.value, theirs.peak.image, ours.peak))
      )
        ours.peak = theirs.peak;
    }
  }

  /** Extremes by tensor name. */
  extremes(): ReadonlyMap<string, TensorExtremes> {
    return new Map([...this.tensors].map(([name, running]) => [name, { name, ...running }]));
  }

  toMessage(): ExtremesMessage {
    return [...this.tensors];
  }

  static fromMessage(message: ExtremesMessage): ExtremesObserver {
    const observer = new ExtremesObserver();
    for (const [name, running] of message) observer.tensors.set(name, running);
    return observer;
  }
}

function above(value: number, image: number, peak: Peak): boolean {
  const [ours, theirs] = [Math.abs(value), Math.abs(peak.value)];
  return ours > theirs || (ours === theirs && image < peak.image);
}

/** Makes room for `count` images. */
function reserve(running: Running, count: number): void {
  if (running.min.length >= count) return;
  for (const side of ['min', 'max'] as const) {
    const wider = new Float32Array(count).fill(NaN);
    wider.set(running[side]);
    running[side] = wider;
  }
}

/** Least and greatest value of data[from … to), in two independent lanes so that no comparison waits for the one before it. */
function bounds(data: Float32Array, from: number, to: number): [min: number, max: number] {
  let [a, b, c, d] = [Infinity, Infinity, -Infinity, -Infinity];
  const whole = from + ((to - from) & ~1);
  for (let i = from; i < whole; i += 2) {
    const [p, q] = [data[i] as number, data[i + 1] as number];
    a = Math.min(a, p);
    b = Math.min(b, q);
    c = Math.max(c, p);
    d = Math.max(d, q);
  }
  if (whole < to) {
    a = Math.min(a, data[whole] as number);
    c = Math.max(c, data[whole] as number);
  }
  // -0 becomes 0: which of the two came first must not show.
  return [Math.min(a, b) + 0, Math.max(c, d) + 0];
}
