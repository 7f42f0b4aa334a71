import { readFile } from 'node:fs/promises';
import { InputFault, messageOf } from '../faults/index.js';
import { diffLayers, formatDiff, type Report } from '../report/index.js';

/** Compares two report.json files. @throws InputFault when one is missing or no report. */
export async function diffFiles(base: string, head: string, json: boolean): Promise<string> {
  const [before, after] = [await readReport(base), await readReport(head)];
  return json ? JSON.stringify(diffLayers(before, after)) : formatDiff(before, after);
}

async function readReport(file: string): Promise<Report> {
  const fix = 'Name the report.json that `int8-gate run` wrote.';
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new InputFault({ where: file, what: `cannot be read: ${messageOf(cause)}`, fix }, { cause });
  }
  if (
    typeof value !== 'object' ||
    value === null ||
    !('schema' in value) ||
    value.schema !== 'int8-gate/report'
  )
    throw new InputFault({ where: file, what: 'is no report of int8-gate', fix });
  const { sensitivity, variants } = value as Partial<Report>;
  if (!Array.isArray(sensitivity?.layers) || variants === undefined)
    throw new InputFault({
      where: file,
      what: 'holds no ranking of layers',
      fix: 'Run int8-gate with `sensitivity.enabled: true`.',
    });
  return value as Report;
}
