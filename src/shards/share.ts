import { InputFault } from '../faults/index.js';

/** One part of a whole that is split evenly. */
export interface Share {
  /** 1 … count. */
  readonly index: number;
  readonly count: number;
}

/** Parts that a run may be split into; a matrix of GitHub Actions has 256 jobs at most. */
const MOST = 256;

/**
 * Reads `i/n`, the i-th of n.
 * @param where - the option or input that it came from
 * @throws InputFault when it is none, or beyond 1 … 256
 */
export function parseShare(text: string, where: string): Share {
  const [, i, n] = /^(\d{1,3})\/(\d{1,3})$/.exec(text) ?? [];
  const [index, count] = [Number(i), Number(n)];
  if (index >= 1 && index <= count && count <= MOST) return { index, count };
  throw new InputFault({
    where,
    what: `is "${text}", expected i/n with 1 ≤ i ≤ n ≤ ${MOST}`,
    fix: 'For example `3/8` for the third of eight shards.',
  });
}

/**
 * Whether the share has the item: every n-th one. Data sets are often sorted by scene or size, so that blocks would take
 * unlike times.
 * @param item - from 0 on
 */
export function mine({ index, count }: Share, item: number): boolean {
  return item % count === index - 1;
}
