/** The head held against its base. */
import type { DetectionTable } from '../dataset/index.js';
import { evaluateCoco, type BootstrapResult, type CocoStats } from '../evaluation/index.js';
import type { BaseAtHand, Candidate, Waivers } from '../gate/index.js';
import type { Report } from '../report/index.js';
import type { FoundBase } from './base.js';
import { dropBetween } from './measure.js';
import type { Bench } from './prepare.js';

/** By what a head is judged besides its thresholds. */
export interface Against {
  readonly waivers: Waivers;
  /** Undefined where nobody named one. */
  readonly base: ComparedBase | undefined;
}

/** A base with what of it can be compared. */
export type ComparedBase =
  | Exclude<FoundBase, { readonly kind: 'measured' }>
  | {
      readonly kind: 'measured';
      readonly found: Extract<FoundBase, { readonly kind: 'measured' }>;
      readonly numbers: Candidate;
      /** Of the judged variant, on the head's images. */
      readonly detections: DetectionTable | undefined;
      /** Why accuracy cannot be compared. */
      readonly incomparable: string | undefined;
    };

/** Prepares a base: what can be compared with this bench, and why not the rest. */
export function compareBase(bench: Bench, found: FoundBase | undefined): ComparedBase | undefined {
  if (found?.kind !== 'measured') return found;
  const { report, detections: kept } = found.kept;
  const detections = kept?.validation === bench.digests.validation ? kept.detections : undefined;
  return {
    kind: 'measured',
    found,
    numbers: detections === undefined ? reportedNumbers(report) : evaluatedNumbers(bench, report, detections),
    detections,
    incomparable: otherSet(bench, report) ?? otherEngine(bench, report),
  };
}

function otherSet({ digests, truth }: Bench, { data }: Report): string | undefined {
  const { digest, images } = data.validation;
  if (digest === undefined)
    return 'its report does not tell its validation set (it is of an older int8-gate)';
  if (digest === digests.validation) return undefined;
  return `it was measured on another validation set (${images} images, here ${truth.images.length})`;
}

function otherEngine({ settings }: Bench, { engines }: Report): string | undefined {
  const real = settings.engine.name === 'tensorrt';
  if (real === (engines !== undefined)) return undefined;
  return real
    ? 'it was simulated, and the head runs on a GPU'
    : 'it was measured on a GPU, and the head is simulated';
}

function variantOf({ variants, verdict }: Report): Report['variants']['int8'] {
  return verdict.candidate === 'mixed' ? (variants.mixed ?? variants.int8) : variants.int8;
}

function reportedNumbers(report: Report): Candidate {
  const { stats, perClass, floatLayers, weightBytes } = variantOf(report);
  const engine = report.engines?.rows.find(({ variant }) => variant === report.verdict.candidate);
  return {
    ...unmeasured(weightBytes, floatLayers),
    stats: engine === undefined ? stats : { ...nothing, AP: engine.AP, AP50: engine.AP50 },
    perClass: engine === undefined ? perClass.map((one, category) => ({ ...one, category })) : [],
  };
}

/** Kept detections are evaluated anew: numbers that a file merely claims do not count. */
function evaluatedNumbers(bench: Bench, report: Report, detections: DetectionTable): Candidate {
  const { stats, perClass } = evaluateCoco(bench.truth, detections);
  const { weightBytes, floatLayers } = variantOf(report);
  return { ...unmeasured(weightBytes, floatLayers), stats, perClass };
}

const nothing: CocoStats = {
  AP: NaN,
  AP50: NaN,
  AP75: NaN,
  APs: NaN,
  APm: NaN,
  APl: NaN,
  AR1: NaN,
  AR10: NaN,
  AR100: NaN,
  ARs: NaN,
  ARm: NaN,
  ARl: NaN,
};

function unmeasured(
  weightBytes: number,
  floatLayers: number | undefined,
): Omit<Candidate, 'stats' | 'perClass'> {
  return {
    distances: undefined,
    sqnr: undefined,
    modelSizeMiB: weightBytes / 2 ** 20,
    latencyMs: undefined,
    floatLayers,
  };
}

/** What the gate needs to hold a variant of the head against the base. */
export function atHand(bench: Bench, head: DetectionTable): BaseAtHand | undefined {
  const base = bench.against?.base;
  if (base?.kind !== 'measured') return base;
  const { numbers, incomparable, found } = base;
  return {
    kind: 'measured',
    reference: numbers,
    intervals: dropBelowBase(bench, head),
    floatLayers: numbers.floatLayers,
    images: found.images,
    incomparable,
  };
}

/** Base minus head on the same resamples; undefined without detections of the base on these images. */
export function dropBelowBase(bench: Bench, head: DetectionTable): BootstrapResult | undefined {
  const base = bench.against?.base;
  if (base?.kind !== 'measured' || base.detections === undefined || base.incomparable !== undefined)
    return undefined;
  return dropBetween(bench, base.detections, head, bench.settings.gate.thresholds.base?.classAP);
}
