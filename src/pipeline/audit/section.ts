import { basename } from 'node:path';
import {
  findCopies,
  findDominating,
  findGaps,
  findOverlap,
  judgeAudit,
  type BrokenImage,
  type ImageFeatures,
} from '../../audit/index.js';
import type { TensorStatistics } from '../../calibration/index.js';
import {
  amaxByImage,
  amaxOf,
  beyondCalibration,
  driftOf,
  expectedRange,
  growthCurve,
  shareBeyond,
  type Drift,
} from '../../diagnosis/index.js';
import type { AuditSection } from '../../report/index.js';
import { calibratorInWords, type Calibrated } from '../calibrate.js';
import { pictured } from './contact-sheet.js';
import { attributesOf, classesOf, type Seen } from './kinds.js';

/** Images named as dominating, pairs of copies. */
const NAMED = 50;
const PAIRS = 200;

/** What an audit is made from. */
export interface AuditMaterial extends Pick<Calibrated, 'bench' | 'statistics' | 'extremes' | 'ranges'> {
  /** Of the calibration images that were used, in their order, and of the validation images. */
  readonly images: readonly ImageFeatures[];
  readonly shown: readonly ImageFeatures[];
  readonly broken: readonly BrokenImage[];
  /** Tensors on validation images, and how many images those were. */
  readonly validation: ReadonlyMap<string, TensorStatistics>;
  readonly observed: number;
  readonly seen: Seen;
}

/** Judges the calibration images by everything that was seen of them, and takes small pictures of those that it names. */
export async function auditSection(material: AuditMaterial): Promise<AuditSection> {
  const { bench, extremes: byName, images, shown, broken, observed, seen } = material;
  const { settings, truth, calibrationRecords } = bench;
  const extremes = [...byName.values()];
  const reaches = driftOf(material.statistics, material.validation);
  const drift = withSaturation(reaches, material);
  const beyond = beyondCalibration(reaches);
  const [worst] = beyond;
  const [most] = [...drift].sort((a, b) => b.saturated - a.saturated);
  const amaxes = extremes.map(amaxByImage);
  const copies = findCopies(images);
  const overlap = findOverlap(images, shown);
  const gaps = findGaps(
    attributesOf(images, shown, seen),
    classesOf(seen, bench),
    shown.map(({ name }) => name),
  );
  const dominating = findDominating(
    calibrationRecords.map(({ name }) => name),
    amaxes,
  );
  const growth = growthCurve(extremes);
  const checks = judgeAudit(
    {
      images,
      broken,
      copies,
      overlap,
      gaps,
      dominating,
      growth: {
        atHalf: expectedRange(amaxes, Math.max(1, Math.floor(images.length / 2))),
        settledAt: growth.settledAt,
      },
      drift: {
        tensors: drift.length,
        beyond: beyond.length,
        worst:
          worst &&
          `${worst.name}, ${worst.validation.toPrecision(3)} against ${worst.calibration.toPrecision(3)}`,
        saturation: most?.saturated ?? 0,
        saturated: most === undefined || most.saturated === 0 ? undefined : most.tensor,
      },
      brightness: { calibration: meanOf(images), validation: meanOf(shown) },
    },
    settings.audit,
  );
  const failed = checks.filter(({ kind }) => kind === 'fail');
  const section: AuditSection = {
    calibration: {
      source: basename(settings.calibration.images),
      images: images.length,
      calibrator: calibratorInWords(settings.calibration),
    },
    validation: { source: basename(truth.source), images: truth.images.length, observed },
    verdict: {
      kind: failed.length > 0 ? 'fail' : 'pass',
      why:
        failed[0]?.sentence ??
        `The ${images.length} calibration images show what the validation images show.`,
    },
    checks: [...checks],
    broken: [...broken],
    duplicates: copies.pairs.slice(0, PAIRS),
    overlap: overlap.slice(0, PAIRS),
    gaps: [...gaps],
    dominating: dominating.slice(0, NAMED),
    growth: [...growth.points],
    settledAt: growth.settledAt ?? null,
    drift,
  };
  return { ...section, ...(settings.report.images > 0 && { pictures: await pictured(section, bench) }) };
}

/** A calibrator that clips does so on its own images too: only what lies further out is the images' fault. */
function withSaturation(
  reaches: readonly Drift[],
  { statistics, validation, ranges }: AuditMaterial,
): AuditSection['drift'] {
  return reaches.map(({ name, ...reach }) => {
    const amax = ranges.get(name)?.amax;
    const beyond = (set: ReadonlyMap<string, TensorStatistics>): number => {
      const one = set.get(name);
      return amax === undefined || one === undefined || amaxOf(one) === 0 ? 0 : shareBeyond(one, amax);
    };
    return { tensor: name, ...reach, saturated: Math.max(0, beyond(validation) - beyond(statistics)) };
  });
}

function meanOf(images: readonly ImageFeatures[]): number {
  return images.reduce((sum, { brightness }) => sum + brightness, 0) / Math.max(1, images.length);
}
