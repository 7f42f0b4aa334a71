const fraction = (description: string) => ({ type: 'number', minimum: 0, maximum: 1, description }) as const;

/** The settings' section on the audit of calibration images. */
export const auditSchema = {
  type: 'object',
  description: 'What `int8-gate audit` asks of the calibration images.',
  additionalProperties: false,
  default: {},
  properties: {
    minImages: { type: 'integer', minimum: 1, default: 32, description: 'Fewest different images.' },
    maxBroken: {
      type: 'integer',
      minimum: 0,
      default: 0,
      description: 'Most images that cannot be read.',
    },
    maxDuplicates: {
      ...fraction('Largest share of images that repeat another, exactly or nearly.'),
      default: 0.1,
    },
    maxOverlap: {
      ...fraction('Largest share of images that are in the validation set too.'),
      default: 0,
    },
    maxDominance: {
      ...fraction('Largest share of tensors whose range may hang on one image (fall by a fifth without it).'),
      default: 0.25,
    },
    maxDrifted: {
      ...fraction('Largest share of tensors that reach a quarter further on validation than in calibration.'),
      default: 0.1,
    },
    maxSaturation: {
      ...fraction(
        "Largest share of a tensor's validation values beyond its calibrated range, less that of calibration.",
      ),
      default: 0.02,
    },
    gaps: {
      enum: ['warn', 'fail'],
      default: 'warn',
      description: 'What it means that calibration lacks a kind of images that validation has.',
    },
  },
} as const;
