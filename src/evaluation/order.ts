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
  if (n === 0) return rows;
  const keys = fallingKeys(score);
  let from = rows;
  const spare = [new Int32Array(n), new Int32Array(n)] as const;
  const counts = new Int32Array(SIZE);
  for (const [half, shift] of DIGITS) {
    const key = keys[half];
    count(from, key, shift, counts);
    // All alike, as the low digits of scores that were float32.
    if (counts[digit(key, from[0] as number, shift)] === n) continue;
    const to = from === spare[0] ? spare[1] : spare[0];
    scatter(from, to, key, shift, counts);
    from = to;
  }
  return from;
}

function digit(key: Uint32Array, row: number, shift: number): number {
  return ((key[row] as number) >>> shift) & (SIZE - 1);
}

function count(rows: Int32Array, key: Uint32Array, shift: number, counts: Int32Array): void {
  counts.fill(0);
  for (let i = 0; i < rows.length; i++) {
    const d = digit(key, rows[i] as number, shift);
    counts[d] = (counts[d] as number) + 1;
  }
}

function scatter(
  from: Int32Array,
  to: Int32Array,
  key: Uint32Array,
  shift: number,
  counts: Int32Array,
): void {
  let sum = 0;
  for (let d = 0; d < SIZE; d++) {
    const many = counts[d] as number;
    counts[d] = sum;
    sum += many;
  }
  for (let i = 0; i < from.length; i++) {
    const row = from[i] as number;
    const d = digit(key, row, shift);
    const at = counts[d] as number;
    counts[d] = at + 1;
    to[at] = row;
  }
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
