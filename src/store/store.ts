import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync } from 'node:fs';
import { readFile, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, systemCode } from '../faults/index.js';

/** Values under names, for one key. */
export interface Shelf {
  /** Records that were found whole. */
  readonly size: number;
  /** What was last put under the name; undefined when nothing was, or when it is damaged. A JSON value. */
  get(name: string): unknown;
  /** Keeps a JSON value; on disk when this returns, so that an interruption loses nothing. Never throws. */
  put(name: string, value: unknown): void;
}

/** Shelves in one folder. */
export interface Store {
  /** Set where measurements come from several machines; their keys do not name the processor then. */
  readonly shared?: SharedStore;
  /**
   * Opens the shelf of a key, which {@link keyOf} makes from everything that the values depend on but their names.
   * @param kind what is on it, for people who look into the folder: letters and `-`.
   */
  shelf(kind: string, key: string): Promise<Shelf>;
}

/** A store that other machines filled. */
export interface SharedStore {
  /**
   * Told that an image, run again here, gives other numbers than what is kept.
   * @throws InputFault where that can only be a damaged or foreign record
   */
  onDiffering(name: string, image: string): void;
}

/** How a store is kept. */
export interface StoreOptions {
  /** Bytes that all shelves may take; those that were not used for longest go first. */
  readonly maxBytes: number;
  /** Told what went wrong with the store. Nothing that does is worse than a measurement made again. */
  readonly onTrouble: (what: string) => void;
}

/** Digest of a JSON value, whatever the order of its keys. */
export function keyOf(parts: unknown): string {
  return createHash('sha256')
    .update(
      JSON.stringify(parts, (_key, value: unknown) =>
        value !== null && typeof value === 'object' && !Array.isArray(value)
          ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
          : value,
      ),
    )
    .digest('hex');
}

/** Remembers nothing. */
export const NO_STORE: Store = {
  shelf: () => Promise.resolve({ size: 0, get: () => undefined, put: () => undefined }),
};

const EXTENSION = '.shelf';
/** Most bytes of one shelf: it is read as one string. */
const MOST_BYTES = 256 * 2 ** 20;

/**
 * Opens a folder of shelves, made when it is not there.
 *
 * A shelf is a text file: a line that names the format and the key, then a line a record, `CHECK ["name", value]`, where
 * CHECK is the beginning of the SHA-256 of the rest. Records are only ever appended, the last of a name counts. A line
 * that does not match its check (cut off by an interruption, or damaged) is left aside and told.
 */
export async function openStore(folder: string, options: StoreOptions): Promise<Store> {
  const state = new Folder(folder, options);
  await state.makeRoom(0);
  return { shelf: (kind, key) => state.shelf(`${kind}-${key}${EXTENSION}`) };
}

class Folder {
  private readonly open = new Set<string>();
  private total = 0;
  private quiet = false;

  constructor(
    private readonly folder: string,
    private readonly options: StoreOptions,
  ) {}

  /** Deletes what was not used for longest until all but `coming` bytes more fit. */
  async makeRoom(coming: number): Promise<void> {
    const files = await this.files();
    this.total = files.reduce((sum, { size }) => sum + size, 0);
    for (const { name, size } of files) {
      if (this.total + coming <= this.options.maxBytes) return;
      if (this.open.has(name)) continue;
      await rm(join(this.folder, name), { force: true }).then(
        () => (this.total -= size),
        (error: unknown) => this.trouble('a file cannot be deleted', error),
      );
    }
  }

  async shelf(name: string): Promise<Shelf> {
    const path = join(this.folder, name);
    this.open.add(name);
    const header = headerOf(name);
    const { records, damaged, next } = await readRecords(path, header, (error) =>
      this.trouble(`${name} cannot be read`, error),
    );
    if (damaged > 0)
      this.options.onTrouble(
        `cache ${this.folder}: ${damaged} damaged ${damaged === 1 ? 'record' : 'records'} of ${name} left aside; measured again`,
      );
    if (next === 'anew') await rm(path, { force: true }).catch(() => undefined);
    // What must stand in front of the next record.
    let before = next === 'append' ? '' : next === 'finish' ? '\n' : `${header}\n`;
    let size = Buffer.byteLength(header) + [...records.values()].reduce((sum, { length }) => sum + length, 0);
    return {
      size: records.size,
      get: (key) => {
        const text = records.get(key);
        return text === undefined ? undefined : (JSON.parse(text) as [string, unknown])[1];
      },
      put: (key, value) => {
        const text = JSON.stringify([key, value]);
        records.set(key, text);
        if (size + text.length > MOST_BYTES) return;
        size += text.length;
        if (this.append(path, `${before}${checkOf(text)} ${text}\n`)) before = '';
      },
    };
  }

  private append(path: string, text: string): boolean {
    const bytes = Buffer.byteLength(text);
    if (this.quiet || this.total + bytes > this.options.maxBytes) {
      if (!this.quiet) this.trouble(`it is full (${this.options.maxBytes / 2 ** 20} MiB)`);
      this.quiet = true;
      return false;
    }
    try {
      mkdirSync(this.folder, { recursive: true });
      appendFileSync(path, text);
      this.total += bytes;
      return true;
    } catch (error) {
      // Said once: what fails for one record fails for all.
      this.trouble('it cannot be written', error);
      this.quiet = true;
      return false;
    }
  }

  private trouble(what: string, error?: unknown): void {
    const why = error === undefined ? '' : ` (${systemCode(error) ?? messageOf(error)})`;
    this.options.onTrouble(`cache ${this.folder}: ${what}${why}`);
  }

  /** Shelves of the folder, least recently used first. */
  private async files(): Promise<readonly { readonly name: string; readonly size: number }[]> {
    const names = await readdir(this.folder).catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT') this.trouble('it cannot be read', error);
      return [];
    });
    const found = await Promise.all(
      names
        .filter((name) => name.endsWith(EXTENSION))
        .map(async (name) => {
          const info = await stat(join(this.folder, name)).catch(() => undefined); // gone meanwhile
          return { name, size: info?.size ?? 0, used: info?.mtimeMs ?? 0 };
        }),
    );
    return found.sort((a, b) => a.used - b.used);
  }
}

interface Records {
  /** Text of `["name", value]` by name. */
  readonly records: Map<string, string>;
  readonly damaged: number;
  /** How the file goes on: behind its last record, after an end to its last line, or from its first line on. */
  readonly next: 'append' | 'finish' | 'anew';
}

async function readRecords(
  path: string,
  header: string,
  onTrouble: (error: unknown) => void,
): Promise<Records> {
  const records = new Map<string, string>();
  let text: string;
  try {
    text = await readFile(path, 'utf8');
    const now = new Date();
    await utimes(path, now, now);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') onTrouble(error);
    return { records, damaged: 0, next: 'anew' };
  }
  const [first, ...lines] = text.split('\n');
  if (first !== header) return { records, damaged: 1, next: 'anew' };
  let damaged = 0;
  for (const line of lines) {
    const record = line.slice(CHECK + 1);
    const name = line.startsWith(`${checkOf(record)} `) ? nameOf(record) : undefined;
    // An empty line ends one that was cut off; a second header comes of two processes that began at once.
    if (name !== undefined) records.set(name, record);
    else if (line !== '' && line !== header) damaged++;
  }
  return { records, damaged, next: lines.at(-1) === '' ? 'append' : 'finish' };
}

function nameOf(record: string): string | undefined {
  const quoted = /^\[("(?:[^"\\]|\\.)*"),/.exec(record)?.[1];
  return quoted === undefined ? undefined : (JSON.parse(quoted) as string);
}

/** Digits of a record's check. */
const CHECK = 16;

function checkOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, CHECK);
}

function headerOf(name: string): string {
  return `int8-gate shelf 1 ${name}`;
}
