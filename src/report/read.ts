import { Ajv2020 } from 'ajv/dist/2020.js';
import { InputFault, messageOf } from '../faults/index.js';
import { auditSchema } from './audit-schema.js';
import type { AuditHead } from './html/page.js';
import { object, text } from './schema-parts.js';
import { reportSchema } from './schema.js';
import type { AuditSection, Report } from './types.js';

const FIX = 'Name the report.json that `int8-gate run` of this version, or one near it, wrote.';

/** Of the file's `schema`. */
const REPORT = 'int8-gate/report';
const AUDIT = 'int8-gate/audit';

/** An audit.json: the section of a report, and what it is of. */
const auditFile = object(
  {
    schema: { const: AUDIT },
    version: { const: 1 },
    tool: object({ name: text, version: text }, ['name', 'version']),
    createdAt: text,
    model: text,
    ...auditSchema.properties,
  },
  ['schema', 'version', 'tool', 'createdAt', 'model', ...auditSchema.required],
);

/** Whether a text is an audit.json, sound or not. */
export function isAudit(json: string): boolean {
  try {
    return schemaOf(JSON.parse(json)) === AUDIT;
  } catch {
    return false; // told where it is parsed as a report
  }
}

/**
 * Reads the text of a report.json and holds it against the schema; keys of newer versions are left out.
 * @param file - for messages
 * @throws InputFault when it is no JSON, no report, or one of another shape
 */
export function parseReport(json: string, file: string): Report {
  return parsed<Report>(json, file, REPORT, reportSchema);
}

/** The same for an audit.json. @throws InputFault as {@link parseReport} */
export function parseAudit(json: string, file: string): AuditSection & AuditHead {
  return parsed<AuditSection & AuditHead>(json, file, AUDIT, auditFile);
}

function parsed<T>(json: string, file: string, schema: string, shape: object): T {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new InputFault({ where: file, what: `is no JSON: ${messageOf(cause)}`, fix: FIX }, { cause });
  }
  if (schemaOf(value) !== schema)
    throw new InputFault({ where: file, what: 'is no report of int8-gate', fix: FIX });
  const validate = new Ajv2020({ strict: false, strictNumbers: true, removeAdditional: true }).compile<T>(
    shape,
  );
  if (validate(value)) return value;
  const [error] = validate.errors ?? [];
  throw new InputFault({
    where: `${file} ${error?.instancePath ?? ''}`.trim(),
    what: `is no report that can be compared: ${error?.message ?? 'unknown'}`,
    fix: FIX,
  });
}

function schemaOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'schema' in value ? value.schema : undefined;
}
