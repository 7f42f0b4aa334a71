import type { LayerRow, Report } from './types.js';

/** Below these a layer stayed as it was. */
export const STAYED = {
  /** dB of SQNR. */
  decibels: 1,
  /** Factor of a range or scale. */
  factor: 1.1,
} as const;

/** Whether a factor of ranges or scales is worth telling. */
export function factorMoved(factor: number | undefined): factor is number {
  return factor !== undefined && Math.max(factor, 1 / factor) >= STAYED.factor;
}

/** A layer of the base and the same of the head. */
export type Pair = readonly [base: LayerRow, head: LayerRow];

/** What is known to be other in the head, from which changes of layers are explained. */
export interface Known {
  /** For a person, one a change. */
  readonly sentences: readonly string[];
  /** Calibration images, calibrator, preprocessing: what moves ranges everywhere. */
  readonly everywhere: readonly string[];
  /** Depth of the first layer whose weights or structure are others; Infinity when there is none. */
  readonly firstChanged: number;
}

/** Finds what differs between two reports besides their results. */
export function causesOf(base: Report, head: Report, pairs: readonly Pair[]): Known {
  const calibration = calibrationChange(base, head);
  const everywhere = [calibration, calibratorChange(base, head), preprocessingChange(base, head)].filter(
    (one) => one !== undefined,
  );
  const changed = pairs.filter(([a, b]) => weightsChanged(a, b) || structureChanged(a, b));
  const added = (head.sensitivity?.layers ?? []).filter((one) => !pairs.some(([, b]) => b === one));
  const weights = pairs.filter(([a, b]) => weightsChanged(a, b)).length;
  return {
    sentences: [
      ...everywhere,
      ...(weights === 0 ? [] : [`weights changed in ${weights} of ${pairs.length} layers`]),
      ...(base.model.structure === head.model.structure ? [] : ['the network has another structure']),
      ...versionChange(base, head),
    ],
    everywhere,
    firstChanged: Math.min(...changed.map(([, b]) => b.depth), ...added.map(({ depth }) => depth)),
  };
}

/**
 * Why a layer is not as it was: what is other in itself, then what moves ranges everywhere, then what lies before it,
 * then what the report says of it. More than one cause is told as such: they cannot be told apart from two reports.
 * @param range - head over base, of its input
 */
export function causeOfLayer(
  a: LayerRow,
  b: LayerRow,
  range: number | undefined,
  known: Known,
): string | undefined {
  const causes = [
    ...(structureChanged(a, b) ? ['its structure changed'] : []),
    ...(weightsChanged(a, b) ? ['its weights changed'] : []),
    ...known.everywhere,
    ...(known.firstChanged < b.depth && !weightsChanged(a, b) ? ['layers before it changed'] : []),
  ];
  const moved = factorMoved(range) ? [rangeWords(b, range)] : [];
  if (causes.length > 0) return [causes.join(' and '), ...moved].join(', ');
  if (a.precision !== b.precision && !factorMoved(range) && a.sqnr === b.sqnr) return undefined;
  return [...moved, ...(b.cause === undefined ? [] : [b.cause])].join(', ') || undefined;
}

function rangeWords({ name, reads }: LayerRow, factor: number): string {
  const of = (reads?.length ?? 0) > 1 ? `a range that \`${name}\` reads` : `range of \`${name}\``;
  return `${of} ${factor > 1 ? `grew ${factor.toFixed(1)}×` : `shrank to 1/${(1 / factor).toFixed(1)}`}`;
}

function weightsChanged(a: LayerRow, b: LayerRow): boolean {
  return a.weights !== undefined && b.weights !== undefined && a.weights !== b.weights;
}

/** Paired by name alone. */
function structureChanged(a: LayerRow, b: LayerRow): boolean {
  return a.structure !== undefined && b.structure !== undefined && a.structure !== b.structure;
}

function calibrationChange({ data: a }: Report, { data: b }: Report): string | undefined {
  const [before, now] = [a.calibration, b.calibration];
  if (before.digests === undefined || now.digests === undefined)
    return before.images === now.images
      ? undefined
      : `calibration set changed: ${before.images} → ${now.images} images`;
  const fresh = without(now.digests, before.digests);
  const gone = without(before.digests, now.digests);
  if (fresh + gone === 0) return undefined;
  const words = [fresh > 0 && `${images(fresh)} new`, gone > 0 && `${images(gone)} gone`].filter(Boolean);
  return `calibration set changed: ${words.join(', ')}`;
}

function images(count: number): string {
  return `${count} image${count === 1 ? '' : 's'}`;
}

/** How many of `list` are not in `other`; an image that is there twice counts twice. */
function without(list: readonly string[], other: readonly string[]): number {
  const left = new Map<string, number>();
  for (const one of other) left.set(one, (left.get(one) ?? 0) + 1);
  return list.filter((one) => {
    const count = left.get(one) ?? 0;
    left.set(one, count - 1);
    return count <= 0;
  }).length;
}

function calibratorChange({ data: a }: Report, { data: b }: Report): string | undefined {
  const [before, now] = [a.calibration.calibrator, b.calibration.calibrator];
  return before === now ? undefined : `calibrator changed: ${before} → ${now}`;
}

function preprocessingChange(
  { preprocessing: { spec: a } }: Report,
  { preprocessing: { spec: b } }: Report,
): string | undefined {
  const show = (value: unknown): string => JSON.stringify(value) ?? 'missing';
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(
    (key) => show(a[key]) !== show(b[key]),
  );
  if (keys.length === 0) return undefined;
  return `preprocessing changed: ${keys.map((key) => `${key} ${show(a[key])} → ${show(b[key])}`).join(', ')}`;
}

function versionChange(base: Report, head: Report): readonly string[] {
  const one = (what: string, a: string, b: string): string[] => (a === b ? [] : [`${what}: ${a} → ${b}`]);
  return [
    ...one('int8-gate', base.tool.version, head.tool.version),
    ...one(
      'engine',
      `${base.engine.name} ${base.engine.version}`,
      `${head.engine.name} ${head.engine.version}`,
    ),
  ];
}
