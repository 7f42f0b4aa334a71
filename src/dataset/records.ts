/** Typed access to the records of a JSON file; every mistake names the record's index and key. */
import type { Problems } from './problems.js';
import { show } from './problems.js';

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads keys of one record after another; a getter answers undefined after it noted a mistake. */
export class RecordReader {
  private record: JsonObject = {};
  private place = '';

  constructor(
    private readonly source: string,
    private readonly problems: Problems,
  ) {}

  /** Makes `value` the current record. @returns false (and a noted mistake) when it is no object. */
  open(value: unknown, place: string): boolean {
    this.place = place;
    if (isObject(value)) {
      this.record = value;
      return true;
    }
    this.problems.add(`${this.source} ${place}`, `must be an object, is ${show(value)}`);
    return false;
  }

  has(key: string): boolean {
    return this.record[key] !== undefined && this.record[key] !== null;
  }

  raw(key: string): unknown {
    return this.record[key];
  }

  wrong(key: string, what: string, fix?: string): undefined {
    this.problems.add(`${this.source} ${this.place}.${key}`, what, fix);
    return undefined;
  }

  integer(key: string): number | undefined {
    const value = this.record[key];
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
    return this.wrong(key, value === undefined ? 'is missing' : `must be a whole number, is ${show(value)}`);
  }

  /** A whole number of pixels, or `absent` when the key is missing. */
  size(key: string): number | undefined {
    if (!this.has(key)) return 0;
    const value = this.integer(key);
    return value !== undefined && value < 0 ? this.wrong(key, `must not be negative, is ${value}`) : value;
  }

  finite(key: string): number | undefined {
    const value = this.record[key];
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    return this.wrong(key, value === undefined ? 'is missing' : `must be a finite number, is ${show(value)}`);
  }

  text(key: string): string | undefined {
    const value = this.record[key];
    if (typeof value === 'string' && value.length > 0) return value;
    return this.wrong(key, value === undefined ? 'is missing' : `must be a text, is ${show(value)}`);
  }

  /** 0, 1, true or false; 0 when missing. */
  flag(key: string): boolean | undefined {
    if (!this.has(key)) return false;
    const value = this.record[key];
    if (value === 0 || value === false) return false;
    if (value === 1 || value === true) return true;
    return this.wrong(key, `must be 0 or 1, is ${show(value)}`);
  }

  /** `[x, y, w, h]`, finite, sizes not negative. */
  box(key: string): readonly [number, number, number, number] | undefined {
    const value = this.record[key];
    if (value === undefined) return this.wrong(key, 'is missing');
    const numbers = Array.isArray(value) ? (value as unknown[]) : [];
    if (numbers.length !== 4 || !numbers.every((v) => typeof v === 'number' && Number.isFinite(v))) {
      return this.wrong(key, `must be four finite numbers [x, y, width, height], is ${show(value)}`);
    }
    const [x, y, w, h] = numbers as [number, number, number, number];
    if (!Number.isFinite(w * h))
      return this.wrong(key, `width times height must be finite, is ${show(value)}`);
    if (w < 0 || h < 0) return this.wrong(key, `width and height must not be negative, is ${show(value)}`);
    return [x, y, w, h];
  }
}

/** An array under a key of the top object; an empty one (and a noted mistake) when it is none. */
export function arrayOf(
  top: JsonObject,
  key: string,
  source: string,
  problems: Problems,
): readonly unknown[] {
  const value = top[key];
  if (Array.isArray(value)) return value as unknown[];
  problems.add(
    `${source} ${key}`,
    value === undefined ? 'is missing' : `must be an array, is ${show(value)}`,
    'A COCO instances file has the arrays images, annotations and categories.',
  );
  return [];
}
