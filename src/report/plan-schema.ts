/** The plan that is judged, where it came from, and every plan that was tried: what a curve of accuracy against cost is drawn from. */

import { flag, nullable, number, object, text, texts } from './schema-parts.js';

/** What a plan costs. All shares 0…1. */
const price = {
  /** What plans are ordered by: share of the work (`plan.costBy` says of what) that INT8 would have done faster; 0 = all in INT8. */
  cost: number,
  /** Share of the multiply-accumulates that run in INT8. */
  int8Share: number,
  /** Tensors converted between INT8 and float. */
  reformats: number,
  /** Milliseconds of one image by the profile; null without one. */
  latencyMs: nullable,
} as const;

/** A plan that was tried, in the order of trying. */
export const searchPoints = {
  type: 'array',
  items: object(
    {
      /** Layers kept float beside those that the start keeps. */
      floatLayers: number,
      passes: flag,
      /** mAP50-95 on `images`. */
      score: number,
      ...price,
      /** Names of those layers. */
      kept: texts,
      /** Layers in INT8 with another calibrator than the settings'. */
      recalibrated: texts,
      /** True when measured on the whole validation set; only such points can pass. */
      full: flag,
      images: number,
      verdict: { enum: ['pass', 'fail', 'inconclusive'] },
      /** mAP50-95 of FP32 minus this, with its interval. */
      drop: nullable,
      low: nullable,
      high: nullable,
      /** dB of the head's tensors on the subset against FP32; null when equal or not finite. */
      sqnr: nullable,
      /** True when no other point of the whole set is both cheaper and better. */
      pareto: flag,
    },
    ['floatLayers', 'passes', 'score'],
  ),
} as const;

const alternative = object(
  {
    ...price,
    passes: flag,
    score: number,
    drop: nullable,
    low: nullable,
    high: nullable,
    kept: texts,
    recalibrated: texts,
    why: text,
  },
  [
    'cost',
    'int8Share',
    'reformats',
    'latencyMs',
    'passes',
    'score',
    'drop',
    'low',
    'high',
    'kept',
    'recalibrated',
    'why',
  ],
);

/** The judged plan. */
export const planSection = object(
  {
    /** `default`: by rule; `found`: by search; `committed`: a file that the settings name. */
    source: { enum: ['default', 'found', 'committed'] },
    /** Base name of the committed file. */
    file: text,
    ...price,
    /** `macs`: share of multiply-accumulates; `latency`: share of what INT8 saves by a profile of a GPU. */
    costBy: { enum: ['macs', 'latency'] },
    /** Every layer that is not in INT8 with the calibrator of the settings, worst first. */
    layers: {
      type: 'array',
      items: object(
        {
          name: text,
          precision: { enum: ['int8', 'fp16', 'fp32'] },
          calibrator: text,
          macShare: nullable,
          why: text,
        },
        ['name', 'precision', 'macShare', 'why'],
      ),
    },
    /** What the search did; absent when nothing was searched. */
    search: object(
      {
        passes: flag,
        /** Why it ended: nothing cheaper is left, no plan passes, or a budget. */
        ended: { enum: ['cheapest', 'none-passes', 'minutes', 'float-layers', 'int8-share'] },
        fullEvaluations: number,
        subsetEvaluations: number,
        /** Taken from the cache of an earlier run. */
        cachedEvaluations: number,
        subsetImages: number,
        seconds: number,
      },
      [
        'passes',
        'ended',
        'fullEvaluations',
        'subsetEvaluations',
        'cachedEvaluations',
        'subsetImages',
        'seconds',
      ],
    ),
    /** Measured with what its FP16 layers read, write and hold rounded to FP16; sums stay FP32. */
    half: object({ layers: number, score: number, drop: nullable }, ['layers', 'score', 'drop']),
    /** The next best plans, cheapest first; at most two. */
    alternatives: { type: 'array', items: alternative },
    /** When no plan passes: the layers that cost most, worst first. */
    blame: texts,
    /** Why a committed plan no longer fits; absent when it does. */
    stale: object(
      {
        /** Layers of the plan that the network lacks. */
        gone: texts,
        /** Layers of the network that the plan does not know. */
        fresh: texts,
        /** Layers that have another name now. */
        renamed: { type: 'array', items: object({ from: text, to: text }, ['from', 'to']) },
        /** Calibrators: the plan's, and the settings'. */
        calibrator: object({ from: text, to: text }, ['from', 'to']),
        sentence: text,
      },
      ['gone', 'fresh', 'renamed', 'sentence'],
    ),
  },
  ['source', 'cost', 'int8Share', 'reformats', 'latencyMs', 'costBy', 'layers', 'alternatives', 'blame'],
);
