import { deadChannels, unequalChannels } from './channels.js';
import { nothingDetected } from './detections.js';
import { oneSidedCalibration, preprocessing } from './drift.js';
import { calibrationSize } from './growth.js';
import { rangeOutliers } from './outliers.js';
import { fp16Overflow, oneSidedRanges, saturation } from './ranges.js';
import { sharedScales } from './shared-scales.js';
import type { Evidence, Finding } from './types.js';
import { weightRanges } from './weights.js';

/** A rule: from evidence to findings, pure. */
export type Rule = (evidence: Evidence) => readonly Finding[];

/** All rules, the most telling causes first. */
export const RULES: readonly Rule[] = [
  sharedScales,
  nothingDetected,
  preprocessing,
  oneSidedCalibration,
  fp16Overflow,
  unequalChannels,
  saturation,
  rangeOutliers,
  weightRanges,
  calibrationSize,
  oneSidedRanges,
  deadChannels,
];

const ORDER = { error: 0, warning: 1, info: 2 } as const;

/** What every rule finds, errors first, otherwise in the order of the rules. */
export function diagnose(evidence: Evidence): readonly Finding[] {
  return RULES.flatMap((rule) => rule(evidence)).sort((a, b) => ORDER[a.severity] - ORDER[b.severity]);
}
