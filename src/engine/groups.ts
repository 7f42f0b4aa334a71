import type { TensorSpec } from './types.js';

/** Intermediate tensors that one run gives out, bytes. */
const FETCH_BYTES = 128 * 2 ** 20;

/**
 * Groups of tensors whose values fit the memory for one image: a session holds all the outputs that it has until the end
 * of a run, asked for or not, so each group is a session and a pass of its own. Of about equal size, in the order given.
 *
 * @param room bytes; a dimension that varies (the batch) counts as 1.
 */
export function groupsThatFit(
  tensors: readonly string[],
  outputs: readonly TensorSpec[],
  room = FETCH_BYTES,
): string[][] {
  const bytes = new Map(
    outputs.map(({ name, dims }) => [name, 4 * dims.reduce((size, dim) => size * Math.abs(dim), 1)]),
  );
  const total = tensors.reduce((sum, name) => sum + (bytes.get(name) ?? 0), 0);
  const most = total / Math.max(1, Math.ceil(total / room));
  const groups: string[][] = [[]];
  let filled = 0;
  for (const name of tensors) {
    if (filled >= most) {
      groups.push([]);
      filled = 0;
    }
    groups.at(-1)?.push(name);
    filled += bytes.get(name) ?? 0;
  }
  return groups;
}
