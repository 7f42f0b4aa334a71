/** Parts of the report that speak of the base: what a pull request is compared with, and what it may not loosen. */

import { nullable, number, object, text, texts } from './schema-parts.js';

/** A number in the base and in the head; null where one has none. */
const pair = { type: 'array', items: nullable, minItems: 2, maxItems: 2 } as const;
const precision = { enum: ['int8', 'fp16', 'fp32'] } as const;
const accuracy = object({ AP: number, AP50: number }, ['AP', 'AP50']);

/** Base minus head of the judged variant: above 0 the head is worse. Limits of the interval are null without detections of the base on the same images. */
const drop = object({ drop: number, low: nullable, high: nullable }, ['drop', 'low', 'high']);

/** How a layer differs from the base. */
export const layerChangeSchema = object(
  {
    kind: { enum: ['added', 'removed', 'changed', 'renamed'] },
    /** In the head; of a removed layer, in the base. */
    name: text,
    /** Name in the base, where it is another. */
    before: text,
    opType: text,
    /** Places in the two rankings, 1 the most sensitive. */
    rank: pair,
    /** dB with this layer alone in INT8. */
    sqnr: pair,
    precision: object({ base: precision, head: precision }, []),
    /** Head over base, of the input whose range moved most. */
    range: number,
    /** The same of its scale. */
    scale: number,
    /** In words, when known. */
    cause: text,
  },
  ['kind', 'name', 'opType', 'rank', 'sqnr', 'precision'],
);

/** What the head is compared with. */
export const baseSchema = object(
  {
    /** `report`: a report that was handed over; `cache`: one kept from an earlier run; `computed`: measured in this run. */
    source: { enum: ['report', 'cache', 'computed'] },
    /** The report's file, or the git ref, as it was named. */
    where: text,
    commit: text,
    createdAt: text,
    /** The variant that both were judged by. */
    candidate: { enum: ['mixed', 'int8'] },
    variants: object({ fp32: accuracy, int8: accuracy, mixed: accuracy }, ['fp32', 'int8']),
    drop,
    drop50: drop,
    /** Why there is no interval. */
    noInterval: text,
    layers: { type: 'array', items: layerChangeSchema },
    /** Layers in another precision than in the base's judged plan, by their names in the head; absent when there are none. */
    moved: object(
      {
        /** In float now: in INT8 in the base, or not in its network. */
        toFloat: texts,
        /** In INT8 now, in float in the base. */
        toInt8: texts,
      },
      ['toFloat', 'toInt8'],
    ),
    /** Known causes that are of no single layer, e.g. other calibration images. */
    causes: { type: 'array', items: text },
    /** The comparison in one sentence. */
    sentence: text,
  },
  ['source', 'where', 'createdAt', 'candidate', 'variants', 'layers', 'causes', 'sentence'],
);

/** A drop that somebody allowed for a while; only those that were used. */
export const waiversSchema = {
  type: 'array',
  items: object(
    {
      metric: text,
      /** The class. */
      subject: text,
      /** In the units of the metric (0.01 = one point). */
      allowedDrop: number,
      /** The drop that it let pass. */
      drop: number,
      reason: text,
      owner: text,
      /** Last day, YYYY-MM-DD. */
      expires: text,
    },
    ['metric', 'allowedDrop', 'drop', 'reason', 'owner', 'expires'],
  ),
} as const;

/** Settings that the head changes, and whose word counted. */
export const settingsChangesSchema = {
  type: 'array',
  items: object(
    {
      /** E.g. `gate.thresholds.mAP50-95.maxDrop`. */
      path: text,
      /** As JSON; null where the key is missing. */
      base: { type: ['string', 'null'] },
      head: { type: ['string', 'null'] },
      judgedBy: { enum: ['base', 'head'] },
    },
    ['path', 'base', 'head', 'judgedBy'],
  ),
} as const;

/** mAP50-95 of earlier runs on the default branch, oldest first. */
export const historySchema = {
  type: 'array',
  items: object({ createdAt: text, commit: text, fp32: number, int8: number, mixed: nullable }, [
    'createdAt',
    'fp32',
    'int8',
    'mixed',
  ]),
} as const;
