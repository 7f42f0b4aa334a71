import type { DetectionTable, GroundTruth } from '../dataset/index.js';
import { InputFault } from '../faults/index.js';
import { linspace } from './numeric.js';

/** IoU thresholds 0.50 … 0.95 as numpy.linspace gives them (the ninth is 0.8999999999999999). */
export const IOU_THRESHOLDS = linspace(0.5, 0.95, 10);
/** 101 recall points. */
export const RECALL_POINTS = linspace(0, 1, 101);
/** Both ends inclusive: an area of 1024 is small and medium. */
export const AREAS = [
  { name: 'all', from: 0, to: 1e10 },
  { name: 'small', from: 0, to: 32 ** 2 },
  { name: 'medium', from: 32 ** 2, to: 96 ** 2 },
  { name: 'large', from: 96 ** 2, to: 1e10 },
] as const;
/** Detections that count, per image and class. */
export const MAX_DETECTIONS = [1, 10, 100] as const;

/** Outcome of a detection at a threshold. */
export const OUTCOME = { falsePositive: 0, truePositive: 1, ignored: 2 } as const;

/**
 * One class at one area range: detections of all images in order of falling score (ties in order of image, then of
 * input), with their outcomes. Made once; evaluation and bootstrap both read it.
 */
export interface ClassMatches {
  readonly category: number;
  readonly area: number;
  /** Detections kept: at most 100 an image. */
  readonly count: number;
  readonly score: Float64Array;
  /** Index of the detection's image. */
  readonly image: Int32Array;
  /** Place of the detection among those of its image, 0 = highest score. */
  readonly rank: Int32Array;
  /** `[thresholds, count]`: {@link OUTCOME}. */
  readonly outcome: Uint8Array;
  /** Ground-truth boxes that count, per image. */
  readonly positives: Int32Array;
  /** Sum of `positives`. */
  readonly total: number;
}

/** All matches of detections with a ground truth. */
export interface Matches {
  readonly truth: GroundTruth;
  /** `[areas][categories]`. */
  readonly classes: readonly (readonly ClassMatches[])[];
}

interface Box {
  /** Row of the annotation or detection table. */
  readonly rows: readonly number[];
}

/** Matches detections with ground truth as pycocotools' COCOeval.evaluateImg does. @throws InputFault for a score that is NaN or infinite. */
export function prepareMatches(truth: GroundTruth, detections: DetectionTable): Matches {
  const bad = detections.score.findIndex((score) => !Number.isFinite(score));
  if (bad >= 0)
    throw new InputFault({
      where: `detection ${bad}`,
      what: `has the score ${String(detections.score[bad])}; a score must be a finite number`,
    });
  const boxes = bucket(truth.annotations.count, truth.annotations.image, truth.annotations.category, truth);
  const found = bucket(detections.count, detections.image, detections.category, truth);
  const perCategory = truth.categories.map((_, category) =>
    matchCategory(truth, detections, category, boxes, found),
  );
  return { truth, classes: AREAS.map((_, area) => perCategory.map((list) => list[area] as ClassMatches)) };
}

type Buckets = readonly (ReadonlyMap<number, Box> | undefined)[];

/** Rows by category and image, in order of the table. */
function bucket(count: number, image: Int32Array, category: Int32Array, truth: GroundTruth): Buckets {
  const buckets: Map<number, { rows: number[] }>[] = truth.categories.map(
    () => new Map<number, { rows: number[] }>(),
  );
  for (let row = 0; row < count; row++) {
    const map = buckets[category[row] as number];
    const known = map?.get(image[row] as number);
    if (known !== undefined) known.rows.push(row);
    else map?.set(image[row] as number, { rows: [row] });
  }
  return buckets;
}

interface Growing {
  readonly score: number[];
  readonly image: number[];
  readonly rank: number[];
  readonly outcome: number[][];
  readonly positives: Int32Array;
}

function matchCategory(
  truth: GroundTruth,
  detections: DetectionTable,
  category: number,
  boxes: Buckets,
  found: Buckets,
): ClassMatches[] {
  const grown = AREAS.map((): Growing => ({
    score: [],
    image: [],
    rank: [],
    outcome: [],
    positives: new Int32Array(truth.images.length),
  }));
  for (let image = 0; image < truth.images.length; image++) {
    const gts = boxes[category]?.get(image)?.rows ?? [];
    const dts = strongest(detections, found[category]?.get(image)?.rows ?? []);
    if (gts.length === 0 && dts.length === 0) continue;
    const ious = intersections(truth, detections, gts, dts);
    AREAS.forEach((area, a) =>
      matchImage(truth, detections, gts, dts, ious, area, image, grown[a] as Growing),
    );
  }
  return grown.map((one, area) => sortMatches(one, category, area));
}

/** The 100 strongest detections, ties in order of the table. */
function strongest(detections: DetectionTable, rows: readonly number[]): number[] {
  return [...rows]
    .sort((a, b) => (detections.score[b] as number) - (detections.score[a] as number))
    .slice(0, MAX_DETECTIONS[2]);
}

/** `[detections, boxes]` IoU as maskApi's bbIou: over the detection's own area where the box is a crowd. */
function intersections(
  truth: GroundTruth,
  detections: DetectionTable,
  gts: readonly number[],
  dts: readonly number[],
): Float64Array {
  const { bbox, crowd } = truth.annotations;
  const ious = new Float64Array(gts.length * dts.length);
  dts.forEach((d, i) => {
    const [dx, dy, dw, dh] = detections.bbox.subarray(4 * d, 4 * d + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    gts.forEach((g, j) => {
      const [gx, gy, gw, gh] = bbox.subarray(4 * g, 4 * g + 4) as unknown as [number, number, number, number];
      const w = Math.min(dw + dx, gw + gx) - Math.max(dx, gx);
      const h = Math.min(dh + dy, gh + gy) - Math.max(dy, gy);
      if (w <= 0 || h <= 0) return;
      const inter = w * h;
      ious[i * gts.length + j] = inter / (crowd[g] === 1 ? dw * dh : dw * dh + gw * gh - inter);
    });
  });
  return ious;
}

function matchImage(
  truth: GroundTruth,
  detections: DetectionTable,
  gts: readonly number[],
  dts: readonly number[],
  ious: Float64Array,
  area: (typeof AREAS)[number],
  image: number,
  into: Growing,
): void {
  const { area: areas, crowd, ignore } = truth.annotations;
  const ignored = gts.map(
    (g) =>
      crowd[g] === 1 || ignore[g] === 1 || (areas[g] as number) < area.from || (areas[g] as number) > area.to,
  );
  // Boxes that count first, each group in order of the file.
  const order = gts.map((_, j) => j).sort((a, b) => Number(ignored[a]) - Number(ignored[b]));
  into.positives[image] = ignored.reduce((sum, one) => sum + (one ? 0 : 1), 0);
  const outcomes = dts.map(() => new Array<number>(IOU_THRESHOLDS.length).fill(0));
  const taken = new Uint8Array(gts.length);
  IOU_THRESHOLDS.forEach((threshold, t) => {
    taken.fill(0);
    dts.forEach((d, i) => {
      const match = bestMatch(i, threshold, order, ious, gts, taken, ignored, crowd);
      const outcome = outcomes[i] as number[];
      if (match >= 0) {
        taken[match] = 1;
        outcome[t] = ignored[match] === true ? OUTCOME.ignored : OUTCOME.truePositive;
        return;
      }
      const own = (detections.bbox[4 * d + 2] as number) * (detections.bbox[4 * d + 3] as number);
      outcome[t] = own < area.from || own > area.to ? OUTCOME.ignored : OUTCOME.falsePositive;
    });
  });
  dts.forEach((d, i) => {
    into.score.push(detections.score[d] as number);
    into.image.push(image);
    into.rank.push(i);
    into.outcome.push(outcomes[i] as number[]);
  });
}

/** Index of the box that a detection takes, -1 for none: the best IoU wins, of equal ones the later, a counting box before an ignored one. */
function bestMatch(
  detection: number,
  threshold: number,
  order: readonly number[],
  ious: Float64Array,
  gts: readonly number[],
  taken: Uint8Array,
  ignored: readonly boolean[],
  crowd: Uint8Array,
): number {
  let best = Math.min(threshold, 1 - 1e-10);
  let match = -1;
  for (const j of order) {
    if (taken[j] === 1 && crowd[gts[j] as number] !== 1) continue;
    if (match >= 0 && ignored[match] === false && ignored[j] === true) break;
    const iou = ious[detection * gts.length + j] as number;
    if (iou < best) continue;
    best = iou;
    match = j;
  }
  return match;
}

function sortMatches(
  { score, image, rank, outcome, positives }: Growing,
  category: number,
  area: number,
): ClassMatches {
  const order = score.map((_, i) => i).sort((a, b) => (score[b] as number) - (score[a] as number));
  const n = order.length;
  const outcomes = new Uint8Array(IOU_THRESHOLDS.length * n);
  order.forEach((from, to) => (outcome[from] as number[]).forEach((one, t) => (outcomes[t * n + to] = one)));
  return {
    category,
    area,
    count: n,
    score: Float64Array.from(order, (i) => score[i] as number),
    image: Int32Array.from(order, (i) => image[i] as number),
    rank: Int32Array.from(order, (i) => rank[i] as number),
    outcome: outcomes,
    positives,
    total: positives.reduce((sum, one) => sum + one, 0),
  };
}
