import type { DetectionTable } from '../dataset/index.js';

/** How far the decoded outputs of a candidate lie from those of a reference, without ground truth. */
export interface OutputDistances {
  /** Jensen-Shannon divergence of the score histograms, base 2: 0 = same, 1 = nothing in common. */
  readonly scoreDivergence: number;
  /** Detections with a score of 0.25 or more: candidate over reference (1 when neither has any). */
  readonly detectionRatio: number;
  /** Mean 1 − IoU over matched pairs: 0 = boxes stay, 1 = nothing matches. */
  readonly boxShift: number;
  /** Mean score of the candidate minus that of the reference over matched pairs. */
  readonly scoreShift: number;
  /** Share of the reference's confident detections without a partner. */
  readonly unmatched: number;
}

/** Scores from which a detection is one that production would show. */
const CONFIDENT = 0.25;
/** Scores below this are the long tail that evaluation keeps and nobody sees. */
const TAIL = 0.05;
const BINS = 19;
const SAME_OBJECT = 0.5;

/** Compares two sets of detections on the same images. */
export function outputDistances(reference: DetectionTable, candidate: DetectionTable): OutputDistances {
  const before = confident(reference);
  const after = confident(candidate);
  const pairs = matchPairs(reference, candidate, before, after);
  return {
    scoreDivergence: jensenShannon(histogram(reference), histogram(candidate)),
    detectionRatio:
      before.length === 0 ? (after.length === 0 ? 1 : after.length) : after.length / before.length,
    boxShift: pairs.length === 0 ? (before.length === 0 ? 0 : 1) : mean(pairs.map(({ iou }) => 1 - iou)),
    scoreShift:
      pairs.length === 0
        ? 0
        : mean(pairs.map(({ a, b }) => (candidate.score[b] as number) - (reference.score[a] as number))),
    unmatched: before.length === 0 ? 0 : 1 - pairs.length / before.length,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function confident({ score }: DetectionTable): number[] {
  return Array.from(score.keys()).filter((i) => (score[i] as number) >= CONFIDENT);
}

/** Shares of scores in bins of 0.05 from 0.05 on; all 0 when there is none. */
function histogram({ score }: DetectionTable): Float64Array {
  const bins = new Float64Array(BINS);
  let total = 0;
  for (const one of score) {
    if (one < TAIL) continue;
    const bin = Math.min(BINS - 1, Math.floor((one - TAIL) * 20));
    bins[bin] = (bins[bin] as number) + 1;
    total++;
  }
  return total === 0 ? bins : bins.map((count) => count / total);
}

function jensenShannon(p: Float64Array, q: Float64Array): number {
  const [emptyP, emptyQ] = [p.every((x) => x === 0), q.every((x) => x === 0)];
  if (emptyP || emptyQ) return emptyP && emptyQ ? 0 : 1;
  const half = (x: number, m: number): number => (x === 0 ? 0 : (x * Math.log2(x / m)) / 2);
  return Math.max(
    0,
    p.reduce(
      (sum, x, i) =>
        sum + half(x, (x + (q[i] as number)) / 2) + half(q[i] as number, (x + (q[i] as number)) / 2),
      0,
    ),
  );
}

interface Pair {
  readonly a: number;
  readonly b: number;
  readonly iou: number;
}

/** Greedy pairs of one class in one image, best score first, IoU of 0.5 or more. */
function matchPairs(
  reference: DetectionTable,
  candidate: DetectionTable,
  before: readonly number[],
  after: readonly number[],
): Pair[] {
  const key = (table: DetectionTable, i: number): string =>
    `${table.image[i] as number}/${table.category[i] as number}`;
  const partners = new Map<string, number[]>();
  for (const b of after) partners.set(key(candidate, b), [...(partners.get(key(candidate, b)) ?? []), b]);
  const pairs: Pair[] = [];
  for (const a of [...before].sort(
    (x, y) => (reference.score[y] as number) - (reference.score[x] as number),
  )) {
    const open = partners.get(key(reference, a)) ?? [];
    let best: Pair | undefined;
    for (const b of open) {
      const iou = overlap(reference.bbox, a, candidate.bbox, b);
      if (iou >= SAME_OBJECT && iou > (best?.iou ?? 0)) best = { a, b, iou };
    }
    if (best === undefined) continue;
    open.splice(open.indexOf(best.b), 1);
    pairs.push(best);
  }
  return pairs;
}

/** IoU of box `i` of one list and box `j` of another. */
export function overlap(p: Float64Array, i: number, q: Float64Array, j: number): number {
  const [ax, ay, aw, ah] = p.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
  const [bx, by, bw, bh] = q.subarray(4 * j, 4 * j + 4) as unknown as [number, number, number, number];
  const w = Math.min(ax + aw, bx + bw) - Math.max(ax, bx);
  const h = Math.min(ay + ah, by + bh) - Math.max(ay, by);
  return w <= 0 || h <= 0 ? 0 : (w * h) / (aw * ah + bw * bh - w * h);
}
