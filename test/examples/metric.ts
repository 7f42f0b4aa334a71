import type { DetectionTable, GroundTruth } from '../../src/dataset/index.js';
import { OUTCOME, prepareMatches } from '../../src/evaluation/index.js';

/**
 * Share of the labelled objects that are found at a score of `score` or more and an IoU of 0.5: what a team that runs at
 * one fixed score cares for. NaN without objects, which a gate takes as missing.
 */
export function recallAt(truth: GroundTruth, detections: DetectionTable, score: number): number {
  // Areas first: [0] is all sizes. Outcomes are [threshold, detection]: the first `count` are those at IoU 0.5.
  const classes = prepareMatches(truth, detections).classes[0] ?? [];
  let [found, objects] = [0, 0];
  for (const one of classes) {
    objects += one.total;
    for (let i = 0; i < one.count; i++)
      if ((one.score[i] as number) >= score && one.outcome[i] === OUTCOME.truePositive) found++;
  }
  return objects === 0 ? NaN : found / objects;
}
