import type { FromSchema } from 'json-schema-to-ts';
import { checkYaml } from './load.js';

/** The file of waivers. Draft 2020-12. */
export const waiversSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'int8-gate waivers',
  description: 'Drops that somebody allows for a while.',
  type: 'object',
  additionalProperties: false,
  required: ['version', 'waivers'],
  properties: {
    version: { const: 1, description: 'Version of this format.' },
    waivers: {
      type: 'array',
      description: 'One entry a drop.',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['metric', 'allowedDrop', 'reason', 'owner', 'expires'],
        properties: {
          metric: {
            enum: ['mAP50-95', 'mAP50', 'AR100', 'classAP', 'moreFloatLayers', 'validationImages'],
            description: 'What fell.',
          },
          subject: {
            type: 'string',
            minLength: 1,
            description: 'The class, of `classAP`; every class when left out.',
          },
          against: { enum: ['fp32', 'base'], description: 'Below what it fell; both when left out.' },
          allowedDrop: {
            type: 'number',
            exclusiveMinimum: 0,
            description:
              'Largest fall that passes, in the units of the metric (0.01 = one point); layers or images where those are counted.',
          },
          reason: { type: 'string', minLength: 1, description: 'Why it is allowed.' },
          owner: { type: 'string', minLength: 1, description: 'Who answers for it.' },
          expires: {
            type: 'string',
            pattern: '^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$',
            examples: ['2026-12-31'],
            description: 'Last day on which it holds (UTC), YYYY-MM-DD.',
          },
        },
      },
    },
  },
} as const;

/** One waiver. */
export type Waiver = FromSchema<typeof waiversSchema>['waivers'][number];

/**
 * Reads the text of a file of waivers.
 * @param file - for messages
 * @throws InputFault with every mistake, each with its line and column
 */
export function parseWaivers(text: string, file: string): readonly Waiver[] {
  return checkYaml<FromSchema<typeof waiversSchema>>(text, file, waiversSchema, 'waivers').value.waivers;
}
