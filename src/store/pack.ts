import { createHash } from 'node:crypto';

/** A file by its name alone, without a folder. */
export interface PackedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const FORMAT = 'int8-gate pack 1 ';
/** A pack of a few thousand shelves has a first line of less. */
const MOST_LINE = 4 * 2 ** 20;

/** Joins files into one: a line that names each with its length and SHA-256, then their bytes. */
export function pack(files: readonly PackedFile[]): Buffer {
  return Buffer.concat([Buffer.from(firstLine(files)), ...files.map(({ bytes }) => bytes)]);
}

/** SHA-256 of what a pack says that it holds, in hexadecimal: the same files have the same. */
export function packDigest(files: readonly PackedFile[]): string {
  return sha256(Buffer.from(firstLine(files)));
}

function firstLine(files: readonly PackedFile[]): string {
  const entries = files.map(({ name, bytes }) => [name, bytes.length, sha256(bytes)]);
  return `${FORMAT}${JSON.stringify(entries)}\n`;
}

/**
 * The files of a pack that are whole; of one that is cut short those in front of the cut. Whatever the bytes are, it
 * does not throw.
 */
export function unpack(bytes: Uint8Array): readonly PackedFile[] {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = all.subarray(0, MOST_LINE).indexOf(0x0a);
  const line = end < 0 ? '' : all.toString('utf8', 0, end);
  if (!line.startsWith(FORMAT)) return [];
  const files: PackedFile[] = [];
  let at = end + 1;
  for (const { name, length, digest } of entriesOf(line.slice(FORMAT.length))) {
    const part = all.subarray(at, at + length);
    at += length;
    if (part.length < length) break;
    if (sha256(part) === digest) files.push({ name, bytes: part });
  }
  return files;
}

interface Entry {
  readonly name: string;
  readonly length: number;
  readonly digest: string;
}

function entriesOf(text: string): readonly Entry[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
  const entries: Entry[] = [];
  for (const entry of Array.isArray(value) ? (value as unknown[]) : []) {
    const [name, length, digest] = Array.isArray(entry) ? (entry as unknown[]) : [];
    const whole = typeof length === 'number' && Number.isSafeInteger(length) && length >= 0;
    // What comes after an entry that is none lies nobody knows where.
    if (typeof name !== 'string' || !whole || typeof digest !== 'string') return entries;
    entries.push({ name, length, digest });
  }
  return entries;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
