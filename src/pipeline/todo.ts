import type { Check, Verdict } from '../gate/index.js';
import type { Finding } from '../report/index.js';
import type { PlanSearch } from '../sensitivity/index.js';

/** What advice is made from. */
export interface TodoInput {
  readonly verdict: Verdict;
  readonly findings: readonly Pick<Finding, 'kind' | 'severity' | 'advice' | 'layers'>[];
  /** Names of layers, most sensitive first; empty where none were ranked. */
  readonly ranked: readonly string[];
  /** Whether a layer runs in INT8 in the plan that is judged. */
  readonly inInt8: (layer: string) => boolean;
  /** How the search for a mixed plan ended; `not` where the settings have none. */
  readonly searched: PlanSearch['ended'] | 'not';
}

/** Layers named as the worst. */
const WORST = 3;

/** What lets a search go on that a limit of the settings ended. */
const BUDGETS = {
  minutes: 'Run it again, or give it more time (sensitivity.maxMinutes): it goes on where the search ended.',
  'float-layers': 'Allow more layers in float (sensitivity.maxFloatLayers).',
  'int8-share': 'Ask for a smaller share in INT8 (sensitivity.minInt8Share).',
} as const satisfies Partial<Record<TodoInput['searched'], string>>;

/** What to do about a verdict that is no pass, most telling first. */
export function todoOf({ verdict, findings, ranked, inInt8, searched }: TodoInput): string[] {
  // What INT8 does to layers that the judged plan has in float is mended already.
  const open = findings.filter(
    ({ severity, layers = [] }) => severity !== 'info' && (layers.length === 0 || layers.some(inInt8)),
  );
  if (!blamesInt8(verdict))
    return [
      ...new Set(open.filter(({ kind }) => kind === 'preprocessing').map(({ advice }) => advice)),
      ...(verdict.checks.some(isUnmeasured)
        ? [
            'Let FP32 find what is annotated first (decoder, preprocessing, classes, annotations): `int8-gate evaluate` measures it alone.',
          ]
        : []),
      ...room(verdict),
    ];
  const worst = ranked.filter(inInt8).slice(0, WORST);
  return [
    ...new Set(open.map(({ advice }) => advice)),
    ...room(verdict),
    ...(searched === 'not' ? ['Let int8-gate look for a mixed-precision plan (gate.candidate: mixed).'] : []),
    ...(searched in BUDGETS ? [BUDGETS[searched as keyof typeof BUDGETS]] : []),
    // Where not even all of them in float pass, or no more may be, naming some is no way out.
    ...(worst.length > 0 && !['none-passes', 'float-layers', 'int8-share'].includes(searched)
      ? [
          `Most sensitive in INT8: ${worst.join(', ')}. Name them in quantization.keepFloat to keep them float.`,
        ]
      : []),
  ];
}

/** Whether INT8 is, or may be, worse than is allowed: else no layer in float helps. */
function blamesInt8({ checks }: Verdict): boolean {
  return (
    !checks.some(isUnmeasured) &&
    checks.some(({ kind, onlyFew }) => kind === 'fail' || (kind === 'inconclusive' && onlyFew !== true))
  );
}

/** FP32's accuracy itself is no number, or too little to lose. */
function isUnmeasured({ kind, metric, against }: Check): boolean {
  return kind === 'missing' && against === undefined && /^(mAP|AR)/.test(metric);
}

/** What would decide the drops that nobody can judge: room to the limit, or images where only those lack. */
function room({ checks }: Verdict): readonly string[] {
  const drops = checks.filter(({ kind, drop }) => kind === 'inconclusive' && drop !== undefined);
  return [
    ...(drops.some(({ onlyFew }) => onlyFew !== true)
      ? ['Add validation images, or allow a larger drop: the interval is wider than the room to the limit.']
      : []),
    ...(drops.some(({ onlyFew }) => onlyFew === true)
      ? ['Add validation images: the interval is clear of the limit, but rests on too few of them to count.']
      : []),
  ];
}
