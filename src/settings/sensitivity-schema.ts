/** The settings of the ranking of layers and of the search for a plan. */
export const sensitivitySchema = {
  type: 'object',
  description: 'The ranking of layers, from which mixed precision is found.',
  additionalProperties: false,
  default: {},
  properties: {
    enabled: {
      type: 'boolean',
      default: true,
      description: 'Rank layers. Without it there is no mixed precision but by a plan.',
    },
    images: {
      type: 'integer',
      minimum: 1,
      default: 32,
      description: 'Validation images that layers are ranked on.',
    },
    maxFloatLayers: {
      type: 'integer',
      minimum: 0,
      description: 'Most layers that the search may keep float, beside the head.',
    },
    minInt8Share: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      description: 'Least share of the multiply-accumulates that the search must leave in INT8, 0…1.',
    },
    maxMinutes: {
      type: 'number',
      exclusiveMinimum: 0,
      description: 'Minutes that the search may take, ranking aside. Then the best plan so far stands.',
    },
    calibrators: {
      type: 'array',
      items: {
        type: 'string',
        // A percentile above 0 and at most 100.
        pattern:
          '^(minmax|average|entropy|mse|percentile(:(100(\\.0+)?|(?!0?0(\\.0*)?$)[0-9]{1,2}(\\.[0-9]+)?))?)$',
        examples: ['minmax', 'average', 'entropy', 'mse', 'percentile:99.99'],
      },
      uniqueItems: true,
      default: ['minmax', 'entropy', 'percentile:99.99', 'mse'],
      description:
        'Calibrators that the search may give single layers instead of that of `calibration`, before it keeps layers float. `[]`: none.',
    },
    profile: {
      type: 'string',
      minLength: 1,
      description:
        'Latencies by layer, as a run with real engines writes them (`profile.json`): plans are then ordered by milliseconds instead of multiply-accumulates.',
    },
    always: {
      type: 'boolean',
      default: false,
      description: 'Rank layers also where a committed plan passes; otherwise that only checks the plan.',
    },
  },
} as const;
