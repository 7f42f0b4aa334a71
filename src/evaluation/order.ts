/** Stable orders of table rows by linear sorts: no comparisons, no objects. */

/** Rows grouped by a key: those of key `k` are `rows[starts[k] … starts[k + 1]]`, in the order in which they came. */
export interface Grouped {
  readonly rows: Int32Array;
  /** `[keys + 1]`. */
  readonly starts: Int32Array;
}

/**
 * Stable counting sort.
 * @param rows - the rows in their present order
 * @param key - by row, 0…size - 1
 * @throws RangeError for a key outside of that range: such a row would be dropped in silence
 */
export function groupBy(rows: Int32Array, key: Int32Array, size: number): Grouped {
  const starts = new Int32Array(size + 1);
  for (let i = 0; i < rows.length; i++) {
    const k = key[rows[i] as number] as number;
    if (k < 0 || k >= size) throw new RangeError(`row ${rows[i] as number} has the key ${k} of ${size}`);
    starts[k + 1] = (starts[k + 1] as number) + 1;
  }
  for (let k = 0; k < size; k++) starts[k + 1] = (starts[k + 1] as number) + (starts[k] as number);
  const next = starts.slice();
  const sorted = new Int32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    const k = key[row] as number;
    const to = next[k] as number;
    next[k] = to + 1;
    sorted[to] = row;
  }
  return { rows: sorted, starts };
}

/** 0, 1, 2, … */
export function everyRow(count: number): Int32Array {
  const rows = new Int32Array(count);
  for (let i = 0; i < count; i++) rows[i] = i;
  return rows;
}

const DIGIT = 11;
const SIZE = 1 << DIGIT;
/** Digits of a float64, low to high: half of the number, shift in it. */
const DIGITS = [
  [0, 0],
  [0, DIGIT],
  [0, 2 * DIGIT],
  [1, 0],
  [1, DIGIT],
  [1, 2 * DIGIT],
] as const;
const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** The rows by falling score, ties (0 and -0 among them) as they came: a radix sort over the bits of the numbers. Scores must be finite. */
export function byFallingScore(rows: Int32Array, score: Float64Array): Int32Array {
  const n = rows.length;
  const [low, high] = fallingKeys(score);
  let from: Int32Array = rows;
  let to: Int32Array = new Int32Array(n);
  const counts = new Int32Array(SIZE);
  for (const [half, shift] of DIGITS) {
    const key = half === 0 ? low : high;
    counts.fill(0);
    for (let i = 0; i < n; i++) {
      const digit = ((key[from[i] as number] as number) >>> shift) & (SIZE - 1);
      counts[digit] = (counts[digit] as number) + 1;
    }
    // All alike, as the low digits of scores that were float32.
    if (n > 0 && counts[((key[from[0] as number] as number) >>> shift) & (SIZE - 1)] === n) continue;
    let sum = 0;
    for (let d = 0; d < SIZE; d++) {
      const count = counts[d] as number;
      counts[d] = sum;
      sum += count;
    }
    for (let i = 0; i < n; i++) {
      const row = from[i] as number;
      const digit = ((key[row] as number) >>> shift) & (SIZE - 1);
      const at = counts[digit] as number;
      counts[digit] = at + 1;
      to[at] = row;
    }
    [from, to] = [to, from === rows ? new Int32Array(n) : from];
  }
  return from;
}

/** Both halves of 64-bit keys whose rising order as whole numbers is the falling order of the scores. */
function fallingKeys(score: Float64Array): readonly [Uint32Array, Uint32Array] {
  const n = score.length;
  const low = new Uint32Array(n);
  const high = new Uint32Array(n);
  const one = new Float64Array(1);
  const bits = new Uint32Array(one.buffer);
  for (let i = 0; i < n; i++) {
    one[0] = (score[i] as number) + 0; // -0 becomes 0
    const l = bits[LITTLE_ENDIAN ? 0 : 1] as number;
    const h = bits[LITTLE_ENDIAN ? 1 : 0] as number;
    // Negative numbers grow in magnitude with their bits: already falling. Others are turned round.
    const negative = h >>> 31 === 1;
    low[i] = negative ? l : ~l;
    high[i] = negative ? h : h ^ 0x7fffffff;
  }
  return [low, high];
}
