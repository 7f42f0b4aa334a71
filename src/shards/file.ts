/**
 * A shard's file: lines of JSON, compressed. The first is its header, each further one a record `[shelf, name, value]`,
 * the last `{ "records": n, "sha256": "…" }` over all lines in front of it, line ends included.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { InputFault, SurroundingsFault, messageOf, systemCode } from '../faults/index.js';
import type { Records } from './records.js';
import { headerSchema, type ShardHeader } from './schema.js';

/** How names of shard files end. */
export const SHARD_SUFFIX = '.shard.jsonl.gz';

/** A shard that was read. */
export interface Shard {
  readonly file: string;
  readonly header: ShardHeader;
  readonly records: Records;
}

/**
 * Writes `3-of-8.shard.jsonl.gz` into a folder, whole or not at all. Same records, same bytes.
 * @returns its path
 * @throws SurroundingsFault when the folder cannot be written
 */
export async function writeShard(folder: string, header: ShardHeader, records: Records): Promise<string> {
  const { index, count } = header.shard;
  const path = join(folder, `${index}-of-${count}${SHARD_SUFFIX}`);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await mkdir(folder, { recursive: true });
    await pipeline(
      Readable.from(linesOf(header, records)),
      createGzip({ level: 6 }),
      createWriteStream(temporary),
    );
    await rename(temporary, path);
    return path;
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined); // its folder may be none
    throw new SurroundingsFault(
      {
        where: path,
        what: `cannot be written: ${messageOf(cause)}`,
        fix: 'Make room, or name another folder with `--out`.',
      },
      { cause },
    );
  }
}

function* linesOf(header: ShardHeader, records: Records): Generator<string> {
  const hash = createHash('sha256');
  let count = 0;
  const line = (value: unknown): string => {
    const text = `${JSON.stringify(value)}\n`;
    hash.update(text);
    return text;
  };
  yield line(header);
  for (const [shelf, values] of [...records].sort(byName))
    for (const [name, value] of [...values].sort(byName)) {
      yield line([shelf, name, value]);
      count++;
    }
  yield `${JSON.stringify({ records: count, sha256: hash.digest('hex') })}\n`;
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const AGAIN = 'Run that shard again.';

/** @throws InputFault when it cannot be read, is no shard, is of another version, is cut short or was changed. */
export async function readShard(file: string): Promise<Shard> {
  const reader = new Reader(file);
  const source = createReadStream(file);
  const unpacked = source.pipe(createGunzip());
  let broken: unknown;
  // `pipe` hands errors of the file on to nobody.
  source.on('error', (error) => unpacked.destroy(error));
  unpacked.on('error', (error) => (broken ??= error));
  try {
    for await (const line of createInterface({ input: unpacked, crlfDelay: Infinity })) reader.take(line);
  } catch (error) {
    if (error instanceof InputFault) throw error;
    broken ??= error;
  } finally {
    source.destroy();
  }
  if (broken !== undefined)
    throw new InputFault(
      {
        where: file,
        what:
          systemCode(broken)?.startsWith('Z_') === true
            ? `is no shard, or is cut short: ${messageOf(broken)}`
            : `cannot be read: ${messageOf(broken)}`,
        fix: AGAIN,
      },
      { cause: broken },
    );
  return reader.finish();
}

class Reader {
  private readonly hash: Hash = createHash('sha256');
  private readonly records = new Map<string, Map<string, unknown>>();
  private header: ShardHeader | undefined;
  private count = 0;
  private end: { readonly records: unknown; readonly sha256: unknown } | undefined;

  constructor(private readonly file: string) {}

  take(line: string): void {
    const value = this.parse(line);
    if (this.end !== undefined) throw this.fault('goes on behind its end');
    if (this.header === undefined) {
      this.header = this.headerOf(value);
    } else if (Array.isArray(value)) {
      this.keep(value);
    } else if (typeof value === 'object' && value !== null && 'records' in value && 'sha256' in value) {
      this.end = value;
      return;
    } else throw this.fault('has a line that is no record');
    this.hash.update(`${line}\n`);
  }

  finish(): Shard {
    if (this.header === undefined) throw this.fault('is empty');
    if (this.end === undefined) throw this.fault('is cut short: its last line is missing');
    if (this.end.records !== this.count || this.end.sha256 !== this.hash.digest('hex'))
      throw this.fault('was changed after it was written: its content does not match its SHA-256');
    return { file: this.file, header: this.header, records: this.records };
  }

  private keep(value: readonly unknown[]): void {
    const [shelf, name, record] = value;
    if (value.length !== 3 || typeof shelf !== 'string' || typeof name !== 'string')
      throw this.fault('has a line that is no record');
    const values = this.records.get(shelf) ?? new Map<string, unknown>();
    this.records.set(shelf, values);
    values.set(name, record);
    this.count++;
  }

  private headerOf(value: unknown): ShardHeader {
    if (
      typeof value !== 'object' ||
      value === null ||
      !('schema' in value) ||
      value.schema !== 'int8-gate/shard'
    )
      throw this.fault('is no shard of int8-gate');
    if ('version' in value && value.version !== 1)
      throw this.fault(`is a shard of version ${JSON.stringify(value.version)}, 1 is read here`);
    const validate = new Ajv2020({ strict: false, strictNumbers: true }).compile<ShardHeader>(headerSchema);
    if (validate(value)) return value;
    const [error] = validate.errors ?? [];
    throw this.fault(
      `has a header that is not agreed on: ${error?.instancePath ?? ''} ${error?.message ?? ''}`,
    );
  }

  private parse(line: string): unknown {
    try {
      return JSON.parse(line) as unknown;
    } catch (cause) {
      throw this.fault(`has a line that is no JSON: ${messageOf(cause).slice(0, 100)}`);
    }
  }

  private fault(what: string): InputFault {
    return new InputFault({ where: basename(this.file), what, fix: AGAIN });
  }
}
