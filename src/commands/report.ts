import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { InputFault, messageOf } from '../faults/index.js';
import {
  formatAuditHtml,
  formatHtml,
  isAudit,
  parseAudit,
  parseReport,
  terminalText,
} from '../report/index.js';
import { readText } from './read-text.js';

/**
 * Makes report.html from report.json alone, or audit.html from audit.json; answers what was written.
 * @throws InputFault when the file is no report, or the folder cannot be written
 */
export async function reportPage(file: string, out: string): Promise<string> {
  const text = await readText(file, 'Name the report.json that `int8-gate run` wrote.');
  const [name, page] = pageOf(text, file);
  const folder = resolve(out);
  const target = join(folder, name);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(target, page);
  } catch (cause) {
    throw new InputFault(
      {
        where: target,
        what: `cannot be written: ${messageOf(cause)}`,
        fix: 'Name a folder that can be written with `--out`.',
      },
      { cause },
    );
  }
  return `Wrote ${terminalText(target)}`;
}

function pageOf(text: string, file: string): readonly [name: string, page: string] {
  if (!isAudit(text)) return ['report.html', formatHtml(parseReport(text, file))];
  const audit = parseAudit(text, file);
  return ['audit.html', formatAuditHtml(audit, audit)];
}
