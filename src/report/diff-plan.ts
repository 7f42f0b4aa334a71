import { planMatches, type Precision, type PrecisionPlan } from '../quantization/index.js';
import { terminalText } from './escape.js';

/** An entry of a plan, or its default or scope, in base and head; undefined where one has none. */
export interface PlanChange {
  /** Layer or pattern; `default` and `operators` are the plan's own. */
  readonly entry: string;
  readonly base: string | undefined;
  readonly head: string | undefined;
}

/** How two plan files differ. */
export interface PlanDiff {
  readonly changes: readonly PlanChange[];
  /** They were made for networks of another structure; undefined where a plan does not say. */
  readonly otherModel: boolean | undefined;
}

/**
 * Compares two plans entry by entry, in the order of the head. An entry that is missing on one side is told with the
 * precision that its layer has there: by a pattern of that plan, or its default.
 */
export function diffPlans(base: PrecisionPlan, head: PrecisionPlan): PlanDiff {
  const entries = [...new Set([...Object.keys(head.layers), ...Object.keys(base.layers)])];
  const scope = ({ operators }: PrecisionPlan): string =>
    typeof operators === 'string' ? operators : operators.join(', ');
  const changes: PlanChange[] = [
    { entry: 'operators', base: scope(base), head: scope(head) },
    { entry: 'default', base: base.default, head: head.default },
    ...entries.map((entry) => ({ entry, base: precisionIn(base, entry), head: precisionIn(head, entry) })),
  ];
  return {
    changes: changes.filter((one) => one.base !== one.head),
    otherModel: base.model === undefined || head.model === undefined ? undefined : base.model !== head.model,
  };
}

/** The last match wins, as when the plan is resolved. */
function precisionIn({ layers, default: otherwise }: PrecisionPlan, entry: string): Precision {
  const hit = Object.entries(layers).findLast(
    ([pattern]) => pattern === entry || planMatches(pattern, entry),
  );
  return hit?.[1] ?? otherwise;
}

/** The comparison of two plans as text. */
export function formatPlanDiff(base: PrecisionPlan, head: PrecisionPlan): string {
  const { changes, otherModel } = diffPlans(base, head);
  const float = ({ layers }: PrecisionPlan): number =>
    Object.values(layers).filter((precision) => precision !== 'int8').length;
  return [
    `Entries in float: ${float(base)} → ${float(head)}`,
    ...(otherModel === true ? ['The plans were made for networks of another structure.'] : []),
    ...(changes.length === 0 ? ['The plans are the same.'] : changes.map(lineOf)),
  ].join('\n');
}

function lineOf({ entry, base, head }: PlanChange): string {
  const show = (precision: string | undefined): string => terminalText(precision ?? '–');
  return `~ ${terminalText(entry)}: ${show(base)} → ${show(head)}`;
}
