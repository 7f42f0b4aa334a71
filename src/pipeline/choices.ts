import type { Finding, Report } from '../report/index.js';
import type { CalibratorChoice } from '../sensitivity/index.js';
import { listed as listedWords } from '../words/index.js';
import type { Calibrated } from './calibrate.js';
import { MIX, type Contest } from './contest.js';
import type { Correction } from './corrections.js';
import { finite } from './layer-rows.js';

type Section = NonNullable<Report['calibrators']>;

/** What `calibrator: best` took, scale by scale, with the error of every candidate. */
export function calibratorsSection({ choices, contest }: Pick<Calibrated, 'choices' | 'contest'>): Section {
  return choicesInForce(choices, contest).map(({ tensors, calibrator, by, errors }) => ({
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

/** Which ranges were taken for the network as a whole. */
export function contestSection(contest: Contest): NonNullable<Report['calibratorContest']> {
  const { taken, by, reason, images, rivals } = contest;
  return {
    ...{ taken, by, reason },
    images: { ...images },
    candidates: rivals.map(({ name, heat, final }) => ({
      calibrator: name,
      heat: heat ?? null,
      final: final ?? null,
    })),
  };
}

interface InForce extends Omit<CalibratorChoice, 'by'> {
  readonly by: Section[number]['by'];
}

/** One calibrator that was taken for all scales stands at each. */
function choicesInForce(
  choices: readonly CalibratorChoice[],
  contest: Contest | undefined,
): readonly InForce[] {
  if (contest === undefined || contest.taken === MIX) return choices;
  return choices.map((choice) => ({ ...choice, calibrator: contest.taken, by: 'detections' }));
}

/** How often each calibrator was chosen, and where the choice mattered most. */
export function choiceFinding(
  { choices, contest }: Pick<Calibrated, 'choices' | 'contest'>,
  heldBack: number,
): readonly Finding[] {
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
      sentence: `Calibrators of ${choices.length} scales, chosen by the error of the network's output on ${heldBack} calibration ${heldBack === 1 ? 'image' : 'images'} held back: ${listed.join(', ')}.${unmeasured}${contestWords(contest)}${worstOf(choicesInForce(choices, contest))}`,
      advice:
        'Every candidate with its error stands in report.json under calibrators, how detections agree under calibratorContest.',
    },
  ];
}

/** Which ranges are in force, and how far the detections of each agree with FP32's. */
function contestWords(contest: Contest | undefined): string {
  if (contest === undefined) return '';
  const { taken, by, reason, images, rivals } = contest;
  const what = taken === MIX ? 'This mix is in force' : `In force is ${taken} for all scales`;
  if (by === 'output') return ` ${what}: ${reason}.`;
  const figures = rivals.flatMap(({ name, final }) =>
    final === undefined ? [] : [`${final.toFixed(3)} with ${name === MIX ? 'the mix' : name}`],
  );
  return ` ${what}: ${reason}. On ${images.final} calibration images detections agree with FP32's to ${listedWords(figures)}.`;
}

/** The scale that hurts most: what was chosen, and what the worst candidate would have done. */
function worstOf(choices: readonly InForce[]): string {
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
