/** The part of the settings schema that says what passes. */

export const fraction = (description: string) =>
  ({ type: 'number', minimum: 0, maximum: 1, description }) as const;
export const positive = (description: string) =>
  ({ type: 'number', exclusiveMinimum: 0, description }) as const;

const accuracy = (what: string) =>
  ({
    type: 'object',
    description: `Limits on ${what}.`,
    additionalProperties: false,
    minProperties: 1,
    properties: {
      min: fraction(`Smallest ${what} that passes, 0…1.`),
      maxDrop: fraction(
        `Largest fall of ${what} below FP32 that passes, in the same units (0.01 = one point).`,
      ),
      maxDropRelative: fraction(`Largest fall of ${what} below FP32 that passes, as a share of FP32's.`),
    },
  }) as const;

const drops = (what: string) =>
  ({
    type: 'object',
    description: `Limits on the fall of ${what} below the base.`,
    additionalProperties: false,
    minProperties: 1,
    properties: {
      maxDrop: fraction(`Largest fall of ${what} below the base that passes, in the same units.`),
      maxDropRelative: fraction(
        `Largest fall of ${what} below the base that passes, as a share of the base's.`,
      ),
    },
  }) as const;

const limits = <const K extends 'min' | 'max'>(what: string, unit: string, side: K) =>
  ({
    type: 'object',
    description: `Limit on ${what}.`,
    additionalProperties: false,
    required: [side],
    properties: {
      [side]: {
        type: 'number',
        description: `${side === 'min' ? 'Smallest' : 'Largest'} ${what} that passes${unit}.`,
      },
    } as Record<K, { readonly type: 'number'; readonly description: string }>,
  }) as const;

/** Limits of the gate. */
export const thresholdsSchema = {
  type: 'object',
  description: 'At least one limit. A metric that is missing or not a number fails.',
  additionalProperties: false,
  minProperties: 1,
  properties: {
    'mAP50-95': accuracy('mAP50-95'),
    mAP50: accuracy('mAP50'),
    AR100: accuracy('AR100'),
    classAP: {
      type: 'object',
      description:
        'Limits on AP50-95 of every class. With several classes, one fails only when the interval that holds for all of them at once, at `gate.confidence`, lies beyond the limit; to pass, its own interval is enough.',
      additionalProperties: false,
      // `minBoxes` alone limits nothing, and a section that judges nothing must not look like a gate.
      anyOf: [{ required: ['min'] }, { required: ['maxDrop'] }, { required: ['maxDropRelative'] }],
      properties: {
        ...accuracy('AP of a class').properties,
        minBoxes: {
          type: 'integer',
          minimum: 1,
          default: 20,
          description: 'Classes with fewer boxes are not judged.',
        },
      },
    },
    base: {
      type: 'object',
      description:
        'Limits on what the judged engine may lose against that of the base (`--base`, `--base-ref`).',
      additionalProperties: false,
      minProperties: 1,
      properties: {
        'mAP50-95': drops('mAP50-95'),
        mAP50: drops('mAP50'),
        AR100: drops('AR100'),
        classAP: {
          type: 'object',
          description: 'Limits on the fall of AP50-95 of every class below the base.',
          additionalProperties: false,
          anyOf: [{ required: ['maxDrop'] }, { required: ['maxDropRelative'] }],
          properties: {
            ...drops('AP of a class').properties,
            minBoxes: {
              type: 'integer',
              minimum: 1,
              default: 20,
              description: 'Classes with fewer boxes are not judged.',
            },
          },
        },
        moreFloatLayers: {
          type: 'object',
          description:
            'Limit on layers that go to float: a plan that keeps everything in float loses no accuracy, and nothing is won.',
          additionalProperties: false,
          required: ['max'],
          properties: {
            max: { type: 'integer', minimum: 0, description: 'Most layers more in float that pass.' },
          },
        },
      },
    },
    scoreDivergence: limits('Jensen-Shannon divergence of the score distributions', ', 0…1', 'max'),
    detectionRatio: limits('number of detections above 0.25 over that of FP32', '', 'min'),
    boxShift: limits('mean 1 − IoU of boxes against FP32', ', 0…1', 'max'),
    sqnr: limits('SQNR of the raw head outputs', ', in dB', 'min'),
    modelSizeMiB: limits('size of the weights as deployed', ', in MiB', 'max'),
    latencyMs: limits('median latency of one image', ', in milliseconds', 'max'),
    speedup: limits(
      'speed of the judged engine over the FP16 engine',
      ' (`tensorrt` only; 1 = equal)',
      'min',
    ),
  },
} as const;
