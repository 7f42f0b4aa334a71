import type { BootstrapResult, ClassResult, CocoStats, Drop } from '../evaluation/index.js';
import type { Thresholds } from '../settings/index.js';
import { decideDrop, type DropDecision } from './decision.js';
import type { Candidate, Check } from './types.js';
import { expiredFor, expiredWords, waiverFor, type Waivers } from './waivers.js';
import { fixed } from './words.js';

/** What accuracy is held against: FP32, or the base. */
export interface Side {
  readonly thresholds: Pick<Thresholds, 'mAP50-95' | 'mAP50' | 'AR100' | 'classAP'>;
  readonly reference: Candidate;
  readonly candidate: Candidate;
  readonly intervals: BootstrapResult | undefined;
  readonly images: number;
  readonly waivers: Waivers;
  readonly against: 'fp32' | 'base';
}

interface AccuracyLimit {
  readonly min?: number | undefined;
  readonly maxDrop?: number | undefined;
  readonly maxDropRelative?: number | undefined;
}

/** The accuracy metrics with where their numbers are. */
const ACCURACY: Readonly<
  Record<'mAP50-95' | 'mAP50' | 'AR100', { stat: keyof CocoStats; drop: 'map' | 'map50' | 'ar' }>
> = {
  'mAP50-95': { stat: 'AP', drop: 'map' },
  mAP50: { stat: 'AP50', drop: 'map50' },
  AR100: { stat: 'AR100', drop: 'ar' },
};

/** Limits on mAP50-95, mAP50 and AR100. */
export function accuracyChecks(side: Side): Check[] {
  const { thresholds, reference, candidate, intervals } = side;
  return (Object.keys(ACCURACY) as (keyof typeof ACCURACY)[]).flatMap((metric) => {
    const limit = thresholds[metric];
    if (limit === undefined) return [];
    const { stat, drop } = ACCURACY[metric];
    return limitChecks({
      metric,
      subject: undefined,
      limit,
      before: reference.stats[stat],
      after: candidate.stats[stat],
      interval: intervals?.[drop],
      side,
    });
  });
}

/** Limits on the AP of every class with enough boxes. */
export function classChecks(side: Side): Check[] {
  const { thresholds, reference, candidate, intervals } = side;
  const limit = thresholds.classAP;
  if (limit === undefined) return [];
  const judged = candidate.perClass.filter(({ boxes }) => boxes >= (limit.minBoxes ?? 20));
  if (judged.length === 0)
    return [
      {
        kind: 'missing',
        metric: 'classAP',
        limit: 'any',
        value: null,
        ...tag(side),
        sentence: `No class has ${limit.minBoxes} boxes or more, so classAP judges nothing.`,
      },
    ];
  return judged.flatMap((one: ClassResult) => {
    const before = reference.perClass.find(({ category }) => category === one.category);
    return limitChecks({
      metric: 'classAP',
      subject: one.name,
      limit,
      before: before?.AP ?? NaN,
      after: one.AP,
      interval: intervals?.perClass[one.category],
      side,
    });
  });
}

interface Held {
  readonly metric: string;
  readonly subject: string | undefined;
  readonly limit: AccuracyLimit;
  readonly before: number;
  readonly after: number;
  readonly interval: Drop | undefined;
  readonly side: Side;
}

function limitChecks(held: Held): Check[] {
  const { metric, subject, limit, before, after, side } = held;
  const name = subject === undefined ? metric : `AP of ${subject}`;
  const base = { metric, ...(subject !== undefined && { subject }), ...tag(side) };
  if (!known(after) || !known(before))
    return [
      {
        ...base,
        kind: 'missing',
        limit: 'any',
        value: null,
        sentence: `${name} could not be measured (${known(before) ? 'candidate' : side.against === 'fp32' ? 'FP32' : 'base'}: no ground truth or not a number); what is not measured does not pass.`,
      },
    ];
  const checks: Check[] = [];
  if (limit.min !== undefined) {
    const ok = after >= limit.min;
    checks.push({
      ...base,
      kind: ok ? 'pass' : 'fail',
      limit: `≥ ${fixed(limit.min)}`,
      value: after,
      sentence: `${name} is ${fixed(after)}; at least ${fixed(limit.min)} is asked.`,
    });
  }
  const allowed = [
    limit.maxDrop,
    limit.maxDropRelative === undefined ? undefined : limit.maxDropRelative * before,
  ].filter((one) => one !== undefined);
  if (allowed.length === 0) return checks;
  // Only as a whole: a class that FP32 does not know is no reason to distrust the others.
  const nothing =
    side.against === 'fp32' &&
    subject === undefined &&
    (before < NOTHING || (before < POOR && before <= Math.min(...allowed)));
  checks.push({
    ...base,
    ...(nothing ? nothingToLose(name, before, allowed, after) : waivable(name, Math.min(...allowed), held)),
  });
  return checks;
}

/** FP32 below this, 0…1, is shown as 0.000. */
const NOTHING = 0.0005;

/** FP32 below this, 0…1, may have less to lose than the limit allows: an engine that finds nothing would pass. */
const POOR = 0.05;

function nothingToLose(
  name: string,
  before: number,
  allowed: readonly number[],
  after: number,
): Omit<Check, 'metric' | 'subject'> {
  return {
    kind: 'missing',
    limit: `drop ≤ ${fixed(Math.min(...allowed))}`,
    value: after,
    sentence: `${name} of FP32 itself is ${fixed(before)}, so that ${before < NOTHING ? 'there is nothing that INT8 could lose' : 'an engine that finds nothing would hold the limit'}: a drop says nothing. Model, decoder, preprocessing, classes or annotations do not fit each other.`,
  };
}

/** COCO answers -1 where there is nothing to measure. */
function known(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

/** FP32 goes without saying. */
function tag({ against }: Side): Pick<Check, 'against'> {
  return against === 'fp32' ? {} : { against };
}

/** A drop that does not pass is held against what a waiver allows, where there is one. */
function waivable(name: string, allowed: number, held: Held): Omit<Check, 'metric' | 'subject'> {
  const check = dropCheck(name, allowed, held);
  const { side, metric, subject, before, after } = held;
  const waiver = check.kind === 'pass' ? undefined : waiverFor(side.waivers, metric, subject, side.against);
  if (waiver === undefined || waiver.allowedDrop <= allowed) return withExpired(check, name, held);
  const { owner, expires, reason, allowedDrop } = waiver;
  const passed = dropCheck(name, allowedDrop, held);
  if (passed.kind !== 'pass')
    return {
      ...check,
      sentence: `${check.sentence} A waiver of ${owner} allows ${fixed(allowedDrop)}, which is not surely held either.`,
    };
  return {
    ...passed,
    limit: check.limit,
    waived: true,
    waiver: { ...waiver, drop: before - after },
    sentence: `${dropWords(name, allowed, held)} Waived up to ${fixed(allowedDrop)} by ${owner} until ${expires}: ${reason}.`,
  };
}

/** Says of a check that an expired waiver would have let it pass. */
function withExpired(
  check: Omit<Check, 'metric' | 'subject'>,
  name: string,
  held: Held,
): Omit<Check, 'metric' | 'subject'> {
  const { side, metric, subject } = held;
  const expired = check.kind === 'pass' ? undefined : expiredFor(side.waivers, metric, subject, side.against);
  if (expired === undefined || dropCheck(name, expired.allowedDrop, held).kind !== 'pass') return check;
  return { ...check, kind: 'fail', sentence: `${check.sentence}${expiredWords(expired)}` };
}

function dropCheck(name: string, allowed: number, held: Held): Omit<Check, 'metric' | 'subject'> {
  const { after, side } = held;
  const { intervals } = side;
  const { kind, interval, images, onlyFew, imagesToDecide, words } = decided(allowed, held);
  return {
    kind,
    limit: `drop ≤ ${fixed(allowed)}`,
    value: after,
    drop: held.before - after,
    ...(interval !== undefined && {
      interval,
      ...(intervals !== undefined && { method: intervals.method, confidence: intervals.confidence }),
      images,
    }),
    ...(onlyFew && { onlyFew }),
    ...(imagesToDecide !== undefined && { imagesToDecide }),
    sentence: `${dropWords(name, allowed, held)}${words}`,
  };
}

function decided(allowed: number, { before, after, interval, side }: Held): DropDecision {
  const { intervals, images } = side;
  const { family, confidence } = intervals ?? {};
  return decideDrop({ before, drop: before - after, allowed, interval, images, family, confidence });
}

function dropWords(name: string, allowed: number, held: Held): string {
  const { before, after, side } = held;
  const drop = before - after;
  const moved = movedBy(drop);
  const { interval } = decided(allowed, held);
  const spread =
    interval === undefined ? '' : ` (drop between ${fixed(interval[0])} and ${fixed(interval[1])})`;
  const from = side.against === 'fp32' ? 'from' : 'from the base,';
  return `${name} ${moved}${spread} ${from} ${fixed(before)} to ${fixed(after)}; a drop of at most ${fixed(allowed)} is allowed.`;
}

/** What rounds to 0.000 may still show as a change between two rounded numbers. */
function movedBy(drop: number): string {
  if (drop !== 0 && Math.abs(drop) < NOTHING) return `${drop > 0 ? 'fell' : 'rose'} by less than 0.001`;
  return drop >= 0 ? `fell by ${fixed(drop)}` : `rose by ${fixed(-drop)}`;
}
