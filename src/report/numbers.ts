import type { AuditSection, EnginesSection, LayerRow, Report, ReportVariant } from './types.js';

/** mAP and the like: three digits, `n/a` for COCO's -1. */
export function rate(value: number): string {
  return value < 0 ? 'n/a' : value.toFixed(3);
}

/** A drop against FP32 with its interval: `−0.011 (−0.018…−0.004)`, minus meaning worse. */
export function change(
  drop: { readonly drop: number; readonly low: number | null; readonly high: number | null } | undefined,
  spread = true,
): string {
  if (drop === undefined) return '';
  const point = signed(-drop.drop);
  return !spread || drop.low === null || drop.high === null
    ? point
    : `${point} (${signed(-drop.high)}…${signed(-drop.low)})`;
}

/** A number with its sign, three digits. */
export function signed(value: number): string {
  const text = Math.abs(value).toFixed(3);
  return text === '0.000' ? '0.000' : `${value < 0 ? '−' : '+'}${text}`;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(2)} MiB`;
}

/** dB of a layer; null stands for an output that did not change. */
export function decibels(sqnr: number | null): string {
  return sqnr === null
    ? '–'
    : sqnr
        .toFixed(1)
        .replace(/^-0\.0$/, '0.0')
        .replace('-', '−');
}

export function percent(share: number | null): string {
  return share === null ? '–' : `${(share * 100).toFixed(1)} %`;
}

/** The variants that a report holds, with the names of their columns. */
export function variantsOf(report: Report): readonly (readonly [name: string, variant: ReportVariant])[] {
  const { fp32, int8, mixed } = report.variants;
  return [
    ['FP32', fp32] as const,
    ['INT8', int8] as const,
    ...(mixed === undefined ? [] : [['mixed', mixed] as const]),
  ];
}

/** A layer's change of mAP, with its interval where one was made. */
export function mapChange({ mapDrop, mapDropLow = null, mapDropHigh = null }: LayerRow): string {
  if (mapDrop === null) return '–';
  return change({ drop: mapDrop, low: mapDropLow, high: mapDropHigh });
}

/** A rank, with the places that it takes on resampled images where those differ. */
export function placeOf({ rank, place }: LayerRow): string {
  return place === undefined || (place.low === rank && place.high === rank)
    ? String(rank)
    : `${rank} (${place.low}–${place.high})`;
}

/** `int8` in the plan or not, as tables show it. */
export function precisionOf({ precision }: LayerRow): string {
  return precision.toUpperCase();
}

/** Checks with those that do not hold first. */
export function sortedChecks({ checks }: Report['verdict']): Report['verdict']['checks'] {
  const order = { fail: 0, missing: 0, inconclusive: 1, pass: 2 } as const;
  return [...checks].sort((a, b) => order[a.kind] - order[b.kind]);
}

/** Questions of the audit that do not hold, failed ones first. */
export function auditChecks(audit: Report['audit']): AuditSection['checks'] {
  const of = (kind: 'fail' | 'warn'): AuditSection['checks'] =>
    (audit?.checks ?? []).filter((check) => check.kind === kind);
  return [...of('fail'), ...of('warn')];
}

export const VERDICTS = { pass: 'PASS', fail: 'FAIL', inconclusive: 'INCONCLUSIVE' } as const;

const ENGINE_NAMES = {
  fp32: 'FP32',
  fp16: 'FP16',
  int8: 'INT8',
  mixed: 'mixed',
  implicit: "TensorRT's own INT8",
} as const;

/** Real engines as the cells of a table. Times are those with a CUDA graph where the engine could be captured. */
export function engineRows({ rows }: EnginesSection): readonly {
  readonly name: string;
  readonly ap: string;
  readonly simulated: string;
  readonly ms: string;
  readonly p99: string;
  readonly speed: string;
  readonly size: string;
  readonly precisions: string;
  readonly reformats: string;
}[] {
  const ms = (row: (typeof rows)[number]): number => row.graphMedianMs ?? row.medianMs;
  const half = rows.find(({ variant }) => variant === 'fp16');
  return rows.map((row) => ({
    name: ENGINE_NAMES[row.variant],
    ap: rate(row.AP),
    simulated: row.simulatedAP === null ? '–' : rate(row.simulatedAP),
    ms: ms(row).toFixed(3),
    p99: row.p99Ms.toFixed(3),
    speed: half === undefined ? '–' : `${(ms(half) / ms(row)).toFixed(2)}×`,
    size: mebibytes(row.engineBytes),
    precisions: row.layers === null ? '–' : `${row.layers.int8} / ${row.layers.fp16} / ${row.layers.fp32}`,
    reformats:
      row.layers === null
        ? '–'
        : `${row.layers.reformats}${row.reformatMs === null ? '' : ` (${row.reformatMs.toFixed(2)} ms)`}`,
  }));
}
