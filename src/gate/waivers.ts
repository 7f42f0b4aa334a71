import type { Waiver } from '../settings/index.js';

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
export function waiverFor(waivers: Waivers, ...check: Checked): Waiver | undefined {
  return mostGenerous(waivers, check, false);
}

/** The most generous waiver for a check that is in force no more. */
export function expiredFor(waivers: Waivers, ...check: Checked): Waiver | undefined {
  return mostGenerous(waivers, check, true);
}

type Checked = readonly [metric: string, subject: string | undefined, against: 'fp32' | 'base'];

function mostGenerous(
  { list, today }: Waivers,
  [metric, subject, against]: Checked,
  expired: boolean,
): Waiver | undefined {
  return list
    .filter(
      (one) =>
        one.metric === metric &&
        (one.subject === undefined || one.subject === subject) &&
        (one.against === undefined || one.against === against) &&
        isExpired(one, today) === expired,
    )
    .reduce<Waiver | undefined>(
      (a, b) => (a === undefined || b.allowedDrop > a.allowedDrop ? b : a),
      undefined,
    );
}

/** What a check says that would have passed a while ago. */
export function expiredWords({ allowedDrop, owner, expires, reason }: Waiver): string {
  const allowed = Number(allowedDrop.toFixed(3));
  return ` A waiver by ${owner} (${reason}) allowed ${allowed} until ${expires} and has expired: mend what it excused, or renew it on the base branch.`;
}

/** Waivers that are in force no more. They excuse nothing, and fail nothing by themselves. */
export function expiredWaivers({ list, today }: Waivers): readonly Waiver[] {
  return list.filter((one) => isExpired(one, today));
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
