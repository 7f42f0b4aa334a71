/** Candidate boxes as columns: corners in model pixels, class and score. All are taken as float32. */
export interface Candidates {
  readonly corners: ArrayLike<number>;
  readonly classes: ArrayLike<number>;
  readonly scores: ArrayLike<number>;
}

/** Candidates that grow, in typed arrays. */
export class CandidateTable implements Candidates {
  corners = new Float32Array(4 * 1024);
  classes = new Int32Array(1024);
  scores = new Float32Array(1024);
  count = 0;

  push(cls: number, score: number, x1: number, y1: number, x2: number, y2: number): void {
    if (this.count === this.scores.length) this.grow();
    const i = this.count++;
    this.classes[i] = cls;
    this.scores[i] = score;
    this.corners[4 * i] = x1;
    this.corners[4 * i + 1] = y1;
    this.corners[4 * i + 2] = x2;
    this.corners[4 * i + 3] = y2;
  }

  private grow(): void {
    const { corners, classes, scores } = this;
    (this.corners = new Float32Array(2 * corners.length)).set(corners);
    (this.classes = new Int32Array(2 * classes.length)).set(classes);
    (this.scores = new Float32Array(2 * scores.length)).set(scores);
  }
}

/** Indexes by falling float32 score; ties keep their order. Scores of any sign, at most 2^21 of them. */
export function byFallingScore(scores: ArrayLike<number>, count = scores.length): Int32Array {
  const floats = new Float32Array(count);
  for (let i = 0; i < count; i++) floats[i] = (scores[i] as number) + 0; // -0 becomes 0, its equal
  const bits = new Uint32Array(floats.buffer);
  const keys = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const word = bits[i] as number;
    // Float order as unsigned order, turned round; the index below it makes every key different.
    const falling = word >= 2 ** 31 ? word : 2 ** 31 - 1 - word;
    keys[i] = falling * 2 ** 21 + i;
  }
  keys.sort();
  return Int32Array.from(keys, (key) => key % 2 ** 21);
}

/**
 * Class-aware non-maximum suppression with the semantics of torchvision's `batched_nms`, class by class: by falling
 * score (ties keep their order), a box is dropped when its IoU in float32 with a kept box of its class is above `iou`.
 * @param iou - compared in double precision, as torchvision does
 * @param limit - most boxes kept
 * @param considered - only so many of the best candidates take part
 * @returns kept indexes, best first
 */
export function nonMaximumSuppression(
  { corners, classes, scores }: Candidates,
  iou: number,
  limit: number,
  count = scores.length,
  considered = count,
): number[] {
  const boxes = corners instanceof Float32Array ? corners : Float32Array.from(corners);
  const order = byFallingScore(scores, count).subarray(0, considered);
  const keptOfClass = new Map<number, number[]>();
  const kept: number[] = [];
  for (const i of order) {
    if (kept.length >= limit) break;
    const cls = classes[i] as number;
    const rivals = keptOfClass.get(cls);
    if (rivals === undefined) keptOfClass.set(cls, [i]);
    else if (covered(boxes, i, rivals, iou)) continue;
    else rivals.push(i);
    kept.push(i);
  }
  return kept;
}

function covered(boxes: Float32Array, i: number, rivals: readonly number[], iou: number): boolean {
  for (const j of rivals) if (overlap(boxes, j, i) > iou) return true;
  return false;
}

/** Each step rounded to float32; 0/0 is NaN and above no limit, so boxes without area are kept. */
function overlap(boxes: Float32Array, i: number, j: number): number {
  const { fround, max, min } = Math;
  const a = 4 * i;
  const b = 4 * j;
  const ax1 = boxes[a] as number;
  const ay1 = boxes[a + 1] as number;
  const ax2 = boxes[a + 2] as number;
  const ay2 = boxes[a + 3] as number;
  const bx1 = boxes[b] as number;
  const by1 = boxes[b + 1] as number;
  const bx2 = boxes[b + 2] as number;
  const by2 = boxes[b + 3] as number;
  const width = max(0, fround(min(ax2, bx2) - max(ax1, bx1)));
  const height = max(0, fround(min(ay2, by2) - max(ay1, by1)));
  const inter = fround(width * height);
  const areaA = fround(fround(ax2 - ax1) * fround(ay2 - ay1));
  const areaB = fround(fround(bx2 - bx1) * fround(by2 - by1));
  return fround(inter / fround(fround(areaA + areaB) - inter));
}
