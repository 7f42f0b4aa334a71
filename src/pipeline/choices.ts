import type { Finding, Report } from '../report/index.js';
import type { CalibratorChoice } from '../sensitivity/index.js';
import type { Correction } from './corrections.js';
import { finite } from './layer-rows.js';

type Section = NonNullable<Report['calibrators']>;

/** What `calibrator: best` chose, with the error of every candidate. */
export function calibratorsSection(choices: readonly CalibratorChoice[]): Section {
  return choices.map(({ tensors, calibrator, by, errors }) => ({
    tensors: [...tensors],
    calibrator,
    by,
    candidates: errors.map(({ calibrator: name, amax, sqnr, images }) => ({
      calibrator: name,
      amax,
      sqnr: sqnr === undefined ? null : finite(sqnr),
      images,
    })),
  }));
}

/** How often each calibrator was chosen, and where the choice mattered most. */
export function choiceFinding(choices: readonly CalibratorChoice[], heldBack: number): readonly Finding[] {
  if (choices.length === 0) return [];
  const counts = new Map<string, number>();
  for (const { calibrator } of choices) counts.set(calibrator, (counts.get(calibrator) ?? 0) + 1);
  const listed = [...counts]
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .map(([name, count]) => `${count} ${name}`);
  const local = choices.filter(({ by }) => by === 'local').length;
  const unmeasured =
    local === 0
      ? ''
      : ` For ${local} of them the output does not tell, and the error of the tensor itself decided.`;
  return [
    {
      kind: 'calibrator-choice',
      severity: 'info',
      subject: 'calibration.calibrator',
      sentence: `Calibrators of ${choices.length} scales, chosen by the error of the network's output on ${heldBack} calibration ${heldBack === 1 ? 'image' : 'images'} held back: ${listed.join(', ')}.${unmeasured}${worstOf(choices)}`,
      advice: 'Every candidate with its error stands in report.json under calibrators.',
    },
  ];
}

/** The scale that hurts most: what was chosen, and what the worst candidate would have done. */
function worstOf(choices: readonly CalibratorChoice[]): string {
  const rated = choices.flatMap(({ tensors, calibrator, by, errors }) => {
    const own = errors.find((one) => one.calibrator === calibrator)?.sqnr;
    const worst = [...errors].sort((a, b) => (a.sqnr ?? Infinity) - (b.sqnr ?? Infinity))[0];
    return by === 'local' || own === undefined || !Number.isFinite(own) || worst?.sqnr === undefined
      ? []
      : [{ tensor: tensors[0] as string, calibrator, own, other: worst.calibrator, sqnr: worst.sqnr }];
  });
  const first = rated.sort((a, b) => a.own - b.own)[0];
  if (first === undefined) return '';
  const { tensor, calibrator, own, other, sqnr } = first;
  return ` ${tensor} hurts most: alone in INT8 it leaves the head ${own.toFixed(1)} dB with ${calibrator}, ${sqnr.toFixed(1)} dB with ${other}.`;
}

/** Corrections as the report has them. */
export function correctionsSection(corrections: readonly Correction[]): NonNullable<Report['corrections']> {
  const decibels = (value: number | undefined): number | null => (value === undefined ? null : finite(value));
  return corrections.map(({ kind, applied, count, before, after, reason }) => ({
    kind,
    applied,
    count,
    before: decibels(before),
    after: decibels(after),
    ...(reason !== undefined && { reason }),
  }));
}

/** What was tried to correct the network, and whether it was kept. */
export function correctionFindings(corrections: readonly Correction[]): readonly Finding[] {
  return corrections.map(({ kind, applied, count, before, after, reason }) => {
    const [title, unit, key] =
      kind === 'bias-correction'
        ? ['Bias correction', 'layers', 'quantization.biasCorrection']
        : ['Cross-layer equalization', 'pairs of layers', 'quantization.equalization'];
    const numbers =
      before === undefined || after === undefined
        ? ''
        : ` On calibration images held back the head's SQNR goes from ${before.toFixed(1)} to ${after.toFixed(1)} dB.`;
    return {
      kind,
      severity: 'info',
      subject: key,
      sentence: applied
        ? `${title} of ${count} ${unit} is in force.${numbers}`
        : `${title} is not applied: ${reason ?? ''}.${numbers}`,
      advice: applied ? `To do without, set ${key}: off.` : `To save the try, set ${key}: off.`,
    };
  });
}
