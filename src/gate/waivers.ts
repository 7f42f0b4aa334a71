import type { Waiver } from '../settings/index.js';
import type { Check } from './types.js';

/** Metrics that a waiver may speak of. */
export type WaivedMetric = Waiver['metric'];

/** Waivers as they count on a day. */
export interface Waivers {
  readonly list: readonly Waiver[];
  /** YYYY-MM-DD, UTC. */
  readonly today: string;
}

/** A waiver holds through its last day. Dates compare as text. */
export function isExpired({ expires }: Waiver, today: string): boolean {
  return expires < today;
}

/** The most generous waiver in force for a check. */
export function waiverFor(
  { list, today }: Waivers,
  metric: string,
  subject: string | undefined,
  against: 'fp32' | 'base',
): Waiver | undefined {
  return list
    .filter(
      (one) =>
        one.metric === metric &&
        (one.subject === undefined || one.subject === subject) &&
        (one.against === undefined || one.against === against) &&
        !isExpired(one, today),
    )
    .reduce<Waiver | undefined>(
      (a, b) => (a === undefined || b.allowedDrop > a.allowedDrop ? b : a),
      undefined,
    );
}

/** An expired waiver fails, needed or not: what was allowed for a while is looked at again. */
export function expiredChecks({ list, today }: Waivers): readonly Check[] {
  return list
    .filter((one) => isExpired(one, today))
    .map(({ metric, subject, owner, reason, expires }) => ({
      kind: 'fail',
      metric: 'waiver',
      ...(subject !== undefined && { subject }),
      limit: `≤ ${expires}`,
      value: null,
      sentence: `The waiver of ${subject === undefined ? metric : `${metric} of ${subject}`} by ${owner} (${reason}) expired on ${expires}: take it out, or renew it on the base branch.`,
    }));
}

/**
 * Waivers that count for a pull request: those of the base that its head has too, with the smaller drop and the
 * earlier date of the two. So a pull request can take a waiver out or narrow it, never add or widen one.
 */
export function commonWaivers(base: readonly Waiver[], head: readonly Waiver[]): readonly Waiver[] {
  const key = ({ metric, subject, against }: Waiver): string => JSON.stringify([metric, subject, against]);
  return base.flatMap((one) => {
    const kept = head.filter((other) => key(other) === key(one));
    return kept
      .map((other) => ({
        ...one,
        allowedDrop: Math.min(one.allowedDrop, other.allowedDrop),
        expires: one.expires < other.expires ? one.expires : other.expires,
      }))
      .slice(0, 1);
  });
}
