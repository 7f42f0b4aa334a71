import { loadDetections, loadGroundTruth, type GroundTruth } from '../dataset/index.js';
import {
  evaluateCoco,
  evaluateVoc,
  type CocoEvaluation,
  type CocoStats,
  type VocMetric,
} from '../evaluation/index.js';
import { terminalText } from '../report/index.js';

/** How files are evaluated. */
export interface FileOptions {
  readonly metric: 'coco' | VocMetric;
  /** Whether annotation ids that pycocotools stumbles over are read as it reads them. */
  readonly ids: 'distinct' | 'pycocotools';
}

/** What went into the numbers, and what did not. */
export interface Counted {
  readonly images: number;
  /** Boxes of the annotation file. */
  readonly boxes: number;
  /** Of those, boxes that can be found: no crowds, not marked to be ignored. */
  readonly countingBoxes: number;
  readonly detections: number;
  /** Detections that had no part, by reason; 0 is said too. */
  readonly leftOut: readonly { readonly what: string; readonly count: number }[];
  readonly notes: readonly string[];
}

/** A class and its 12 numbers. */
export interface ClassStats extends CocoStats {
  /** Id in the annotation file. */
  readonly id: number;
  readonly name: string;
  readonly boxes: number;
}

/** COCO's numbers, under the names that pycocotools' users know; -1 where nothing was there to measure. */
export interface CocoFileEvaluation extends CocoStats {
  readonly metric: 'coco';
  readonly perIou: readonly { readonly iou: number; readonly AP: number; readonly AR: number }[];
  readonly perClass: readonly ClassStats[];
  readonly counted: Counted;
}

/** Pascal VOC's numbers; -1 where nothing was there to measure. */
export interface VocFileEvaluation {
  readonly metric: VocMetric;
  readonly iou: number;
  readonly mAP: number;
  readonly perClass: readonly {
    readonly id: number;
    readonly name: string;
    readonly AP: number;
    readonly boxes: number;
    readonly detections: number;
  }[];
  readonly counted: Counted;
}

export type FileEvaluation = CocoFileEvaluation | VocFileEvaluation;

/**
 * Evaluates a COCO results file against an annotation file; no model, no images.
 * @throws InputFault naming the record's index and key of every mistake
 */
export async function evaluateFiles(
  groundTruth: string,
  detections: string,
  { metric, ids }: FileOptions,
): Promise<FileEvaluation> {
  const truth = await loadGroundTruth({
    format: 'coco',
    annotations: groundTruth,
    boxesOnly: true,
    repeatedIds: ids === 'pycocotools' ? 'last' : 'refuse',
  });
  const found = await loadDetections(detections, truth);
  if (metric === 'coco') return cocoOf(truth, evaluateCoco(truth, found, { ids }), found.count, ids);
  const { perClass, ...rest } = evaluateVoc(truth, found, metric);
  return {
    ...rest,
    perClass: perClass.map(({ category, ...one }) => ({ id: idOf(truth, category), ...one })),
    counted: countedOf(truth, found.count, sum(perClass.map(({ boxes }) => boxes)), [
      unjudged(sum(perClass.map((one) => (one.boxes === 0 ? one.detections : 0)))),
    ]),
  };
}

function cocoOf(
  truth: GroundTruth,
  evaluation: CocoEvaluation,
  detections: number,
  ids: FileOptions['ids'],
): CocoFileEvaluation {
  const { stats, perClass, dropped } = evaluation;
  const beyond = { what: 'beyond the 100 strongest of their class and image', count: dropped };
  const boxes = sum(perClass.map((one) => one.boxes));
  const left = [beyond, unjudged(evaluation.unjudged)];
  return {
    metric: 'coco',
    ...stats,
    perIou: evaluation.perIou(),
    perClass: perClass.map(({ category, name, boxes: count }) => ({
      id: idOf(truth, category),
      name,
      boxes: count,
      ...evaluation.statsOf(category),
    })),
    counted: countedOf(truth, detections, boxes, left, zeroIdNote(truth, ids)),
  };
}

function unjudged(count: number): Counted['leftOut'][number] {
  return { what: 'of classes without a box that counts', count };
}

function countedOf(
  truth: GroundTruth,
  detections: number,
  countingBoxes: number,
  leftOut: Counted['leftOut'],
  notes: readonly string[] = [],
): Counted {
  return {
    images: truth.images.length,
    boxes: truth.annotations.count,
    countingBoxes,
    detections,
    leftOut,
    notes: [...notes, ...truth.skipped.map(({ what, count }) => `${count} ${what}`)],
  };
}

function zeroIdNote({ annotations }: GroundTruth, ids: FileOptions['ids']): string[] {
  if (!annotations.id.includes(0)) return [];
  return [
    ids === 'distinct'
      ? 'An annotation has the id 0. Here it counts as any other; pycocotools takes the detection that finds it for a false one (--ids pycocotools gives its numbers).'
      : 'An annotation has the id 0: as in pycocotools, the detection that finds it counts as a false one.',
  ];
}

function idOf({ categories }: GroundTruth, category: number): number {
  return categories[category]?.id ?? category;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

const LINES: readonly (readonly [keyof CocoStats, string])[] = [
  ['AP', 'mAP50-95'],
  ['AP50', 'mAP50'],
  ['AP75', 'mAP75'],
  ['APs', 'AP small'],
  ['APm', 'AP medium'],
  ['APl', 'AP large'],
  ['AR1', 'AR at 1'],
  ['AR10', 'AR at 10'],
  ['AR100', 'AR at 100'],
  ['ARs', 'AR small'],
  ['ARm', 'AR medium'],
  ['ARl', 'AR large'],
];

/** The twelve numbers, one a line. */
export function formatStats(stats: CocoStats): string {
  return LINES.map(([key, name]) => `${key.padEnd(6)} ${figure(stats[key])}  ${name}`).join('\n');
}

/** The numbers, the classes, and what was counted. */
export function formatEvaluation(evaluation: FileEvaluation): string {
  const head =
    evaluation.metric === 'coco'
      ? formatStats(evaluation)
      : `mAP    ${figure(evaluation.mAP)}  ${VOC_NAMES[evaluation.metric]}, IoU above ${evaluation.iou}`;
  const rows =
    evaluation.metric === 'coco'
      ? evaluation.perClass.map(({ name, boxes, AP, AP50, AR100 }) => ({
          name,
          boxes,
          of: [AP, AP50, AR100],
        }))
      : evaluation.perClass.map(({ name, boxes, AP }) => ({ name, boxes, of: [AP] }));
  const titles = evaluation.metric === 'coco' ? ['AP', 'AP50', 'AR100'] : ['AP'];
  const names = rows.map(({ name }) => terminalText(name));
  const width = Math.max(5, ...names.map((name) => name.length));
  const table = [
    `${'class'.padEnd(width)}  ${'boxes'.padStart(7)}${titles.map((title) => title.padStart(9)).join('')}`,
    ...rows.map(
      ({ boxes, of }, i) =>
        `${names[i]?.padEnd(width) ?? ''}  ${String(boxes).padStart(7)}${of.map((value) => `  ${figure(value)}`).join('')}`,
    ),
  ];
  return [head, '', ...table, '', ...formatCounted(evaluation.counted)].join('\n');
}

const VOC_NAMES = { voc07: 'Pascal VOC, 11 points', voc: 'Pascal VOC, all points' } as const;

function formatCounted({ images, boxes, countingBoxes, detections, leftOut, notes }: Counted): string[] {
  return [
    `${images} images; ${boxes} boxes, ${countingBoxes} of which count; ${detections} detections`,
    ...leftOut.filter(({ count }) => count > 0).map(({ what, count }) => `left out: ${count} ${what}`),
    ...notes.map(terminalText),
  ];
}

function figure(value: number): string {
  return (value < 0 ? 'n/a' : value.toFixed(4)).padStart(7);
}
