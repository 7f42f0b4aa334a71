import { EPSILON } from './matches.js';
import type { ClassBits } from './matching.js';
import { AREAS, IOU_THRESHOLDS, MAX_DETECTIONS, RECALL_POINTS } from './parameters.js';

const T = IOU_THRESHOLDS.length;
const R = RECALL_POINTS.length;
const A = AREAS.length;
const M = MAX_DETECTIONS.length;
const ALL = (1 << T) - 1;

/** Precision and recall of all classes, class by class; -1 where a class has no box that counts. */
export interface Curves {
  /** `[K, A, M, T, R]`. */
  readonly precision: Float64Array;
  /** `[K, A, M, T]`. */
  readonly recall: Float64Array;
}

/** COCOeval.accumulate for all classes. */
export function accumulate(classes: readonly ClassBits[]): Curves {
  const precision = new Float64Array(classes.length * A * M * T * R).fill(-1);
  const recall = new Float64Array(classes.length * A * M * T).fill(-1);
  const counter = new Counter();
  classes.forEach((one, k) => {
    for (let a = 0; a < A; a++)
      if ((one.totals[a] as number) > 0) counter.count(one, a, precision, recall, (k * A + a) * M * T);
  });
  return { precision, recall };
}

/**
 * Counts a class in one pass over its detections for all thresholds and limits of detections.
 *
 * Only right detections leave a number: between them recall stays and precision falls, so neither a step of the curve
 * nor the envelope's height can lie there. The n-th right one has recall n / boxes whatever the threshold, so the
 * place of each recall point is found once.
 */
class Counter {
  /** Detections that were not ignored at every threshold, by limit. */
  private readonly seen = new Int32Array(M);
  /** `[M, T]`: of those, right ones and ignored ones. */
  private readonly right = new Int32Array(M * T);
  private readonly ignored = new Int32Array(M * T);
  /** Right detections needed to reach each recall point. */
  private readonly needed = new Int32Array(R);
  /** `[M, T, boxes]`: precision at the n-th right detection. */
  private precisions = new Float64Array(0);

  /** @param at - first row of the class and area in the results */
  count(one: ClassBits, a: number, precision: Float64Array, recall: Float64Array, at: number): void {
    const total = one.totals[a] as number;
    if (this.precisions.length < M * T * total) this.precisions = new Float64Array(2 * M * T * total);
    this.walk(one, a, total);
    this.findNeeded(total);
    for (let row = 0; row < M * T; row++) {
      const found = this.right[row] as number;
      recall[at + row] = found / total;
      this.draw(row * total, found, precision, (at + row) * R);
    }
  }

  private walk(one: ClassBits, a: number, total: number): void {
    const { seen, right, ignored, precisions } = this;
    seen.fill(0);
    right.fill(0);
    ignored.fill(0);
    const from = a * one.count;
    for (let i = 0; i < one.count; i++) {
      const left = one.ignored[from + i] as number;
      if (left === ALL) continue;
      const hit = one.right[from + i] as number;
      const place = one.rank[i] as number;
      for (let m = M - 1; m >= 0 && place < (MAX_DETECTIONS[m] as number); m--) {
        const n = (seen[m] as number) + 1;
        seen[m] = n;
        if ((hit | left) === 0) continue;
        for (let t = 0; t < T; t++) {
          const row = m * T + t;
          if (((left >> t) & 1) === 1) ignored[row] = (ignored[row] as number) + 1;
          if (((hit >> t) & 1) === 0) continue;
          const tp = (right[row] as number) + 1;
          right[row] = tp;
          precisions[row * total + tp - 1] = tp / (n - (ignored[row] as number) + EPSILON);
        }
      }
    }
  }

  /** The smallest n with n / total at or above each recall point. */
  private findNeeded(total: number): void {
    let n = 1;
    for (let r = 0; r < R; r++) {
      const point = RECALL_POINTS[r] as number;
      n = Math.max(n, Math.ceil(point * total) - 1);
      while (n / total < point) n++;
      this.needed[r] = n;
    }
  }

  /** Lays the envelope over the precisions and reads it at the recall points. */
  private draw(from: number, found: number, precision: Float64Array, to: number): void {
    const { precisions, needed } = this;
    let highest = 0;
    for (let i = from + found - 1; i >= from; i--) {
      if ((precisions[i] as number) < highest) precisions[i] = highest;
      else highest = precisions[i] as number;
    }
    for (let r = 0; r < R; r++) {
      const n = needed[r] as number;
      precision[to + r] = n <= found ? (precisions[from + n - 1] as number) : 0;
    }
  }
}
