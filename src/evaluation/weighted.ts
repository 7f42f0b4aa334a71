import type { GroundTruth } from '../dataset/index.js';
import { EPSILON, positives } from './matches.js';
import type { ClassBits } from './matching.js';
import { IOU_THRESHOLDS, RECALL_POINTS } from './parameters.js';

const T = IOU_THRESHOLDS.length;
const R = RECALL_POINTS.length;
const ALL = (1 << T) - 1;

/** AP50-95, AP50 and AR100 of one class; NaN where no box counts. */
export const FIGURES = ['map', 'map50', 'ar'] as const;

/** What of a class a resample needs: detections that can move a curve, in order of falling score. */
interface Compact {
  readonly image: Int32Array;
  readonly right: Uint16Array;
  readonly ignored: Uint16Array;
  /** Images with boxes that count, and how many. */
  readonly boxImage: Int32Array;
  readonly boxCount: Int32Array;
  /** The steps that a curve can have. */
  readonly steps: number;
}

/**
 * Evaluates the same matches again and again with other multiplicities of the images, at all sizes of boxes and 100
 * detections an image. A weight of n gives what n copies of the image in the set would give, but for equal scores in one
 * image, whose copies would alternate.
 */
export class WeightedEvaluation {
  private readonly classes: readonly Compact[];
  /** By class: boxes that count, and images that hold one. */
  readonly boxes: readonly number[];
  readonly holding: readonly number[];
  private readonly tp = new Int32Array(T);
  private readonly skipped = new Int32Array(T);
  private readonly length = new Int32Array(T);
  private readonly needed = new Int32Array(R);
  /** Most steps that a curve can have. */
  private readonly most: number;
  /** `[T, most]`: right detections up to a step, and all that are not ignored. */
  private readonly hits: Int32Array;
  private readonly seen: Int32Array;

  constructor(truth: GroundTruth, classes: readonly ClassBits[]) {
    this.classes = classes.map((one) => compact(truth, one));
    this.boxes = this.classes.map(({ boxCount }) => boxCount.reduce((sum, count) => sum + count, 0));
    this.holding = this.classes.map(({ boxImage }) => boxImage.length);
    this.most = Math.max(1, ...this.classes.map(({ steps }) => steps));
    this.hits = new Int32Array(T * this.most);
    this.seen = new Int32Array(T * this.most);
  }

  /**
   * @param weights - how often each image counts
   * @param out - `[classes, 3]`: {@link FIGURES} of each class
   */
  evaluate(weights: Uint16Array, out: Float64Array): void {
    for (let k = 0; k < this.classes.length; k++) this.evaluateClass(k, weights, out);
  }

  private evaluateClass(k: number, weights: Uint16Array, out: Float64Array): void {
    const one = this.classes[k] as Compact;
    let total = 0;
    for (let i = 0; i < one.boxImage.length; i++)
      total += (one.boxCount[i] as number) * (weights[one.boxImage[i] as number] as number);
    if (total === 0) {
      out.fill(NaN, 3 * k, 3 * k + 3);
      return;
    }
    this.walk(one, weights);
    this.findNeeded(total);
    let [sum, recall] = [0, 0];
    for (let t = 0; t < T; t++) {
      const area = this.area(t);
      if (t === 0) out[3 * k + 1] = area / R;
      sum += area;
      recall += (this.tp[t] as number) / total;
    }
    out[3 * k] = sum / (R * T);
    out[3 * k + 2] = recall / T;
  }

  /** Notes, for each threshold, right detections and all detections so far at every right one. */
  private walk({ image, right, ignored }: Compact, weights: Uint16Array): void {
    const { tp, skipped, length, hits, seen, most } = this;
    tp.fill(0);
    skipped.fill(0);
    length.fill(0);
    let n = 0;
    for (let i = 0; i < image.length; i++) {
      const weight = weights[image[i] as number] as number;
      n += weight;
      // Most detections are wrong ones: they only count, and a branch on the weight would be guessed wrong.
      if (weight * ((right[i] as number) | (ignored[i] as number)) === 0) continue;
      for (let left = ignored[i] as number, t = 0; left !== 0; left >>= 1, t++)
        if ((left & 1) === 1) skipped[t] = (skipped[t] as number) + weight;
      for (let hit = right[i] as number, t = 0; hit !== 0; hit >>= 1, t++) {
        if ((hit & 1) === 0) continue;
        const step = length[t] as number;
        const found = (tp[t] as number) + weight;
        tp[t] = found;
        length[t] = step + 1;
        hits[t * most + step] = found;
        seen[t * most + step] = n - (skipped[t] as number);
      }
    }
  }

  /** Right detections needed to reach each recall point: the smallest n with n / total at or above it. */
  private findNeeded(total: number): void {
    for (let r = 0; r < R; r++) {
      const point = RECALL_POINTS[r] as number;
      let n = Math.max(0, Math.ceil(point * total) - 1);
      while (n / total < point) n++;
      this.needed[r] = n;
    }
  }

  /** Sum of the precision's envelope over the recall points, walked from the end. */
  private area(t: number): number {
    const { needed, hits, seen, most } = this;
    const first = t * most;
    const last = first + (this.length[t] as number) - 1;
    if (last < first) return 0;
    let r = R - 1;
    while (r >= 0 && (needed[r] as number) > (hits[last] as number)) r--;
    // The highest precision so far as a fraction: fractions are compared without dividing.
    let top = 0;
    let bottom = 1;
    let sum = 0;
    let highest = 0;
    for (let i = last; i >= first && r >= 0; i--) {
      const found = hits[i] as number;
      const all = seen[i] as number;
      if (found * bottom > top * all) {
        top = found;
        bottom = all;
        highest = -1;
      }
      const before = i === first ? -1 : (hits[i - 1] as number);
      if ((needed[r] as number) <= before) continue;
      if (highest < 0) highest = top / (bottom + EPSILON);
      do {
        sum += highest;
        r--;
      } while (r >= 0 && (needed[r] as number) > before);
    }
    return sum;
  }
}

/** Leaves out what moves no curve: detections ignored at every threshold, and all behind the last right one. */
function compact(truth: GroundTruth, one: ClassBits): Compact {
  let end = one.count;
  while (end > 0 && one.right[end - 1] === 0) end--;
  const kept: number[] = [];
  for (let i = 0; i < end; i++) if (one.ignored[i] !== ALL) kept.push(i);
  const counts = positives(truth, one.boxes, 0);
  const boxImage = Int32Array.from(counts.keys()).filter((image) => counts[image] !== 0);
  return {
    image: Int32Array.from(kept, (i) => one.image[i] as number),
    right: Uint16Array.from(kept, (i) => one.right[i] as number),
    ignored: Uint16Array.from(kept, (i) => one.ignored[i] as number),
    boxImage,
    boxCount: boxImage.map((image) => counts[image] as number),
    steps: kept.reduce((sum, i) => sum + (one.right[i] === 0 ? 0 : 1), 0),
  };
}
