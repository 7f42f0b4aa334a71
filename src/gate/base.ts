import type { Thresholds } from '../settings/index.js';
import { accuracyChecks, classChecks } from './drops.js';
import type { BaseAtHand, Candidate, Check } from './types.js';
import { expiredFor, expiredWords, waiverFor, type Waivers } from './waivers.js';

/** What the head is held against the base with. */
export interface AgainstBase {
  readonly limits: Thresholds['base'];
  readonly base: BaseAtHand | undefined;
  readonly candidate: Candidate;
  /** Images of the head's validation set. */
  readonly images: number;
  readonly waivers: Waivers;
  /** Whether thresholds that have no base to be held against fail. */
  readonly missing: 'fail' | 'pass';
}

/** Drops below the base, a validation set that lost images, layers that went to float. */
export function baseChecks(input: AgainstBase): readonly Check[] {
  const { base, limits, missing } = input;
  if (base?.kind === 'measured')
    return [...setChecks(base, input), ...(limits === undefined ? [] : limitChecks(base, limits, input))];
  if (base?.kind === 'none') return limits === undefined ? [] : [denied];
  if (base?.kind === 'first')
    return [{ ...denied, sentence: `There is no base to compare with: ${base.why}.` }];
  if (base === undefined && limits === undefined) return [];
  const why =
    base?.why ?? 'none was named with `--base` or `--base-ref` (`--no-base` says that there is none)';
  const kind = missing === 'fail' ? 'missing' : 'pass';
  return [
    {
      kind,
      metric: 'base',
      limit: 'any',
      value: null,
      against: 'base',
      sentence: `There is no base to compare with: ${why}; ${
        missing === 'fail' ? 'what is not compared does not pass.' : 'the settings let that pass.'
      }`,
    },
  ];
}

/** Somebody said that there is none, which is told. */
const denied: Check = {
  kind: 'pass',
  metric: 'base',
  limit: 'any',
  value: null,
  against: 'base',
  sentence: 'There is no base to compare with, as the run was told.',
};

type Measured = Extract<BaseAtHand, { readonly kind: 'measured' }>;

function limitChecks(
  base: Measured,
  limits: NonNullable<Thresholds['base']>,
  { candidate, images, waivers }: AgainstBase,
): readonly Check[] {
  const { incomparable } = base;
  const { moreFloatLayers, ...accuracy } = limits;
  const drops =
    Object.keys(accuracy).length === 0
      ? []
      : incomparable !== undefined
        ? [otherSet(incomparable)]
        : accuracyAgainst(base, accuracy, candidate, images, waivers);
  return [
    ...drops,
    ...(moreFloatLayers === undefined ? [] : [floatCheck(base, moreFloatLayers.max, candidate, waivers)]),
  ];
}

function accuracyAgainst(
  { reference, intervals }: Measured,
  thresholds: Omit<NonNullable<Thresholds['base']>, 'moreFloatLayers'>,
  candidate: Candidate,
  images: number,
  waivers: Waivers,
): readonly Check[] {
  const side = { thresholds, reference, candidate, intervals, images, waivers, against: 'base' } as const;
  return [...accuracyChecks(side), ...classChecks(side)];
}

function otherSet(why: string): Check {
  return {
    kind: 'missing',
    metric: 'base',
    limit: 'any',
    value: null,
    against: 'base',
    sentence: `The drop below the base could not be measured: ${why}; what is not compared does not pass.`,
  };
}

function floatCheck(
  { floatLayers: before }: Measured,
  max: number,
  candidate: Candidate,
  waivers: Waivers,
): Check {
  const metric = 'moreFloatLayers';
  const now = candidate.floatLayers;
  const common = { metric, limit: `≤ ${max} more`, against: 'base' } as const;
  if (before === undefined || now === undefined)
    return {
      ...common,
      kind: 'missing',
      value: null,
      sentence: `How many layers went to float could not be counted (${now === undefined ? 'candidate' : 'base'}); what is not measured does not pass.`,
    };
  const more = now - before;
  const sentence = `${now} layers are in float, ${before} in the base; at most ${max} more are allowed.`;
  return waived({ ...common, kind: more <= max ? 'pass' : 'fail', value: more, sentence }, more, waivers);
}

/** A set that lost images may have lost the hard ones. */
function setChecks({ images: before }: Measured, { images, waivers }: AgainstBase): readonly Check[] {
  if (before === undefined || images >= before) return [];
  const check: Check = {
    kind: 'fail',
    metric: 'validationImages',
    limit: `≥ ${before}`,
    value: images,
    against: 'base',
    sentence: `The validation set has ${images} images, ${before} in the base: what is judged on fewer images is not what the base was judged on.`,
  };
  return [waived(check, before - images, waivers)];
}

/** A count that failed passes when a waiver allows it. */
function waived(check: Check, drop: number, waivers: Waivers): Check {
  const waiver = check.kind === 'fail' ? waiverFor(waivers, check.metric, undefined, 'base') : undefined;
  if (waiver === undefined || drop > waiver.allowedDrop) {
    const expired = check.kind === 'fail' ? expiredFor(waivers, check.metric, undefined, 'base') : undefined;
    return expired === undefined || drop > expired.allowedDrop
      ? check
      : { ...check, sentence: `${check.sentence}${expiredWords(expired)}` };
  }
  const { owner, expires, reason } = waiver;
  return {
    ...check,
    kind: 'pass',
    waived: true,
    waiver: { ...waiver, drop },
    sentence: `${check.sentence} Waived by ${owner} until ${expires}: ${reason}.`,
  };
}
