/** What the calibration images are worth, as report.json holds it and, with a head of its own, audit.json. */
import { nullable, number, object, text, texts } from './schema-parts.js';

const imageSet = { enum: ['calibration', 'validation'] } as const;

const pairs = {
  type: 'array',
  items: object({ first: text, second: text, exact: { type: 'boolean' } }, ['first', 'second', 'exact']),
} as const;

export const auditSchema = object(
  {
    calibration: object({ source: text, images: number, calibrator: text }, [
      'source',
      'images',
      'calibrator',
    ]),
    validation: object(
      {
        source: text,
        images: number,
        /** Images on which tensors were observed, for drift and saturation. */
        observed: number,
      },
      ['source', 'images'],
    ),
    verdict: object({ kind: { enum: ['pass', 'fail'] }, why: text }, ['kind', 'why']),
    /** One question of the audit each, answered. */
    checks: {
      type: 'array',
      items: object(
        {
          /** `warn` does not fail the audit. */
          kind: { enum: ['pass', 'warn', 'fail'] },
          metric: {
            enum: [
              'images',
              'broken',
              'duplicates',
              'overlap',
              'blank',
              'coverage',
              'dominance',
              'growth',
              'saturation',
              'drift',
            ],
          },
          value: number,
          /** In words, `at most 0.1`. */
          limit: text,
          sentence: text,
          /** What to do; empty when it passes. */
          advice: text,
          /** Images concerned, worst first. */
          images: texts,
        },
        ['kind', 'metric', 'value', 'limit', 'sentence', 'advice', 'images'],
      ),
    },
    /** Images that cannot be read, and why. */
    broken: { type: 'array', items: object({ name: text, reason: text }, ['name', 'reason']) },
    /** Calibration images that look alike. */
    duplicates: pairs,
    /** A calibration image, and the validation image that looks like it. */
    overlap: pairs,
    /** Kinds of images that validation has and calibration lacks. */
    gaps: {
      type: 'array',
      items: object(
        {
          /** `brightness`, `contrast`, …, or `class`. */
          attribute: text,
          /** The kind in words, `brightness 12…48 (the lowest fifth)`. */
          kind: text,
          /** Images of the kind in each set. */
          validation: number,
          calibration: number,
          /** Some validation images of the kind. */
          examples: texts,
        },
        ['attribute', 'kind', 'validation', 'calibration'],
      ),
    },
    /** What the ranges owe to one calibration image. */
    dominating: {
      type: 'array',
      items: object(
        {
          name: text,
          /** Share of tensors whose range would fall by more than a fifth without it, 0…1. */
          tensors: number,
          /** Mean over tensors of the share of the range that would be lost. */
          loss: number,
        },
        ['name', 'tensors', 'loss'],
      ),
    },
    /** Mean over tensors of the range that so many images give, as a share of the range of all. */
    growth: { type: 'array', items: object({ images: number, range: number }, ['images', 'range']) },
    /** Images from which on nothing changed any more; null when only all give the range. */
    settledAt: nullable,
    /** Tensors by how much further they reach on validation (99.9th percentile of |x|), worst first. */
    drift: {
      type: 'array',
      items: object(
        {
          tensor: text,
          calibration: number,
          validation: number,
          ratio: number,
          /** Share of validation values beyond the calibrated range, less that of calibration. */
          saturated: number,
        },
        ['tensor', 'calibration', 'validation', 'ratio', 'saturated'],
      ),
    },
    /** Small pictures of images that are named above. */
    pictures: {
      type: 'array',
      maxItems: 64,
      items: object(
        {
          set: imageSet,
          name: text,
          /** JPEG, base64. */
          thumbnail: { type: 'string', pattern: '^[A-Za-z0-9+/]*={0,2}$', maxLength: 20_000 },
        },
        ['set', 'name', 'thumbnail'],
      ),
    },
  },
  [
    'calibration',
    'validation',
    'verdict',
    'checks',
    'broken',
    'duplicates',
    'overlap',
    'gaps',
    'dominating',
    'growth',
    'settledAt',
    'drift',
  ],
);
