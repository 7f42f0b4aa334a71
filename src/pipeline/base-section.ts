import type { Terms } from '../baseline/index.js';
import type { DetectionTable } from '../dataset/index.js';
import type { Drop } from '../evaluation/index.js';
import { expiredWaivers, type Verdict } from '../gate/index.js';
import {
  diffReports,
  movedLayers,
  type BaseSection,
  type Finding,
  type HistoryPoint,
  type Report,
  type UsedWaiver,
} from '../report/index.js';
import { counted } from '../words/index.js';
import { dropBelowBase, type ComparedBase } from './against.js';
import { finite } from './layer-rows.js';
import type { Bench } from './prepare.js';

/** What a report says of its base, its waivers and its settings. */
export function againstBase(
  report: Report,
  bench: Bench,
  terms: Terms,
  verdict: Verdict,
  head: DetectionTable,
): Report {
  const base = bench.against?.base;
  const waivers = usedWaivers(verdict);
  return {
    ...report,
    ...(base?.kind === 'measured' && { base: baseSection(report, bench, base, head) }),
    ...(waivers.length > 0 && { waivers }),
    ...(terms.settingsChanges.length > 0 && { settingsChanges: [...terms.settingsChanges] }),
    findings: [...report.findings, ...ownTerms(terms), ...expired(terms)],
    verdict: { ...report.verdict, todo: [...report.verdict.todo, ...ownTerms(terms).map(asTodo)] },
  };
}

/** A run as a point of the history. */
export function pointOf({ createdAt, variants }: Report, commit: string | undefined): HistoryPoint {
  const { fp32, int8, mixed } = variants;
  return {
    createdAt,
    ...(commit !== undefined && { commit }),
    fp32: fp32.stats.AP,
    int8: int8.stats.AP,
    mixed: mixed?.stats.AP ?? null,
  };
}

function usedWaivers({ checks }: Verdict): UsedWaiver[] {
  return checks.flatMap(({ waiver, subject }): UsedWaiver[] => {
    if (waiver === undefined) return [];
    const { metric, allowedDrop, drop, reason, owner, expires } = waiver;
    return [{ metric, ...(subject !== undefined && { subject }), allowedDrop, drop, reason, owner, expires }];
  });
}

/** Told each time, so that nobody counts on one that is in force no more. */
function expired({ waivers }: Terms): readonly Finding[] {
  return expiredWaivers(waivers).map(({ metric, subject, owner, expires, reason }) => ({
    kind: 'expired-waiver',
    severity: 'warning',
    subject: subject ?? metric,
    sentence: `The waiver of ${subject === undefined ? metric : `${metric} of ${subject}`} by ${owner} (${reason}) expired on ${expires} and excuses nothing any more.`,
    advice: 'Take it out, or renew it on the base branch if what it excused is still there.',
  }));
}

function asTodo({ sentence, advice }: Finding): string {
  return `${sentence} ${advice}`;
}

/** Who judges by a head's own word says so. */
function ownTerms({ withoutBase }: Terms): readonly Finding[] {
  if (withoutBase === undefined) return [];
  return [
    {
      kind: 'own-terms',
      severity: 'info',
      subject: 'gate',
      sentence: `The thresholds are this head's own: ${withoutBase}.`,
      advice: 'Review the gate section of the settings: it judged here, and will judge what comes after.',
    },
  ];
}

function baseSection(
  report: Report,
  bench: Bench,
  base: Extract<ComparedBase, { readonly kind: 'measured' }>,
  head: DetectionTable,
): BaseSection {
  const { found, numbers, incomparable } = base;
  const { report: before } = found.kept;
  const { layers, causes } = diffReports(before, report);
  const moved = movedLayers(before, report, layers, new Set(bench.layers.map(({ name }) => name)));
  const intervals = dropBelowBase(bench, head);
  const { fp32, int8, mixed } = before.variants;
  const accuracy = ({ stats }: typeof fp32): { AP: number; AP50: number } => ({
    AP: stats.AP,
    AP50: stats.AP50,
  });
  const noInterval =
    intervals !== undefined ? undefined : (incomparable ?? 'the detections of the base are not at hand');
  const drops = incomparable === undefined ? dropsOf(report, numbers, intervals) : undefined;
  return {
    source: found.source,
    where: found.where,
    ...(found.commit !== undefined && { commit: found.commit }),
    createdAt: before.createdAt,
    candidate: before.verdict.candidate,
    variants: {
      fp32: accuracy(fp32),
      int8: accuracy(int8),
      ...(mixed !== undefined && { mixed: accuracy(mixed) }),
    },
    ...drops,
    ...(noInterval !== undefined && { noInterval }),
    layers: [...layers],
    ...(moved !== undefined && { moved }),
    causes: [...causes],
    sentence: sentenceOf(
      found,
      drops?.drop,
      incomparable,
      layers.filter(({ kind }) => kind !== 'renamed').length,
      moved,
    ),
  };
}

type Drops = Required<Pick<BaseSection, 'drop' | 'drop50'>>;

function dropsOf(
  report: Report,
  { stats }: { readonly stats: { readonly AP: number; readonly AP50: number } },
  intervals: ReturnType<typeof dropBelowBase>,
): Drops | undefined {
  const { AP, AP50 } = judgedOf(report);
  const plain = (drop: number): Drops['drop'] => ({ drop, low: null, high: null });
  const shown = ({ drop, low, high }: Drop): Drops['drop'] => ({
    drop,
    low: finite(low),
    high: finite(high),
  });
  const drops =
    intervals === undefined
      ? { drop: plain(stats.AP - AP), drop50: plain(stats.AP50 - AP50) }
      : { drop: shown(intervals.map), drop50: shown(intervals.map50) };
  return Number.isFinite(drops.drop.drop) && Number.isFinite(drops.drop50.drop) ? drops : undefined;
}

/** The engine's numbers where one was built. */
function judgedOf({ engines, variants, verdict }: Report): { readonly AP: number; readonly AP50: number } {
  const engine = engines?.rows.find(({ variant }) => variant === verdict.candidate);
  return engine ?? (verdict.candidate === 'mixed' ? (variants.mixed ?? variants.int8) : variants.int8).stats;
}

function sentenceOf(
  { where, commit }: { readonly where: string; readonly commit: string | undefined },
  drop: Drops['drop'] | undefined,
  incomparable: string | undefined,
  changed: number,
  moved: BaseSection['moved'],
): string {
  const named = commit === undefined ? where : `${where} (${commit.slice(0, 7)})`;
  const plan =
    moved === undefined
      ? ''
      : `, ${counted(moved.toFloat.length, 'layer')} moved to float, ${counted(moved.toInt8.length, 'layer')} to INT8`;
  const layers = `${changed === 0 ? 'no layer' : counted(changed, 'layer')} changed${plan}.`;
  if (drop === undefined)
    return `Against ${named}: accuracy cannot be compared, ${incomparable ?? 'it was not measured'}; ${layers}`;
  const { low, high } = drop;
  const spread =
    low === null || high === null ? '' : `, the drop between ${low.toFixed(3)} and ${high.toFixed(3)}`;
  const how =
    drop.drop === 0
      ? 'mAP50-95 is the same'
      : `mAP50-95 ${drop.drop > 0 ? 'fell' : 'rose'} by ${Math.abs(drop.drop).toFixed(3)}`;
  return `Against ${named}: ${how}${spread}; ${layers}`;
}
