/**
 * COCOeval word by word, for the property test: loops, objects and copies as pycocotools has them, slow on purpose.
 * Follows the semantics of pycocotools' cocoeval.py (evaluateImg, accumulate) and maskApi.c (bbIou).
 */
import type { DetectionTable, GroundTruth } from '../../src/dataset/index.js';

interface Gt {
  id: number;
  bbox: number[];
  area: number;
  crowd: boolean;
  ignore: boolean;
}
interface Dt {
  bbox: number[];
  area: number;
  score: number;
}
interface ImageResult {
  scores: number[];
  matched: boolean[][];
  ignored: boolean[][];
  gtIgnore: boolean[];
}

const linspace = (a: number, b: number, n: number): number[] =>
  Array.from({ length: n }, (_, i) => (i === n - 1 ? b : a + i * ((b - a) / (n - 1))));
const THRESHOLDS = linspace(0.5, 0.95, 10);
const RECALLS = linspace(0, 1, 101);
const RANGES = [
  [0, 1e10],
  [0, 1024],
  [1024, 9216],
  [9216, 1e10],
] as const;
const LIMITS = [1, 10, 100];

function iou(d: number[], g: number[], crowd: boolean): number {
  const [dx, dy, dw, dh] = d as [number, number, number, number];
  const [gx, gy, gw, gh] = g as [number, number, number, number];
  const w = Math.min(dw + dx, gw + gx) - Math.max(dx, gx);
  if (w <= 0) return 0;
  const h = Math.min(dh + dy, gh + gy) - Math.max(dy, gy);
  if (h <= 0) return 0;
  return (w * h) / (crowd ? dw * dh : dw * dh + gw * gh - w * h);
}

function evaluateImage(
  allGts: Gt[],
  allDts: Dt[],
  [from, to]: readonly [number, number],
): ImageResult | undefined {
  if (allGts.length === 0 && allDts.length === 0) return undefined;
  const gts = allGts
    .map((g) => ({ ...g, ignore: g.crowd || g.ignore || g.area < from || g.area > to }))
    .sort((a, b) => Number(a.ignore) - Number(b.ignore));
  const dts = [...allDts].sort((a, b) => b.score - a.score).slice(0, 100);
  const matched = THRESHOLDS.map(() => dts.map(() => false));
  const ignored = THRESHOLDS.map(() => dts.map(() => false));
  THRESHOLDS.forEach((threshold, t) => {
    const taken = gts.map(() => false);
    dts.forEach((d, i) => {
      let best = Math.min(threshold, 1 - 1e-10);
      let m = -1;
      for (let j = 0; j < gts.length; j++) {
        const g = gts[j]!;
        if (taken[j] && !g.crowd) continue;
        if (m > -1 && !gts[m]!.ignore && g.ignore) break;
        const value = iou(d.bbox, g.bbox, g.crowd);
        if (value < best) continue;
        best = value;
        m = j;
      }
      if (m > -1) {
        matched[t]![i] = true;
        ignored[t]![i] = gts[m]!.ignore;
        taken[m] = true;
      } else ignored[t]![i] = d.area < from || d.area > to;
    });
  });
  return {
    scores: dts.map(({ score }) => score),
    matched,
    ignored,
    gtIgnore: gts.map(({ ignore }) => ignore),
  };
}

/** `eval['precision']` and `eval['recall']`. */
export function literalCoco(
  truth: GroundTruth,
  detections: DetectionTable,
): { precision: Float64Array; recall: Float64Array } {
  const [K, A, M, R] = [truth.categories.length, RANGES.length, LIMITS.length, RECALLS.length];
  const precision = new Float64Array(10 * R * K * A * M).fill(-1);
  const recall = new Float64Array(10 * K * A * M).fill(-1);
  const { annotations } = truth;
  for (let k = 0; k < K; k++)
    RANGES.forEach((range, a) => {
      const all = truth.images.map((_, image) => {
        const rows = (table: { count: number; image: Int32Array; category: Int32Array }): number[] =>
          Array.from({ length: table.count }, (_, row) => row).filter(
            (row) => table.image[row] === image && table.category[row] === k,
          );
        const gts = rows(annotations).map((row) => ({
          id: annotations.id[row]!,
          bbox: [...annotations.bbox.slice(4 * row, 4 * row + 4)],
          area: annotations.area[row]!,
          crowd: annotations.crowd[row] === 1,
          ignore: annotations.ignore[row] === 1,
        }));
        const dts = rows(detections).map((row) => {
          const bbox = [...detections.bbox.slice(4 * row, 4 * row + 4)];
          return { bbox, area: bbox[2]! * bbox[3]!, score: detections.score[row]! };
        });
        return evaluateImage(gts, dts, range);
      });
      const known = all.filter((one) => one !== undefined);
      const boxes = known.flatMap(({ gtIgnore }) => gtIgnore).filter((ignore) => !ignore).length;
      if (known.length === 0 || boxes === 0) return;
      LIMITS.forEach((limit, m) => {
        for (let t = 0; t < 10; t++) {
          const entries = known
            .flatMap((one) =>
              one.scores
                .slice(0, limit)
                .map((score, i) => ({ score, matched: one.matched[t]![i]!, ignored: one.ignored[t]![i]! })),
            )
            .sort((x, y) => y.score - x.score);
          let [tp, fp] = [0, 0];
          const rc: number[] = [];
          const pr: number[] = [];
          for (const { matched, ignored } of entries) {
            if (matched && !ignored) tp++;
            if (!matched && !ignored) fp++;
            rc.push(tp / boxes);
            pr.push(tp / (fp + tp + 2.220446049250313e-16));
          }
          recall[((t * K + k) * A + a) * M + m] = rc.at(-1) ?? 0;
          for (let i = pr.length - 1; i > 0; i--) pr[i - 1] = Math.max(pr[i]!, pr[i - 1]!);
          RECALLS.forEach((point, r) => {
            const at = rc.findIndex((value) => value >= point);
            precision[(((t * R + r) * K + k) * A + a) * M + m] = at < 0 ? 0 : pr[at]!;
          });
        }
      });
    });
  return { precision, recall };
}
