import { loadDetections, loadGroundTruth } from '../dataset/index.js';
import { evaluateCoco, type CocoStats } from '../evaluation/index.js';

/** Evaluates a COCO results file against an annotation file; no model, no images. */
export async function evaluateFiles(groundTruth: string, detections: string): Promise<CocoStats> {
  const truth = await loadGroundTruth({ format: 'coco', annotations: groundTruth, boxesOnly: true });
  return evaluateCoco(truth, await loadDetections(detections, truth)).stats;
}

const LINES: readonly (readonly [keyof CocoStats, string])[] = [
  ['AP', 'mAP50-95'],
  ['AP50', 'mAP50'],
  ['AP75', 'mAP75'],
  ['APs', 'AP small'],
  ['APm', 'AP medium'],
  ['APl', 'AP large'],
  ['AR1', 'AR at 1'],
  ['AR10', 'AR at 10'],
  ['AR100', 'AR at 100'],
  ['ARs', 'AR small'],
  ['ARm', 'AR medium'],
  ['ARl', 'AR large'],
];

/** The twelve numbers, one a line. */
export function formatStats(stats: CocoStats): string {
  return LINES.map(
    ([key, name]) =>
      `${key.padEnd(6)} ${(stats[key] < 0 ? 'n/a' : stats[key].toFixed(4)).padStart(7)}  ${name}`,
  ).join('\n');
}
