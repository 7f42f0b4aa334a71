/** JSON read straight from bytes: what is wanted goes into columns, the rest is checked and passed over. */
import { InputFault } from '../faults/index.js';
import { DecimalReader } from './decimal.js';

const [QUOTE, BACKSLASH, COMMA, COLON] = [34, 92, 44, 58];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [91, 93, 123, 125];
const [MINUS, ZERO, NINE, SPACE] = [45, 48, 57, 32];
const ESCAPES: readonly (number | undefined)[] = [...Buffer.from('"\\/bfnrtu')];
const UNICODE = 117;
/** More than a box has. */
const BRIEF = 8;
/** Deeper files are made to harm. */
const DEEPEST = 200;
/** What Python writes for numbers that JSON does not have. */
const WORDS: readonly (readonly [Uint8Array, unknown])[] = (
  [
    ['true', true],
    ['false', false],
    ['null', null],
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['-Infinity', -Infinity],
  ] as const
).map(([word, value]) => [Buffer.from(word), value]);

/** A cursor over JSON text in UTF-8. Every method throws an InputFault with `file:line:column` where the text is no JSON. */
export class JsonScanner {
  /** Place of the next byte. */
  at = 0;
  private depth = 0;
  private readonly decimal: DecimalReader;

  /**
   * @param source - the file, for messages
   * @param kind - what it should be, e.g. `results file`
   */
  constructor(
    private readonly bytes: Buffer,
    private readonly source: string,
    private readonly kind: string,
  ) {
    this.decimal = new DecimalReader(bytes);
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) this.at = 3;
  }

  /** The next byte that is no space; it is not consumed. */
  peek(): number {
    const { bytes } = this;
    let { at } = this;
    for (;;) {
      const byte = bytes[at] as number;
      if (byte > SPACE || (byte !== SPACE && byte !== 10 && byte !== 13 && byte !== 9)) {
        this.at = at;
        return byte;
      }
      at++;
    }
  }

  get startsList(): boolean {
    return this.peek() === OPEN_LIST;
  }

  get startsObject(): boolean {
    return this.peek() === OPEN_OBJECT;
  }

  get startsNumber(): boolean {
    const byte = this.peek();
    return byte === MINUS || (byte >= ZERO && byte <= NINE);
  }

  /** Whether another element follows in a list or object; call `open()` before the first. */
  next(index: number, list: boolean): boolean {
    const close = list ? CLOSE_LIST : CLOSE_OBJECT;
    const byte = this.peek();
    if (byte === close) {
      this.at++;
      this.depth--;
      return false;
    }
    if (index === 0) return true;
    if (byte !== COMMA) this.fail(`expected , or ${list ? ']' : '}'}`);
    this.at++;
    return true;
  }

  /** Steps into the list or object that starts here. */
  open(): void {
    if (++this.depth > DEEPEST) this.fail(`nested more than ${DEEPEST} deep`);
    this.at++;
  }

  /** Number of a key among `known`, -1 for another one; the cursor then stands at the value. */
  key(known: readonly Uint8Array[]): number {
    const from = this.at;
    if (this.peek() !== QUOTE) this.fail('expected a key in quotes');
    const start = this.at + 1;
    const escaped = this.passString();
    const length = this.at - 1 - start;
    let found = -1;
    for (let k = 0; k < known.length && !escaped; k++) {
      const name = known[k] as Uint8Array;
      if (name.length !== length) continue;
      let i = 0;
      while (i < length && this.bytes[start + i] === name[i]) i++;
      if (i === length) found = k;
    }
    if (escaped) {
      const end = this.at;
      this.at = from;
      const text = this.text();
      this.at = end;
      found = known.findIndex((name) => Buffer.from(name).toString('utf8') === text);
    }
    if (this.peek() !== COLON) this.fail('expected :');
    this.at++;
    return found;
  }

  /** A number; call only where one starts. */
  number(): number {
    this.decimal.read(this.at);
    // -Infinity starts like a number.
    if (this.decimal.end < 0) return this.word() as number;
    this.at = this.decimal.end;
    return this.decimal.value;
  }

  /** Whatever comes next, as JSON.parse would give it. */
  value(): unknown {
    const byte = this.peek();
    if (byte === QUOTE) return this.text();
    if (byte === OPEN_LIST) {
      const list: unknown[] = [];
      this.open();
      while (this.next(list.length, true)) list.push(this.value());
      return list;
    }
    if (byte !== OPEN_OBJECT) return this.startsNumber ? this.number() : this.word();
    const object: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    this.open();
    for (let i = 0; this.next(i, false); i++) {
      if (this.peek() !== QUOTE) this.fail('expected a key in quotes');
      const key = this.text();
      if (this.peek() !== COLON) this.fail('expected :');
      this.at++;
      object[key] = this.value();
    }
    return object;
  }

  /** The records of the list that starts at a place, one at a time: see {@link record}. */
  *recordsAt(place: number, known: readonly string[]): Generator<unknown> {
    this.at = place;
    const keys = known.map((key) => Buffer.from(key));
    this.open();
    for (let i = 0; this.next(i, true); i++) yield this.record(known, keys);
  }

  /** An object with the known keys alone and short values: enough to check it, and small whatever the file holds. */
  record(known: readonly string[], keys: readonly Uint8Array[]): unknown {
    if (!this.startsObject) return this.brief();
    const object: Record<string, unknown> = {};
    this.open();
    for (let i = 0; this.next(i, false); i++) {
      const key = this.key(keys);
      if (key < 0) this.skip();
      else {
        this.peek();
        object[known[key] as string] = this.brief();
      }
    }
    return object;
  }

  /** A value with no more than the first elements of a list, and nothing of what lies deeper. */
  brief(): unknown {
    if (this.startsObject) {
      this.skip();
      return {};
    }
    if (!this.startsList) return this.value();
    const list: unknown[] = [];
    this.open();
    for (let i = 0; this.next(i, true); i++) {
      const deeper = this.startsList ? [] : this.startsObject ? {} : undefined;
      if (deeper === undefined && i < BRIEF) list.push(this.value());
      else {
        this.skip();
        if (i < BRIEF) list.push(deeper ?? null);
      }
    }
    return list;
  }

  /** Passes over whatever comes next. */
  skip(): void {
    const byte = this.peek();
    if (byte === QUOTE) this.passString();
    else if (byte === OPEN_LIST) {
      this.open();
      for (let i = 0; this.next(i, true); i++) this.skip();
    } else if (byte === OPEN_OBJECT) {
      this.open();
      for (let i = 0; this.next(i, false); i++) {
        this.key([]);
        this.skip();
      }
    } else if (this.startsNumber) {
      const end = this.decimal.pass(this.at);
      if (end < 0) this.word();
      else this.at = end;
    } else this.word();
  }

  /** @throws InputFault when anything but space follows */
  end(): void {
    this.peek();
    if (this.at < this.bytes.length) this.fail('the text goes on behind its end');
  }

  private word(): unknown {
    for (const [word, value] of WORDS) {
      let i = 0;
      while (i < word.length && this.bytes[this.at + i] === word[i]) i++;
      if (i < word.length) continue;
      this.at += i;
      return value;
    }
    return this.fail('expected a value');
  }

  private text(): string {
    this.peek();
    const start = this.at;
    const escaped = this.passString();
    if (!escaped) return this.bytes.toString('utf8', start + 1, this.at - 1);
    return JSON.parse(this.bytes.toString('utf8', start, this.at)) as string;
  }

  /** Passes over a string; answers whether it has escapes. */
  private passString(): boolean {
    const { bytes } = this;
    let escaped = false;
    for (let at = this.at + 1; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) {
        this.at = at + 1;
        return escaped;
      }
      if (byte === BACKSLASH) {
        escaped = true;
        at = this.passEscape(at + 1);
      } else if (byte < SPACE) {
        this.at = at;
        this.fail('a text must not hold control characters');
      }
    }
    this.at = bytes.length;
    return this.fail('a text without end');
  }

  /** Passes over an escape behind its backslash; answers its last byte. */
  private passEscape(at: number): number {
    const kind = this.bytes[at];
    if (!ESCAPES.includes(kind)) {
      this.at = at;
      this.fail('a false escape');
    }
    if (kind !== UNICODE) return at;
    if (!/^[0-9a-f]{4}$/i.test(this.bytes.toString('latin1', at + 1, at + 5))) {
      this.at = at;
      this.fail('expected four hexadecimal digits');
    }
    return at + 4;
  }

  private fail(what: string): never {
    const at = Math.min(this.at, this.bytes.length);
    let line = 1;
    let start = 0;
    for (let i = this.bytes.indexOf(10); i >= 0 && i < at; i = this.bytes.indexOf(10, i + 1)) {
      line++;
      start = i + 1;
    }
    const found =
      at >= this.bytes.length
        ? 'the file ends'
        : `found ${JSON.stringify(this.bytes.toString('utf8', at, at + 20).split('\n', 1)[0])}`;
    throw new InputFault({
      where: `${this.source}:${line}:${at - start + 1}`,
      what: `the ${this.kind} is not valid JSON: ${what}, ${found}`,
      fix: 'Correct the place, or write the file again; a file that was cut off ends early.',
    });
  }
}
