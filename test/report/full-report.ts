import { readFileSync } from 'node:fs';
import type { AuditSection, Report } from '../../src/report/index.js';

/** The committed sample: a report as a run without pictures gives it. */
export const sample = JSON.parse(readFileSync('test/report/golden/report.json', 'utf8')) as Report;

/** A report with every section that a page draws, `layers` layers, and `name` in every place where users name things. */
export function fullReport({
  layers = 6,
  name = (i) => `/model.${i}/conv/Conv`,
}: { readonly layers?: number; readonly name?: (i: number) => string } = {}): Report {
  const [row] = sample.sensitivity!.layers;
  const numbers = (count: number, of: (i: number) => number): number[] =>
    Array.from({ length: count }, (_, i) => of(i));
  const variants = ['fp32', 'int8', 'mixed'] as const;
  const box = { class: name(0), box: [4, 8, 20, 10], score: 0.9 };
  return {
    ...sample,
    model: { ...sample.model, file: name(1), inputs: [name(2)] },
    sensitivity: {
      images: 32,
      layers: Array.from({ length: layers }, (_, i) => ({
        ...row!,
        rank: i + 1,
        name: name(i),
        depth: (i * 7) % layers,
        sqnr: 10 + (60 * i) / layers,
        precision: i < 2 ? ('fp16' as const) : ('int8' as const),
        cause: i === 0 ? name(3) : undefined,
      })) as NonNullable<Report['sensitivity']>['layers'],
    },
    search: [
      { floatLayers: 0, passes: false, score: 0.1, cost: 0, pareto: true },
      { floatLayers: 2, passes: true, score: 0.5, cost: 0.1, kept: [name(0)], pareto: true },
    ],
    plan: {
      source: 'found',
      cost: 0.1,
      int8Share: 0.9,
      reformats: 4,
      latencyMs: null,
      costBy: 'macs',
      layers: [{ name: name(0), precision: 'fp16', macShare: 0.1, why: name(4) }],
      alternatives: [],
      blame: [],
    },
    base: {
      source: 'report',
      where: name(5),
      createdAt: '2026-10-01T00:00:00.000Z',
      candidate: 'mixed',
      variants: { fp32: { AP: 0.5, AP50: 0.7 }, int8: { AP: 0.4, AP50: 0.6 } },
      layers: [
        {
          kind: 'changed',
          name: name(0),
          opType: 'Conv',
          rank: [3, 1],
          sqnr: [40, 10],
          precision: { base: 'int8', head: 'fp16' },
        },
      ],
      causes: [name(6)],
      sentence: 'The INT8 engine fell by 0.010 against the base.',
    },
    settingsChanges: [
      { path: 'gate.thresholds.mAP50-95.maxDrop', base: '0.02', head: '0.5', judgedBy: 'base' },
    ],
    waivers: [
      {
        metric: 'mAP50-95',
        allowedDrop: 0.05,
        drop: 0.03,
        reason: name(7),
        owner: name(8),
        expires: '2026-12-31',
      },
    ],
    history: [1, 2, 3].map((day) => ({
      createdAt: `2026-10-0${day}T00:00:00.000Z`,
      fp32: 0.5,
      int8: 0.4 + day / 100,
      mixed: null,
    })),
    curves: variants.flatMap((variant, v) => [
      { variant, iou: 0.5, precision: numbers(101, (i) => Math.max(0, 1 - (i * (v + 1)) / 150)) },
      {
        variant,
        iou: 0.5,
        class: name(0),
        precision: numbers(101, (i) => Math.max(0, 1 - (i * (v + 1)) / 120)),
      },
    ]),
    distributions: {
      scoreEdges: numbers(21, (i) => i / 20),
      sizeEdges: numbers(25, (i) => 2 ** (i / 2)),
      variants: variants.map((variant, v) => ({
        variant,
        scores: numbers(20, (i) => 400 - 20 * i + 30 * v),
        sizes: numbers(24, (i) => (i > 6 && i < 15 ? 10 * i + v : 0)),
      })),
    },
    histograms: Array.from({ length: layers }, (_, i) => ({
      tensor: `${name(i)}_input`,
      layers: [name(i)],
      elements: 1e6,
      zeros: 1000,
      min: -0.28,
      max: 6,
      binWidth: 0.1,
      counts: numbers(60, (bin) => Math.floor(1e5 / (1 + bin) ** 2)),
      amax: 7.5,
      sqnr: 20 + i / 100,
      clips: ['minmax', 'percentile 99.999', 'entropy'].map((calibrator, k) => ({
        calibrator,
        amax: 6 - k,
        sqnr: 24 + k,
      })),
    })),
    audit: auditOf(name),
    worstImages: {
      affected: 3,
      score: 0.25,
      images: [
        {
          name: name(9),
          width: 64,
          height: 48,
          objects: 1,
          lost: 1,
          added: 0,
          truth: [box],
          fp32: [box],
          int8: [],
          thumbnail: JPEG,
        },
      ],
    },
  };
}

/** An audit in which every kind of image is found. */
function auditOf(name: (i: number) => string): AuditSection {
  const pictured = (set: 'calibration' | 'validation', i: number) => ({
    set,
    name: name(i),
    thumbnail: JPEG,
  });
  return {
    calibration: { source: name(20), images: 64, calibrator: 'percentile 99.999' },
    validation: { source: name(21), images: 100, observed: 32 },
    verdict: { kind: 'fail', why: `3 of 64 calibration images are like ${name(22)}.` },
    checks: [
      {
        kind: 'pass',
        metric: 'images',
        value: 64,
        limit: 'at least 32',
        sentence: '64 different images can be calibrated on.',
        advice: '',
        images: [],
      },
      {
        kind: 'fail',
        metric: 'overlap',
        value: 0.02,
        limit: 'at most 0',
        sentence: `1 calibration image, ${name(24)}, is in the validation set too.`,
        advice: 'Take it out of the calibration images.',
        images: [name(24)],
      },
      {
        kind: 'warn',
        metric: 'blank',
        value: 1,
        limit: 'none',
        sentence: '1 image is blank: one colour without anything in it.',
        advice: 'Drop it.',
        images: [name(27)],
      },
    ],
    broken: [],
    duplicates: [{ first: name(23), second: name(25), exact: true }],
    overlap: [{ first: name(24), second: name(26), exact: false }],
    gaps: [
      {
        attribute: 'class',
        kind: `class ${name(28)}`,
        validation: 30,
        calibration: 0,
        examples: [name(29), name(30)],
      },
    ],
    dominating: [{ name: name(23), tensors: 0.4, loss: 0.1 }],
    growth: [1, 2, 4, 8, 16, 32, 64].map((images) => ({ images, range: 1 - 0.5 / images })),
    settledAt: 32,
    drift: [{ tensor: name(31), calibration: 0.5, validation: 0.9, ratio: 1.8, saturated: 0.04 }],
    pictures: [pictured('calibration', 23), pictured('validation', 29), pictured('calibration', 24)],
  };
}

/** One grey pixel. */
const JPEG =
  '/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAAMCAgICAgMCAgIDAwMDBAYEBAQEBAgGBgUGCQgKCgkICQkKDA8MCgsOCwkJDRENDg8QEBEQCgwSExIQEw8QEBD/yQALCAABAAEBAREA/8wABgAQEAX/2gAIAQEAAD8A0s8g/9k=';
