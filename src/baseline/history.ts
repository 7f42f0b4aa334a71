import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { InputFault, SurroundingsFault, messageOf, systemCode } from '../faults/index.js';
import { historySchema, type HistoryPoint } from '../report/index.js';

/** Older points make place: more than two years of nights. */
const MOST_POINTS = 800;

const fileSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['schema', 'version', 'points'],
  properties: {
    schema: { const: 'int8-gate/history' },
    version: { const: 1 },
    points: historySchema,
  },
} as const;

/**
 * Reads the points of earlier runs, oldest first; a file that is not there has none.
 * @throws InputFault when the file is damaged or something else
 */
export async function readHistory(file: string): Promise<readonly HistoryPoint[]> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return [];
    throw broken(file, `cannot be read: ${messageOf(cause)}`, cause);
  }
  const validate = new Ajv2020({ strict: false }).compile<{ readonly points: readonly HistoryPoint[] }>(
    fileSchema,
  );
  if (validate(value)) return value.points;
  const [error] = validate.errors ?? [];
  throw broken(file, `is no history: ${error?.instancePath ?? ''} ${error?.message ?? ''}`);
}

function broken(file: string, what: string, cause?: unknown): InputFault {
  const fix = 'Name another file with `--history`, or take this one away to begin anew.';
  return new InputFault({ where: file, what, fix }, { cause });
}

/** The points with one more, at most as many as are kept. A second run of a commit takes the place of the first. */
export function withPoint(points: readonly HistoryPoint[], point: HistoryPoint): readonly HistoryPoint[] {
  const others = points.filter(({ commit }) => commit === undefined || commit !== point.commit);
  return [...others, point].slice(-MOST_POINTS);
}

/** Writes the points beside the file first, then in its place. */
export async function writeHistory(file: string, points: readonly HistoryPoint[]): Promise<void> {
  const fresh = `${file}.${process.pid}.tmp`;
  const text = JSON.stringify({ schema: 'int8-gate/history', version: 1, points }, null, 1);
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(fresh, `${text}\n`);
    await rename(fresh, file);
  } catch (cause) {
    await rm(fresh, { force: true });
    throw new SurroundingsFault(
      {
        where: file,
        what: `the history cannot be written: ${messageOf(cause)}`,
        fix: 'Name another file with `--history`.',
      },
      { cause },
    );
  }
}
