import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { InputFault, messageOf, systemCode } from '../faults/index.js';
import { parseReport, type Report } from '../report/index.js';
import { DETECTIONS_FILE, readDetections, type KeptDetections } from './detections.js';

/** A run that was kept: its report, and the detections of what it judged. */
export interface Kept {
  readonly report: Report;
  /** Undefined where the folder has none: reports of before, or one file alone. */
  readonly detections: KeptDetections | undefined;
}

/**
 * Reads a report and the detections beside it.
 * @param path - the report.json, or its folder
 * @throws InputFault when there is no such report, or one of the two is damaged
 */
export async function readKept(path: string): Promise<Kept> {
  const isFolder = await stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
  const file = isFolder ? join(path, 'report.json') : path;
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new InputFault(
      {
        where: file,
        what: `the base's report cannot be read: ${messageOf(cause)}`,
        fix: 'Name the report.json of the base with `--base`, or the base itself with `--base-ref`.',
      },
      { cause },
    );
  }
  return { report: parseReport(text, file), detections: await detectionsBeside(file) };
}

async function detectionsBeside(report: string): Promise<KeptDetections | undefined> {
  const file = join(dirname(report), DETECTIONS_FILE);
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  return readDetections(bytes, file);
}
