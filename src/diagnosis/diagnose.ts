import { deadChannels, unequalChannels, unequalLayers } from './channels.js';
import { nothingDetected } from './detections.js';
import { oneSidedCalibration, preprocessing } from './drift.js';
import { calibrationSize } from './growth.js';
import { heavyLayers, rangeOutliers } from './outliers.js';
import { fp16Overflow, oneSidedLayers, oneSidedRanges, saturation } from './ranges.js';
import { sharedScales } from './shared-scales.js';
import type { Evidence, Finding } from './types.js';
import { poorLayers, weightRanges } from './weights.js';

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

/** Sets of layers that rules would advise to keep in float: what is worth a run of the whole model, each once. */
export function floatRemedies(
  evidence: Pick<Evidence, 'tensors' | 'weights'>,
): readonly (readonly string[])[] {
  const sets = [
    unequalLayers(evidence),
    heavyLayers(evidence),
    poorLayers(evidence),
    ...oneSidedLayers(evidence),
  ].filter(({ length }) => length > 0);
  return [...new Map(sets.map((layers) => [layers.join('\n'), layers])).values()];
}

const ORDER = { error: 0, warning: 1, info: 2 } as const;

/** Told by what they are, whatever the input was. */
const WITHOUT_INPUT = new Set<Finding['kind']>(['preprocessing', 'shared-scale', 'nothing-detected']);

/**
 * What every rule finds, errors first, otherwise in the order of the rules. Where the preprocessing is wrong, what rests on
 * activations is no cause of its own, and only worth knowing.
 */
export function diagnose(evidence: Evidence): readonly Finding[] {
  const found = RULES.flatMap((rule) => rule(evidence));
  const wrong = found.some(({ kind, severity }) => kind === 'preprocessing' && severity === 'error');
  const findings = wrong
    ? found.map((one) => (WITHOUT_INPUT.has(one.kind) ? one : { ...one, severity: 'info' as const }))
    : found;
  return [...findings].sort((a, b) => ORDER[a.severity] - ORDER[b.severity]);
}
