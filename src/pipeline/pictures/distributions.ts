import type { DetectionTable } from '../../dataset/index.js';
import type { PictureSections } from '../../report/index.js';

const SCORE_BINS = 20;
/** Sizes double every two bins, from 1 to 4096 pixels. */
const SIZE_EDGES = Array.from({ length: 25 }, (_, i) => 2 ** (i / 2));
/** Scores from which a detection is one that production would show. */
export const CONFIDENT = 0.25;

/** How scores and sizes of boxes are spread in each variant. Sizes beyond the edges lie in the outer bins. */
export function distributionsOf(
  variants: readonly {
    readonly variant: 'fp32' | 'int8' | 'mixed';
    readonly detections: DetectionTable;
  }[],
): NonNullable<PictureSections['distributions']> {
  return {
    scoreEdges: Array.from({ length: SCORE_BINS + 1 }, (_, i) => i / SCORE_BINS),
    sizeEdges: SIZE_EDGES.map((edge) => Math.round(edge * 100) / 100),
    variants: variants.map(({ variant, detections: { count, score, bbox } }) => {
      const scores = new Array<number>(SCORE_BINS).fill(0);
      const sizes = new Array<number>(SIZE_EDGES.length - 1).fill(0);
      for (let i = 0; i < count; i++) {
        const one = score[i] as number;
        add(scores, Math.floor(one * SCORE_BINS));
        const area = (bbox[4 * i + 2] as number) * (bbox[4 * i + 3] as number);
        if (one >= CONFIDENT) add(sizes, Math.floor(Math.log2(Math.max(1, area))));
      }
      return { variant, scores, sizes };
    }),
  };
}

function add(bins: number[], at: number): void {
  const bin = Math.min(bins.length - 1, Math.max(0, at));
  bins[bin] = (bins[bin] as number) + 1;
}
