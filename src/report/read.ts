import { Ajv2020 } from 'ajv/dist/2020.js';
import { InputFault, messageOf } from '../faults/index.js';
import { reportSchema } from './schema.js';
import type { Report } from './types.js';

const FIX = 'Name the report.json that `int8-gate run` of this version, or one near it, wrote.';

/**
 * Reads the text of a report.json and holds it against the schema; keys of newer versions are left out.
 * @param file - for messages
 * @throws InputFault when it is no JSON, no report, or one of another shape
 */
export function parseReport(text: string, file: string): Report {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InputFault({ where: file, what: `is no JSON: ${messageOf(cause)}`, fix: FIX }, { cause });
  }
  if (
    typeof value !== 'object' ||
    value === null ||
    !('schema' in value) ||
    value.schema !== 'int8-gate/report'
  )
    throw new InputFault({ where: file, what: 'is no report of int8-gate', fix: FIX });
  const validate = new Ajv2020({ strict: false, strictNumbers: true, removeAdditional: true }).compile(
    reportSchema,
  );
  if (validate(value)) return value;
  const [error] = validate.errors ?? [];
  throw new InputFault({
    where: `${file} ${error?.instancePath ?? ''}`.trim(),
    what: `is no report that can be compared: ${error?.message ?? 'unknown'}`,
    fix: FIX,
  });
}
