import type { DetectionTable, GroundTruth } from '../dataset/index.js';
import { InputFault } from '../faults/index.js';
import { byFallingScore, everyRow, groupBy } from './order.js';
import { AREAS, IOU_THRESHOLDS, MAX_DETECTIONS } from './parameters.js';

const T = IOU_THRESHOLDS.length;
const A = AREAS.length;
/** Every threshold. */
const ALL = (1 << T) - 1;
const KEPT = MAX_DETECTIONS[2];

/** How annotation ids are understood. */
export interface MatchOptions {
  /**
   * `distinct` (the default): an id is a name and 0 is one like any other. `pycocotools`: as COCOeval stores matches,
   * a detection that takes the box with id 0 counts as unmatched.
   */
  readonly ids?: 'distinct' | 'pycocotools';
}

/**
 * One class: detections of all images in order of falling score (ties in order of image, then of input), with their
 * outcomes at all thresholds and area ranges as bits.
 */
export interface ClassBits {
  readonly category: number;
  /** Detections kept: at most 100 an image. */
  readonly count: number;
  /** Detections beyond the 100 strongest of their image. */
  readonly dropped: number;
  readonly score: Float64Array;
  /** Index of the detection's image. */
  readonly image: Int32Array;
  /** Place of the detection among those of its image, 0 = highest score. */
  readonly rank: Int32Array;
  /** `[areas, count]`: bit `t` is set where the detection is right at threshold `t`. */
  readonly right: Uint16Array;
  /** `[areas, count]`: bit `t` is set where it is ignored at threshold `t`; neither bit = false positive. */
  readonly ignored: Uint16Array;
  /** `[areas]`: boxes that count. */
  readonly totals: Int32Array;
  /** Rows of the class's annotations, ascending by image. */
  readonly boxes: Int32Array;
}

/**
 * Matches detections with ground truth as pycocotools' COCOeval.evaluateImg does: each IoU once, all thresholds and
 * areas from it.
 * @throws InputFault for a score or box that is NaN or infinite
 */
export function matchClasses(
  truth: GroundTruth,
  detections: DetectionTable,
  { ids = 'distinct' }: MatchOptions = {},
): ClassBits[] {
  checkFinite(detections);
  const [I, K] = [truth.images.length, truth.categories.length];
  const { annotations } = truth;
  const boxes = groupBy(
    groupBy(everyRow(annotations.count), annotations.image, I).rows,
    annotations.category,
    K,
  );
  const found = groupBy(
    byFallingScore(groupBy(everyRow(detections.count), detections.image, I).rows, detections.score),
    detections.category,
    K,
  );
  const matcher = new Matcher(truth, detections, boxes.rows, ids);
  return truth.categories.map((_, k) =>
    matcher.match(
      k,
      boxes.starts[k] as number,
      boxes.starts[k + 1] as number,
      found.rows.subarray(found.starts[k], found.starts[k + 1]),
    ),
  );
}

/** @throws InputFault for a score or box that is NaN or infinite */
export function checkFinite({ count, score, bbox }: DetectionTable): void {
  for (let row = 0; row < count; row++) {
    if (!Number.isFinite(score[row]))
      throw new InputFault({
        where: `detection ${row}`,
        what: `has the score ${String(score[row])}; a score must be a finite number`,
        fix: 'Write detections whose numbers are finite; a model that gives NaN cannot be judged.',
      });
    for (let i = 4 * row; i < 4 * row + 4; i++)
      if (!Number.isFinite(bbox[i]))
        throw new InputFault({
          where: `detection ${row}`,
          what: `has the box [${bbox.subarray(4 * row, 4 * row + 4).join(', ')}]; its numbers must be finite`,
          fix: 'Write detections whose numbers are finite; a model that gives NaN cannot be judged.',
        });
  }
}

const FROM = Float64Array.from(AREAS, ({ from }) => from);
const TO = Float64Array.from(AREAS, ({ to }) => to);

/** Bit `a` is set where an area lies outside of range `a`. */
function outside(area: number): number {
  let bits = 0;
  for (let a = 0; a < A; a++) if (area < (FROM[a] as number) || area > (TO[a] as number)) bits |= 1 << a;
  return bits;
}

/** Bits of the thresholds that an IoU reaches; equal is enough. */
function reach(iou: number): number {
  let t = 0;
  while (t < T && iou >= (IOU_THRESHOLDS[t] as number)) t++;
  return (1 << t) - 1;
}

/** Boxes as columns in the order of the buckets, and the state of matching. */
class Matcher {
  private readonly left: Float64Array;
  private readonly top: Float64Array;
  private readonly right: Float64Array;
  private readonly bottom: Float64Array;
  private readonly size: Float64Array;
  private readonly crowd: Uint8Array;
  /** Bit `a`: the box does not count in area range `a`. */
  private readonly unwanted: Uint8Array;
  /** Boxes whose match COCOeval would forget. */
  private readonly forgotten: Uint8Array;
  /** `[boxes, areas]`: bits of the thresholds at which the box is taken. */
  private readonly taken: Uint16Array;
  /** Boxes of the present class in an image: from `first` to before `end`. */
  private readonly first: Int32Array;
  private readonly end: Int32Array;
  private readonly seen: Int32Array;
  /** By row of the detections: bit `a` is set where its area lies outside of range `a`. */
  private readonly out: Uint8Array;
  // Boxes that the present detection could take: IoU of 0.5 or more, highest first, of equal ones the later first.
  private candidates = new Int32Array(16);
  private ious = new Float64Array(16);
  private reaches = new Int32Array(16);

  constructor(
    truth: GroundTruth,
    private readonly detections: DetectionTable,
    private readonly rows: Int32Array,
    ids: 'distinct' | 'pycocotools',
  ) {
    const { bbox, area, crowd, ignore, id } = truth.annotations;
    const n = rows.length;
    this.left = new Float64Array(n);
    this.top = new Float64Array(n);
    this.right = new Float64Array(n);
    this.bottom = new Float64Array(n);
    this.size = new Float64Array(n);
    this.crowd = new Uint8Array(n);
    this.unwanted = new Uint8Array(n);
    this.forgotten = new Uint8Array(n);
    this.taken = new Uint16Array(n * A);
    for (let g = 0; g < n; g++) {
      const row = rows[g] as number;
      const [x, y] = [bbox[4 * row] as number, bbox[4 * row + 1] as number];
      const [w, h] = [bbox[4 * row + 2] as number, bbox[4 * row + 3] as number];
      this.left[g] = x;
      this.top[g] = y;
      this.right[g] = w + x;
      this.bottom[g] = h + y;
      this.size[g] = w * h;
      this.crowd[g] = crowd[row] as number;
      const never = crowd[row] === 1 || ignore[row] === 1;
      this.unwanted[g] = never ? (1 << A) - 1 : outside(area[row] as number);
      this.forgotten[g] = ids === 'pycocotools' && id[row] === 0 ? 1 : 0;
    }
    this.image = truth.annotations.image;
    this.first = new Int32Array(truth.images.length);
    this.end = new Int32Array(truth.images.length);
    this.seen = new Int32Array(truth.images.length);
    this.out = new Uint8Array(detections.count);
    for (let row = 0; row < detections.count; row++)
      this.out[row] = outside(
        (detections.bbox[4 * row + 2] as number) * (detections.bbox[4 * row + 3] as number),
      );
  }

  private readonly image: Int32Array;

  /**
   * @param from - first box of the class in the buckets; `to` is behind the last
   * @param found - rows of the class's detections, best score first
   */
  match(category: number, from: number, to: number, found: Int32Array): ClassBits {
    for (let g = from; g < to; g++) {
      const image = this.image[this.rows[g] as number] as number;
      if (this.end[image] === 0) this.first[image] = g;
      this.end[image] = g + 1;
    }
    const kept = this.keep(found);
    const result: ClassBits = {
      category,
      ...kept,
      dropped: found.length - kept.count,
      right: new Uint16Array(A * kept.count),
      ignored: new Uint16Array(A * kept.count),
      totals: this.totals(from, to),
      boxes: this.rows.subarray(from, to),
    };
    for (let i = 0; i < kept.count; i++) this.matchOne(kept.rows[i] as number, i, result);
    for (let g = from; g < to; g++) {
      const image = this.image[this.rows[g] as number] as number;
      this.first[image] = this.end[image] = 0;
    }
    return result;
  }

  private totals(from: number, to: number): Int32Array {
    const totals = new Int32Array(A);
    for (let g = from; g < to; g++)
      for (let a = 0; a < A; a++)
        if ((((this.unwanted[g] as number) >> a) & 1) === 0) totals[a] = (totals[a] as number) + 1;
    return totals;
  }

  /** The 100 strongest detections of each image. */
  private keep(
    found: Int32Array,
  ): Pick<ClassBits, 'count' | 'score' | 'image' | 'rank'> & { rows: Int32Array } {
    const { image: images, score: scores } = this.detections;
    const n = found.length;
    const [rows, image, rank] = [new Int32Array(n), new Int32Array(n), new Int32Array(n)];
    const score = new Float64Array(n);
    let count = 0;
    for (let i = 0; i < n; i++) {
      const row = found[i] as number;
      const where = images[row] as number;
      const place = this.seen[where] as number;
      if (place === KEPT) continue;
      this.seen[where] = place + 1;
      rows[count] = row;
      image[count] = where;
      rank[count] = place;
      score[count] = scores[row] as number;
      count++;
    }
    for (let i = 0; i < n; i++) this.seen[images[found[i] as number] as number] = 0;
    if (count === n) return { count, rows, image, rank, score };
    return {
      count,
      rows,
      image: image.slice(0, count),
      rank: rank.slice(0, count),
      score: score.slice(0, count),
    };
  }

  private matchOne(row: number, i: number, into: ClassBits): void {
    const out = this.out[row] as number;
    const n = this.gather(row, into.image[i] as number);
    for (let a = 0; a < A; a++) {
      const at = a * into.count + i;
      const away = (out >> a) & 1;
      if (n === 0) {
        if (away === 1) into.ignored[at] = ALL;
        continue;
      }
      let open = ALL;
      let right = 0;
      let ignored = 0;
      // A box that counts goes before every one that does not.
      for (let unwanted = 0; unwanted < 2; unwanted++)
        for (let c = 0; c < n; c++) {
          const g = this.candidates[c] as number;
          if ((((this.unwanted[g] as number) >> a) & 1) !== unwanted) continue;
          const held = this.crowd[g] === 1 ? 0 : (this.taken[g * A + a] as number);
          const won = open & (this.reaches[c] as number) & ~held;
          this.taken[g * A + a] = held | won;
          open &= ~won;
          if (unwanted === 1) ignored |= won;
          else if (this.forgotten[g] === 0) right |= won;
        }
      if (away === 1) ignored |= ALL & ~right;
      into.right[at] = right;
      into.ignored[at] = ignored;
    }
  }

  /** Finds the candidates of a detection; answers how many. IoU as maskApi's bbIou: over the detection's own area where the box is a crowd. */
  private gather(row: number, image: number): number {
    const end = this.end[image] as number;
    if (end === 0) return 0;
    const { bbox } = this.detections;
    const x = bbox[4 * row] as number;
    const y = bbox[4 * row + 1] as number;
    const w = bbox[4 * row + 2] as number;
    const h = bbox[4 * row + 3] as number;
    const [right, bottom, size] = [w + x, h + y, w * h];
    let n = 0;
    for (let g = this.first[image] as number; g < end; g++) {
      const wide = Math.min(right, this.right[g] as number) - Math.max(x, this.left[g] as number);
      if (wide <= 0) continue;
      const high = Math.min(bottom, this.bottom[g] as number) - Math.max(y, this.top[g] as number);
      if (high <= 0) continue;
      const both = wide * high;
      const iou = both / (this.crowd[g] === 1 ? size : size + (this.size[g] as number) - both);
      if (iou >= 0.5) this.insert(n++, g, iou);
    }
    return n;
  }

  private insert(n: number, g: number, iou: number): void {
    if (n === this.candidates.length) this.enlarge();
    let at = n;
    for (; at > 0 && (this.ious[at - 1] as number) <= iou; at--) {
      this.candidates[at] = this.candidates[at - 1] as number;
      this.ious[at] = this.ious[at - 1] as number;
      this.reaches[at] = this.reaches[at - 1] as number;
    }
    this.candidates[at] = g;
    this.ious[at] = iou;
    this.reaches[at] = reach(iou);
  }

  private enlarge(): void {
    const [candidates, ious, reaches] = [this.candidates, this.ious, this.reaches];
    this.candidates = new Int32Array(candidates.length * 2);
    this.ious = new Float64Array(candidates.length * 2);
    this.reaches = new Int32Array(candidates.length * 2);
    this.candidates.set(candidates);
    this.ious.set(ious);
    this.reaches.set(reaches);
  }
}
