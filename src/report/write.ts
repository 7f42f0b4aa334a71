import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { InputFault, SurroundingsFault, messageOf, systemCode } from '../faults/index.js';
import { formatHtml } from './html/page.js';
import { formatJson } from './json.js';
import { formatMarkdown } from './markdown.js';
import type { Report } from './types.js';

/** Files beside the report, by name. */
export type ExtraFiles = Readonly<Record<string, Uint8Array | string>>;

/** GitHub takes 1 MiB of job summary; the Markdown file keeps below it. */
export const MARKDOWN_BYTES = 900_000;

/**
 * Makes sure that the report can be written later, before the work is done.
 * @throws InputFault when the folder cannot be written, or holds files that are not int8-gate's.
 */
export async function checkReportFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    const probe = join(folder, `.${process.pid}.tmp`);
    await writeFile(probe, '');
    await rm(probe);
  } catch (cause) {
    throw unwritable(folder, cause);
  }
  const files = await readdir(folder);
  if (files.length > 0 && !(await isReport(folder)))
    throw new InputFault({
      where: folder,
      what: 'holds files that are not a report of int8-gate',
      fix: 'Name an empty or new folder with `--out`.',
    });
}

function unwritable(folder: string, cause: unknown): InputFault {
  return new InputFault(
    {
      where: folder,
      what: `the report cannot be written there (${systemCode(cause) ?? messageOf(cause)})`,
      fix: 'Name a folder that can be written with `--out`.',
    },
    { cause },
  );
}

async function isReport(folder: string): Promise<boolean> {
  try {
    const value: unknown = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8'));
    return (
      typeof value === 'object' &&
      value !== null &&
      (value as { schema?: unknown }).schema === 'int8-gate/report'
    );
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Writes report.json, report.md, report.html and the extra files into a new folder beside the target, then puts it in its place. */
export async function writeReport(report: Report, folder: string, extra: ExtraFiles): Promise<void> {
  const fresh = join(dirname(folder), `.${process.pid}.int8-gate.tmp`);
  try {
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { recursive: true });
    await writeFile(join(fresh, 'report.json'), formatJson(report));
    await writeFile(join(fresh, 'report.md'), formatMarkdown(report, { maxBytes: MARKDOWN_BYTES }));
    await writeFile(join(fresh, 'report.html'), formatHtml(report));
    for (const [name, content] of Object.entries(extra)) await writeFile(join(fresh, name), content);
    await rm(folder, { recursive: true, force: true });
    await rename(fresh, folder);
  } catch (cause) {
    await rm(fresh, { recursive: true, force: true });
    if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(systemCode(cause) ?? ''))
      throw new SurroundingsFault(
        {
          where: folder,
          what: `the report cannot be written: the disk (or a limit on file sizes) is full: ${messageOf(cause)}`,
          fix: Object.keys(extra).some((name) => name.endsWith('.onnx'))
            ? 'Make room, or leave the models out: `report.keepModels: false`.'
            : 'Make room.',
        },
        { cause },
      );
    throw unwritable(folder, cause);
  }
}
