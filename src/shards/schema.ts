/** The first line of a shard's file: what it belongs to. */
import type { FromSchema } from 'json-schema-to-ts';

const text = { type: 'string' } as const;
const digest = { type: 'string', pattern: '^[0-9a-f]{64}$' } as const;

/** Draft 2020-12. */
export const headerSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    schema: { const: 'int8-gate/shard' },
    version: { const: 1 },
    shard: {
      type: 'object',
      additionalProperties: false,
      properties: {
        index: { type: 'integer', minimum: 1 },
        count: { type: 'integer', minimum: 1 },
      },
      required: ['index', 'count'],
    },
    tool: {
      type: 'object',
      additionalProperties: false,
      // `program` is the SHA-256 of the bundle, null when run from source.
      properties: { version: text, program: { anyOf: [digest, { type: 'null' }] } },
      required: ['version', 'program'],
    },
    engine: {
      type: 'object',
      additionalProperties: false,
      properties: { name: text, version: text },
      required: ['name', 'version'],
    },
    /** Platform, architecture and processors. */
    machine: { type: 'array', items: text },
    digests: {
      type: 'object',
      additionalProperties: false,
      properties: {
        settings: digest,
        model: digest,
        validation: digest,
        calibration: digest,
        /** The model with Q/DQ, which holds all that calibration found. */
        int8: digest,
      },
      required: ['settings', 'model', 'validation', 'calibration', 'int8'],
    },
    /** Validation images that it ran, and of what it ranked layers: images, or whole layers. */
    evaluated: { type: 'integer', minimum: 0 },
    ranked: { type: 'integer', minimum: 0 },
  },
  required: ['schema', 'version', 'shard', 'tool', 'engine', 'machine', 'digests', 'evaluated', 'ranked'],
} as const;

export type ShardHeader = FromSchema<typeof headerSchema>;
