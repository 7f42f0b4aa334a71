import type { AnnotationTable, DetectionTable, GroundTruth } from '../dataset/index.js';
import { checkFinite } from './matching.js';
import { byFallingScore, everyRow, groupBy } from './order.js';

/** How the area under the curve is taken: `voc07` = mean of 11 points, as until 2009; `voc` = the whole area, as from 2010 on. */
export type VocMetric = 'voc07' | 'voc';

/** AP of one class. */
export interface VocClass {
  readonly category: number;
  readonly name: string;
  /** -1 for a class without a box that counts. */
  readonly AP: number;
  /** Boxes that count: neither difficult nor crowds. */
  readonly boxes: number;
  readonly detections: number;
}

/** Pascal VOC's evaluation. */
export interface VocEvaluation {
  readonly metric: VocMetric;
  /** IoU that a detection must exceed. */
  readonly iou: number;
  /** Mean over classes that have boxes; -1 when none has. */
  readonly mAP: number;
  readonly perClass: readonly VocClass[];
}

/**
 * Pascal VOC's evaluation, as voc_eval.py of py-faster-rcnn does it: a detection is held against the box that it
 * overlaps most and has no second choice; difficult boxes and crowds neither count nor hurt; every detection counts.
 *
 * Boxes of x, y, width, height are what VOC's inclusive pixels mean: its `xmax - xmin + 1` is the width here. Equal
 * scores keep the order of the file, where the original's sort leaves it open.
 * @param iou - the overlap that must be exceeded
 * @throws InputFault for a score or box that is NaN or infinite
 */
export function evaluateVoc(
  truth: GroundTruth,
  detections: DetectionTable,
  metric: VocMetric,
  iou = 0.5,
): VocEvaluation {
  checkFinite(detections);
  const [I, K] = [truth.images.length, truth.categories.length];
  const { annotations } = truth;
  const boxes = groupBy(
    groupBy(everyRow(annotations.count), annotations.image, I).rows,
    annotations.category,
    K,
  );
  const found = groupBy(byFallingScore(everyRow(detections.count), detections.score), detections.category, K);
  const perClass = truth.categories.map(({ name }, k) => {
    const mine = boxes.rows.subarray(boxes.starts[k], boxes.starts[k + 1]);
    const rows = found.rows.subarray(found.starts[k], found.starts[k + 1]);
    const counting = mine.reduce((sum, row) => sum + (counts(annotations, row) ? 1 : 0), 0);
    const AP =
      counting === 0 ? -1 : averagePrecision(right(truth, detections, mine, rows, iou), counting, metric);
    return { category: k, name, AP, boxes: counting, detections: rows.length };
  });
  const known = perClass.filter(({ AP }) => AP >= 0);
  const mAP = known.length === 0 ? -1 : known.reduce((sum, { AP }) => sum + AP, 0) / known.length;
  return { metric, iou, mAP, perClass };
}

function counts({ crowd, ignore }: AnnotationTable, row: number): boolean {
  return crowd[row] !== 1 && ignore[row] !== 1;
}

/** By detection, best score first: 1 = right, 0 = wrong, -1 = left aside. */
function right(
  { annotations, images }: GroundTruth,
  detections: DetectionTable,
  boxes: Int32Array,
  rows: Int32Array,
  iou: number,
): Int8Array {
  const first = new Int32Array(images.length).fill(-1);
  const end = new Int32Array(images.length);
  boxes.forEach((row, at) => {
    const image = annotations.image[row] as number;
    if (first[image] === -1) first[image] = at;
    end[image] = at + 1;
  });
  const taken = new Uint8Array(boxes.length);
  return Int8Array.from(rows, (row) => {
    const image = detections.image[row] as number;
    let best = -Infinity;
    let match = -1;
    for (let at = Math.max(0, first[image] as number); at < (end[image] as number); at++) {
      const value = overlap(detections.bbox, row, annotations.bbox, boxes[at] as number);
      if (value > best) [best, match] = [value, at];
    }
    if (!(best > iou)) return 0;
    if (!counts(annotations, boxes[match] as number)) return -1;
    if (taken[match] === 1) return 0;
    taken[match] = 1;
    return 1;
  });
}

function overlap(p: Float64Array, i: number, q: Float64Array, j: number): number {
  const [ax, ay] = [p[4 * i] as number, p[4 * i + 1] as number];
  const [aw, ah] = [p[4 * i + 2] as number, p[4 * i + 3] as number];
  const [bx, by] = [q[4 * j] as number, q[4 * j + 1] as number];
  const [bw, bh] = [q[4 * j + 2] as number, q[4 * j + 3] as number];
  const w = Math.max(0, Math.min(ax + aw, bx + bw) - Math.max(ax, bx));
  const h = Math.max(0, Math.min(ay + ah, by + bh) - Math.max(ay, by));
  return (w * h) / (aw * ah + bw * bh - w * h);
}

function averagePrecision(outcomes: Int8Array, total: number, metric: VocMetric): number {
  let tp = 0;
  let fp = 0;
  const recalls: number[] = [];
  const precisions: number[] = [];
  for (const outcome of outcomes) {
    if (outcome === 0) fp++;
    if (outcome !== 1) continue;
    tp++;
    recalls.push(tp / total);
    precisions.push(tp / (tp + fp));
  }
  // The highest precision at this recall or a higher one.
  for (let i = precisions.length - 2; i >= 0; i--)
    precisions[i] = Math.max(precisions[i] as number, precisions[i + 1] as number);
  if (metric === 'voc')
    return recalls.reduce(
      (sum, recall, i) => sum + (recall - (recalls[i - 1] ?? 0)) * (precisions[i] as number),
      0,
    );
  let sum = 0;
  for (let point = 0; point <= 10; point++) {
    const at = recalls.findIndex((recall) => recall >= point * 0.1);
    sum += at < 0 ? 0 : (precisions[at] as number) / 11;
  }
  return sum;
}
