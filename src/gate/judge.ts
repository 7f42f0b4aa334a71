import type { BootstrapResult } from '../evaluation/index.js';
import { EXIT, InputFault, type ExitStatus } from '../faults/index.js';
import type { Thresholds } from '../settings/index.js';
import { baseChecks } from './base.js';
import { accuracyChecks, classChecks } from './drops.js';
import { plainChecks } from './plain.js';
import type { BaseAtHand, Candidate, Check, Verdict } from './types.js';
import type { Waivers } from './waivers.js';

/** What is judged. */
export interface Judgement {
  readonly thresholds: Thresholds;
  /** FP32. */
  readonly reference: Candidate;
  readonly candidate: Candidate;
  /** Intervals of the drops, where resampling was done. */
  readonly intervals: BootstrapResult | undefined;
  /** Images of the validation set. */
  readonly images: number;
  readonly inconclusive: 'fail' | 'pass';
  /** What the head is compared with; undefined where nobody said. */
  readonly base?: BaseAtHand | undefined;
  /** `fail` when left out. */
  readonly baseMissing?: 'fail' | 'pass';
  readonly waivers?: Waivers;
}

const NO_WAIVERS: Waivers = { list: [], today: '' };

/**
 * Holds a candidate against the thresholds. A number that is missing or NaN fails; an interval that straddles a limit
 * is inconclusive. @throws InputFault when there is no threshold at all.
 */
export function judge(judgement: Judgement): Verdict {
  const checks = checksOf(judgement);
  if (checks.length === 0)
    throw new InputFault({
      where: 'gate.thresholds',
      what: 'nothing is judged',
      fix: 'Name a limit, for example `mAP50-95: { maxDrop: 0.01 }`.',
    });
  if (checks.some(({ kind }) => kind === 'fail' || kind === 'missing')) return { kind: 'fail', checks };
  if (checks.some(({ kind }) => kind === 'inconclusive'))
    return { kind: 'inconclusive', checks, counts: judgement.inconclusive };
  return { kind: 'pass', checks };
}

function checksOf({ base, waivers = NO_WAIVERS, baseMissing = 'fail', ...judgement }: Judgement): Check[] {
  const { thresholds, candidate, images } = judgement;
  const side = { ...judgement, waivers, against: 'fp32' } as const;
  return [
    ...accuracyChecks(side),
    ...classChecks(side),
    ...plainChecks(thresholds, candidate),
    ...baseChecks({ limits: thresholds.base, base, candidate, images, waivers, missing: baseMissing }),
  ];
}

/** Whether nothing but the number of validation images keeps it from passing. */
export function wantsOnlyImages({ kind, checks }: Verdict): boolean {
  return kind === 'inconclusive' && checks.every((check) => check.kind === 'pass' || check.onlyFew === true);
}

/** 0 for a pass, 1 for anything that blocks. */
export function exitStatusOf(verdict: Verdict): ExitStatus {
  return verdict.kind === 'pass' || (verdict.kind === 'inconclusive' && verdict.counts === 'pass')
    ? EXIT.pass
    : EXIT.fail;
}
