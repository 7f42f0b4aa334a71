/** Decimal text to float64, correctly rounded, without making a string. */

/** Powers of ten that a float64 holds exactly. */
const POWERS = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
const HIGH_NIBBLES = 0xf0f0f0f0 | 0;
const [ZERO, NINE, DOT, MINUS, PLUS, UPPER_E, LOWER_E] = [48, 57, 46, 45, 43, 69, 101];

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

/** A number read from bytes: its value, and where it ends. */
export interface Decimal {
  value: number;
  /** Behind the last byte; -1 when no JSON number is there. */
  end: number;
}

/** Reads one number after another into the same result. */
export class DecimalReader implements Decimal {
  value = 0;
  end = -1;
  // High and low part of a product, see product().
  private high = 0;
  private low = 0;

  private readonly view: DataView;
  /** Places before this one have four bytes. */
  private readonly last: number;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.last = bytes.length - 3;
  }

  /** Reads the JSON number at `start` into `value` and `end`. */
  read(start: number): void {
    const { bytes } = this;
    const from = bytes[start] === MINUS ? start + 1 : start;
    let at = from;
    let point = -1;
    this.end = -1;
    if (bytes[at] === ZERO) {
      // Nothing but a point may follow; the zeros behind it are no digits.
      at++;
      if (bytes[at] === DOT) {
        point = at++;
        while (bytes[at] === ZERO) at++;
      } else if (isDigit(bytes[at])) return;
    }
    // Two parts of up to 9 digits each fit in 32 bits, where sums are quick.
    const first = at;
    let head = 0;
    let byte = bytes[at] as number;
    for (let room = 9; room > 0; byte = bytes[++at] as number) {
      if (room >= 4 && point >= 0 && at < this.last) {
        const four = this.four(at);
        if (four >= 0) {
          head = (head * 10000 + four) | 0;
          room -= 4;
          at += 3;
          continue;
        }
      }
      if (byte >= ZERO && byte <= NINE) {
        head = (head * 10 + byte - ZERO) | 0;
        room--;
      } else if (byte === DOT && point < 0) point = at;
      else break;
    }
    const middle = at;
    const early = point;
    let tail = 0;
    for (let room = 9; room > 0; byte = bytes[++at] as number) {
      if (room >= 4 && point >= 0 && at < this.last) {
        const four = this.four(at);
        if (four >= 0) {
          tail = (tail * 10000 + four) | 0;
          room -= 4;
          at += 3;
          continue;
        }
      }
      if (byte >= ZERO && byte <= NINE) {
        tail = (tail * 10 + byte - ZERO) | 0;
        room--;
      } else if (byte === DOT && point < 0) point = at;
      else break;
    }
    const behind = at - middle - (point === early ? 0 : 1);
    let many = false;
    for (; isDigit(byte) || (byte === DOT && point < 0); byte = bytes[++at] as number) {
      if (byte === DOT) point = at;
      else many = true;
    }
    // No digit before or behind the point.
    if (at === from || point === from || point === at - 1) return;
    const power = this.exponent(at) - (point < 0 ? 0 : at - point - 1);
    if (this.end < 0) return;
    const digits = middle - first + behind;
    const size = many ? -1 : this.scale(head, tail, digits, behind, power);
    const value = size >= 0 ? size : Math.abs(Number(this.text(start)));
    this.value = from > start ? -value : value;
  }

  /** The number that four digits make, -1 when they are not four digits: all at once in the bytes of an int32. */
  private four(at: number): number {
    const word = this.view.getInt32(at, true);
    const highs = (word & HIGH_NIBBLES) | (((word + 0x06060606) & HIGH_NIBBLES) >>> 4);
    if (highs !== 0x33333333) return -1;
    const pairs = (Math.imul(word & 0x0f0f0f0f, 2561) >>> 8) & 0x00ff00ff;
    return Math.imul(pairs, 6553601) >>> 16;
  }

  /** Where the JSON number at `start` ends, -1 when there is none; its value is not made. */
  pass(start: number): number {
    const { bytes } = this;
    let at = bytes[start] === MINUS ? start + 1 : start;
    const from = at;
    while (isDigit(bytes[at])) at++;
    if (at === from || (bytes[from] === ZERO && at > from + 1)) return -1;
    if (bytes[at] === DOT) {
      const point = at++;
      while (isDigit(bytes[at])) at++;
      if (at === point + 1) return -1;
    }
    if (bytes[at] !== LOWER_E && bytes[at] !== UPPER_E) return at;
    this.exponent(at);
    return this.end;
  }

  /** The exponent at `at`, 0 when there is none; sets `end`. */
  private exponent(at: number): number {
    const { bytes } = this;
    this.end = at;
    if (bytes[at] !== LOWER_E && bytes[at] !== UPPER_E) return 0;
    const sign = bytes[at + 1];
    const from = sign === MINUS || sign === PLUS ? at + 2 : at + 1;
    let value = 0;
    let to = from;
    for (; (bytes[to] as number) >= ZERO && (bytes[to] as number) <= NINE; to++)
      value = Math.min(9999, value * 10 + (bytes[to] as number) - ZERO);
    this.end = to === from ? -1 : to;
    return sign === MINUS ? -value : value;
  }

  private text(start: number): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, this.end - start).toString('latin1');
  }

  /**
   * `(head * 10^behind + tail) * 10^power` correctly rounded, or -1 where that is not certain.
   * Up to 15 digits, one operation of exact operands rounds once (Clinger 1990). Beyond that the quotient is made of
   * two float64 (Dekker 1971), about 100 bits, and is certain unless it lies next to the middle between two numbers.
   */
  private scale(head: number, tail: number, digits: number, behind: number, power: number): number {
    if (power < -22 || power > 22) return head === 0 && tail === 0 ? 0 : -1;
    if (digits <= 15) {
      const whole = head * (POWERS[behind] as number) + tail;
      return power < 0 ? whole / (POWERS[-power] as number) : whole * (POWERS[power] as number);
    }
    if (power > 0) return -1;
    this.product(head, POWERS[behind] as number);
    const sum = this.high + tail;
    const part = sum - this.high;
    const top = sum;
    const rest = this.high - (sum - part) + (tail - part) + this.low;
    const divisor = POWERS[-power] as number;
    const first = top / divisor;
    this.product(first, divisor);
    const second = (top - this.high - this.low + rest) / divisor;
    const value = first + second;
    const error = second - (value - first);
    return value + error * 1.0000001 === value ? value : -1;
  }

  /** a * b = high + low, exactly (Veltkamp's split, Dekker's product). */
  private product(a: number, b: number): void {
    const splitA = 134217729 * a;
    const highA = splitA - (splitA - a);
    const lowA = a - highA;
    const splitB = 134217729 * b;
    const highB = splitB - (splitB - b);
    const lowB = b - highB;
    this.high = a * b;
    this.low = lowA * lowB - (this.high - highA * highB - lowA * highB - highA * lowB);
  }
}
