import { gunzip, gzip } from 'node:zlib';
import { promisify } from 'node:util';
import type { DetectionTable } from '../dataset/index.js';
import { InputFault, messageOf } from '../faults/index.js';

/** File of the judged variant's detections, beside report.json. */
export const DETECTIONS_FILE = 'detections.json.gz';

/** A file that unpacks to more than this is not unpacked. */
const MOST_BYTES = 2 ** 30;

/** Detections with the set that they were made on. */
export interface KeptDetections {
  /** Digest of the validation set. */
  readonly validation: string;
  readonly candidate: 'mixed' | 'int8';
  readonly detections: DetectionTable;
}

/** Columns are little-endian bytes in base64: every number comes back as it was. */
export async function writeDetections({
  validation,
  candidate,
  detections,
}: KeptDetections): Promise<Buffer> {
  const { count, image, category, bbox, score } = detections;
  const pack = (column: Int32Array | Float64Array): string =>
    Buffer.from(column.buffer, column.byteOffset, column.byteLength).toString('base64');
  const text = JSON.stringify({
    schema: 'int8-gate/detections',
    version: 1,
    validation,
    candidate,
    count,
    image: pack(image),
    category: pack(category),
    bbox: pack(bbox),
    score: pack(score),
  });
  return promisify(gzip)(text);
}

/**
 * Reads what {@link writeDetections} wrote.
 * @param file - for messages
 * @throws InputFault when the file is cut short, damaged, or something else
 */
export async function readDetections(bytes: Uint8Array, file: string): Promise<KeptDetections> {
  const broken = (what: string, cause?: unknown): InputFault =>
    new InputFault(
      { where: file, what, fix: 'Take the whole folder that `int8-gate run` wrote, or the file away.' },
      { cause },
    );
  let value: unknown;
  try {
    const text = await promisify(gunzip)(bytes, { maxOutputLength: MOST_BYTES });
    value = JSON.parse(text.toString('utf8'));
  } catch (cause) {
    throw broken(`cannot be unpacked: ${messageOf(cause)}`, cause);
  }
  const record = value as Readonly<Record<string, unknown>> | null;
  if (typeof record !== 'object' || record?.schema !== 'int8-gate/detections' || record.version !== 1)
    throw broken('holds no detections of this version of int8-gate');
  const { count, validation, candidate } = record;
  const image = ints(record.image);
  const category = ints(record.category);
  const bbox = floats(record.bbox);
  const score = floats(record.score);
  if (
    typeof validation !== 'string' ||
    (candidate !== 'mixed' && candidate !== 'int8') ||
    typeof count !== 'number' ||
    image?.length !== count ||
    category?.length !== count ||
    bbox?.length !== 4 * count ||
    score?.length !== count
  )
    throw broken('holds columns that do not fit together');
  return { validation, candidate, detections: { count, image, category, bbox, score } };
}

function bytesOf(value: unknown): Uint8Array | undefined {
  return typeof value === 'string' ? Uint8Array.from(Buffer.from(value, 'base64')) : undefined;
}

function ints(value: unknown): Int32Array | undefined {
  const bytes = bytesOf(value);
  return bytes === undefined || bytes.length % 4 !== 0 ? undefined : new Int32Array(bytes.buffer);
}

function floats(value: unknown): Float64Array | undefined {
  const bytes = bytesOf(value);
  return bytes === undefined || bytes.length % 8 !== 0 ? undefined : new Float64Array(bytes.buffer);
}
