import { InputFault } from '../faults/index.js';
import { parsePlan } from '../quantization/index.js';
import {
  diffPlans,
  diffReports,
  formatDiff,
  formatPlanDiff,
  parseReport,
  type Report,
} from '../report/index.js';
import { readText } from './read-text.js';

const FIX = 'Name the report.json, or the plan.json, that `int8-gate run` wrote.';

/** Compares two report.json files, or two plan files. @throws InputFault when one is missing, or they are of two kinds. */
export async function diffFiles(
  base: string,
  head: string,
  { json, width }: { readonly json: boolean; readonly width: number },
): Promise<string> {
  const [before, after] = [await readText(base, FIX), await readText(head, FIX)];
  const [one, other] = [isPlan(before), isPlan(after)];
  if (one !== other)
    throw new InputFault({
      where: one ? base : head,
      what: `is a plan, and ${one ? head : base} is none`,
      fix: 'int8-gate compares two reports, or two plans.',
    });
  if (one) {
    const plans = [parsePlan(before, base), parsePlan(after, head)] as const;
    return json ? JSON.stringify(diffPlans(...plans)) : formatPlanDiff(...plans);
  }
  const reports = [ranked(parseReport(before, base), base), ranked(parseReport(after, head), head)] as const;
  return json ? JSON.stringify(diffReports(...reports)) : formatDiff(...reports, { width });
}

/** A plan says no `schema`, and has layers by name. */
function isPlan(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !('schema' in value) && 'layers' in value;
  } catch {
    return false; // told with the file's name where it is parsed as a report
  }
}

function ranked(report: Report, file: string): Report {
  if (report.sensitivity === undefined)
    throw new InputFault({
      where: file,
      what: 'holds no ranking of layers',
      fix: 'Run int8-gate with `sensitivity.enabled: true`.',
    });
  return report;
}
