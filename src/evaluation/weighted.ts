import type { GroundTruth } from '../dataset/index.js';
import { Kernel, Layout } from './kernel.js';
import { positives } from './matches.js';
import type { ClassBits } from './matching.js';
import { IOU_THRESHOLDS, RECALL_POINTS } from './parameters.js';

const T = IOU_THRESHOLDS.length;
const R = RECALL_POINTS.length;
const ALL = (1 << T) - 1;

/** AP50-95, AP50 and AR100 of one class; NaN where no box counts. */
export const FIGURES = ['map', 'map50', 'ar'] as const;

/**
 * What of a class a resample needs. Detections are in order of falling score; an event is one that is right or ignored
 * at some threshold, all others only count.
 */
interface Compact {
  /** By detection: 4 * image, + 1 for an event. */
  readonly detections: Int32Array;
  /** By threshold: the events that are right, and that are ignored; their numbers. */
  readonly right: readonly Int32Array[];
  readonly ignored: readonly Int32Array[];
  /** `t` is set where all outcomes at threshold `t` are those at `t - 1`. */
  readonly same: readonly boolean[];
  /** Images with boxes that count, and how many. */
  readonly boxImage: Int32Array;
  readonly boxCount: Int32Array;
  readonly events: number;
}

/** Where the parts of a class lie in the kernel's memory. */
interface Placed extends Pick<Compact, 'same' | 'boxImage' | 'boxCount'> {
  readonly detections: Range;
  readonly right: readonly Range[];
  readonly ignored: readonly Range[];
}

/** In bytes. */
interface Range {
  readonly at: number;
  readonly end: number;
}

/**
 * Evaluates the same matches again and again with other multiplicities of the images, at all sizes of boxes and 100
 * detections an image. A weight of n gives what n copies of the image in the set would give, but for equal scores in one
 * image, whose copies would alternate.
 */
export class WeightedEvaluation {
  /** By class: boxes that count, and images that hold one. */
  readonly boxes: readonly number[];
  readonly holding: readonly number[];
  private readonly classes: readonly Placed[];
  private readonly kernel: Kernel;
  private readonly weightsAt: number;
  private readonly eventsAt: number;
  private readonly neededAt: number;
  private readonly needed: Int32Array;
  /** Behind all else, as it may have to grow. */
  private readonly highestAt: number;

  constructor(truth: GroundTruth, classes: readonly ClassBits[]) {
    const compacts = classes.map((one) => compact(truth, one));
    this.boxes = compacts.map(({ boxCount }) => boxCount.reduce((sum, count) => sum + count, 0));
    this.holding = compacts.map(({ boxImage }) => boxImage.length);
    const layout = new Layout();
    this.weightsAt = layout.reserve(2 * truth.images.length);
    // One more: the kernel writes before it knows whether a detection is an event.
    const most = 1 + compacts.reduce((sum, { events }) => Math.max(sum, events), 0);
    this.eventsAt = layout.reserve(EVENT * most);
    this.neededAt = layout.reserve(4 * R);
    this.classes = compacts.map((one) => this.place(one, layout));
    this.highestAt = layout.reserve(0) + HIGHEST_IN_FRONT;
    this.kernel = new Kernel(layout);
    this.needed = new Int32Array(R);
  }

  private place({ detections, right, ignored, same, boxImage, boxCount }: Compact, layout: Layout): Placed {
    const put = (values: Int32Array): Range => {
      const at = layout.put(values);
      return { at, end: at + values.byteLength };
    };
    // The kernel reads an event's place, not its number.
    const events = (lists: readonly Int32Array[]): Range[] =>
      lists.map((list) => put(list.map((e) => this.eventsAt + EVENT * e)));
    return {
      detections: put(detections),
      right: events(right),
      ignored: events(ignored),
      same,
      boxImage,
      boxCount,
    };
  }

  /**
   * @param weights - how often each image counts
   * @param out - `[classes, 3]`: {@link FIGURES} of each class
   */
  evaluate(weights: Uint16Array, out: Float64Array): void {
    this.kernel.write(this.weightsAt, weights);
    for (let k = 0; k < this.classes.length; k++) this.evaluateClass(k, weights, out);
  }

  private evaluateClass(k: number, weights: Uint16Array, out: Float64Array): void {
    const { kernel, weightsAt, eventsAt } = this;
    const one = this.classes[k] as Placed;
    const { boxImage, boxCount, detections, same } = one;
    let total = 0;
    for (let i = 0; i < boxImage.length; i++)
      total += (boxCount[i] as number) * (weights[boxImage[i] as number] as number);
    if (total === 0) {
      out.fill(NaN, 3 * k, 3 * k + 3);
      return;
    }
    this.findNeeded(total);
    kernel.ensure(this.highestAt + 8 * (total + 1));
    kernel.walk(detections.at, detections.end, weightsAt, eventsAt);
    let [sum, recall, area, found] = [0, 0, 0, 0];
    for (let t = 0; t < T; t++) {
      if (same[t] !== true) {
        const right = one.right[t] as Range;
        found = kernel.total(right.at, right.end);
        area = found === 0 ? 0 : this.area(right, one.ignored[t] as Range, found);
      }
      if (t === 0) out[3 * k + 1] = area / R;
      sum += area;
      recall += found / total;
    }
    out[3 * k] = sum / (R * T);
    out[3 * k + 2] = recall / T;
  }

  private area(right: Range, ignored: Range, found: number): number {
    const { kernel, neededAt, highestAt } = this;
    return kernel.area(right.at, right.end, ignored.at, ignored.end, found, neededAt, highestAt);
  }

  /** Right detections needed to reach each recall point: the smallest n with n / total at or above it. */
  private findNeeded(total: number): void {
    const { needed } = this;
    for (let r = 0; r < R; r++) {
      const point = RECALL_POINTS[r] as number;
      let n = Math.max(0, Math.ceil(point * total) - 1);
      while (n / total < point) n++;
      needed[r] = n;
    }
    this.kernel.write(this.neededAt, needed);
  }
}

/** Bytes of an event: its weight, and that of all detections up to it. */
const EVENT = 8;
/** Bytes that the kernel may write in front of its highest precisions: two. */
const HIGHEST_IN_FRONT = 16;

/** Leaves out what moves no curve: detections ignored at every threshold, and all behind the last right one. */
function compact(truth: GroundTruth, one: ClassBits): Compact {
  let end = one.count;
  while (end > 0 && one.right[end - 1] === 0) end--;
  const kept: number[] = [];
  for (let i = 0; i < end; i++) if (one.ignored[i] !== ALL) kept.push(i);
  const isEvent = (i: number): boolean => ((one.right[i] as number) | (one.ignored[i] as number)) !== 0;
  const events = kept.filter(isEvent);
  const right = byThreshold(events, one.right);
  const ignored = byThreshold(events, one.ignored);
  const counts = positives(truth, one.boxes, 0);
  const boxImage = Int32Array.from(counts.keys()).filter((image) => counts[image] !== 0);
  return {
    detections: Int32Array.from(kept, (i) => 4 * (one.image[i] as number) + Number(isEvent(i))),
    right,
    ignored,
    same: right.map((_, t) => t > 0 && equal(right, t) && equal(ignored, t)),
    boxImage,
    boxCount: boxImage.map((image) => counts[image] as number),
    events: events.length,
  };
}

/** Sorts the numbers of events by the thresholds whose bits they have. */
function byThreshold(rows: readonly number[], bits: Uint16Array): readonly Int32Array[] {
  return Array.from({ length: T }, (_, t) =>
    Int32Array.from([...rows.keys()].filter((e) => (((bits[rows[e] as number] as number) >> t) & 1) === 1)),
  );
}

/** Whether the list of a threshold is that of the one before. */
function equal(lists: readonly Int32Array[], t: number): boolean {
  const [before, now] = [lists[t - 1] as Int32Array, lists[t] as Int32Array];
  return before.length === now.length && now.every((e, i) => e === before[i]);
}
