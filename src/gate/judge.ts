import type { BootstrapResult, ClassResult, CocoStats, Drop } from '../evaluation/index.js';
import { EXIT, InputFault, type ExitStatus } from '../faults/index.js';
import type { Thresholds } from '../settings/index.js';
import { decideDrop } from './decision.js';
import type { Candidate, Check, Verdict } from './types.js';

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

/**
 * Holds a candidate against the thresholds. A number that is missing or NaN fails; an interval that straddles a limit
 * is inconclusive. @throws InputFault when there is no threshold at all.
 */
export function judge(judgement: Judgement): Verdict {
  const checks = [...accuracyChecks(judgement), ...classChecks(judgement), ...plainChecks(judgement)];
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

/** 0 for a pass, 1 for anything that blocks. */
export function exitStatusOf(verdict: Verdict): ExitStatus {
  return verdict.kind === 'pass' || (verdict.kind === 'inconclusive' && verdict.counts === 'pass')
    ? EXIT.pass
    : EXIT.fail;
}

function accuracyChecks({ thresholds, reference, candidate, intervals, images }: Judgement): Check[] {
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
      intervals,
      images,
    });
  });
}

function classChecks({ thresholds, reference, candidate, intervals, images }: Judgement): Check[] {
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
      intervals,
      images,
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
  readonly intervals: BootstrapResult | undefined;
  readonly images: number;
}

function limitChecks(held: Held): Check[] {
  const { metric, subject, limit, before, after } = held;
  const name = subject === undefined ? metric : `AP of ${subject}`;
  const base = { metric, ...(subject !== undefined && { subject }) };
  if (!known(after) || !known(before))
    return [
      {
        ...base,
        kind: 'missing',
        limit: 'any',
        value: null,
        sentence: `${name} could not be measured (${known(before) ? 'candidate' : 'FP32'}: no ground truth or not a number); what is not measured does not pass.`,
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
  if (allowed.length > 0) checks.push({ ...base, ...dropCheck(name, Math.min(...allowed), held) });
  return checks;
}

/** COCO answers -1 where there is nothing to measure. */
function known(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

function dropCheck(name: string, allowed: number, held: Held): Omit<Check, 'metric' | 'subject'> {
  const { before, after, interval, intervals, images } = held;
  const drop = before - after;
  const decided = decideDrop({
    drop,
    allowed,
    interval,
    images,
    family: intervals?.family,
    confidence: intervals?.confidence,
  });
  const { kind, words } = decided;
  const moved = drop >= 0 ? `fell by ${fixed(drop)}` : `rose by ${fixed(-drop)}`;
  const [low, high] = decided.interval ?? [drop, drop];
  const spread = decided.interval === undefined ? '' : ` (drop between ${fixed(low)} and ${fixed(high)})`;
  return {
    kind,
    limit: `drop ≤ ${fixed(allowed)}`,
    value: after,
    drop,
    ...(decided.interval !== undefined && {
      interval: decided.interval,
      ...(intervals !== undefined && { method: intervals.method, confidence: intervals.confidence }),
      images: decided.images,
    }),
    ...(decided.imagesToDecide !== undefined && { imagesToDecide: decided.imagesToDecide }),
    sentence: `${name} ${moved}${spread} from ${fixed(before)} to ${fixed(after)}; a drop of at most ${fixed(allowed)} is allowed.${words}`,
  };
}

function plainChecks({ thresholds, candidate }: Judgement): Check[] {
  const { distances, sqnr } = candidate;
  return [
    plain(
      'scoreDivergence',
      'The divergence of scores from FP32',
      distances?.scoreDivergence,
      undefined,
      thresholds.scoreDivergence?.max,
    ),
    plain(
      'detectionRatio',
      'The number of detections over that of FP32',
      distances?.detectionRatio,
      thresholds.detectionRatio?.min,
      undefined,
    ),
    plain(
      'boxShift',
      'The shift of boxes against FP32 (mean 1 − IoU)',
      distances?.boxShift,
      undefined,
      thresholds.boxShift?.max,
    ),
    plain('sqnr', 'The SQNR of the raw head outputs in dB', sqnr, thresholds.sqnr?.min, undefined),
    plain(
      'modelSizeMiB',
      'The size of the weights in MiB',
      candidate.modelSizeMiB,
      undefined,
      thresholds.modelSizeMiB?.max,
    ),
    timed(
      candidate.noise,
      plain(
        'latencyMs',
        'The median latency in milliseconds',
        candidate.latencyMs,
        undefined,
        thresholds.latencyMs?.max,
      ),
    ),
    timed(
      candidate.noise,
      plain(
        'speedup',
        'The speed over the FP16 engine',
        candidate.speedup,
        thresholds.speedup?.min,
        undefined,
      ),
    ),
  ].flat();
}

/** A time that was measured beside other work decides nothing. */
function timed(noise: string | undefined, checks: Check[]): Check[] {
  if (noise === undefined) return checks;
  return checks.map((check) =>
    check.kind === 'missing'
      ? check
      : { ...check, kind: 'inconclusive', sentence: `${check.sentence} It cannot be judged: ${noise}.` },
  );
}

function plain(metric: string, name: string, value: number | undefined, min: unknown, max: unknown): Check[] {
  const limit = typeof min === 'number' ? min : typeof max === 'number' ? max : undefined;
  if (limit === undefined) return [];
  const words = typeof min === 'number' ? `≥ ${short(limit)}` : `≤ ${short(limit)}`;
  if (value === undefined || Number.isNaN(value))
    return [
      {
        kind: 'missing',
        metric,
        limit: words,
        value: null,
        sentence: `${name} could not be measured; what is not measured does not pass.`,
      },
    ];
  const ok = typeof min === 'number' ? value >= limit : value <= limit;
  return [
    {
      kind: ok ? 'pass' : 'fail',
      metric,
      limit: words,
      value: Number.isFinite(value) ? value : null,
      sentence: `${name} is ${short(value)}; ${typeof min === 'number' ? 'at least' : 'at most'} ${short(limit)} is asked.`,
    },
  ];
}

function fixed(value: number): string {
  return value.toFixed(3);
}

function short(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value);
}
