/** Largest id for which a plain table is kept: 16 MiB. */
const DENSE = 1 << 22;

/** From ids of a file to places in a table. */
export class IdIndex {
  private readonly table: Int32Array | undefined;
  private readonly map: ReadonlyMap<number, number> | undefined;

  constructor(items: readonly { readonly id: number }[]) {
    const largest = items.reduce((max, { id }) => (id < 0 ? Infinity : Math.max(max, id)), 0);
    if (largest < DENSE) {
      const table = new Int32Array(largest + 1).fill(-1);
      items.forEach(({ id }, i) => (table[id] = i));
      this.table = table;
    } else this.map = new Map(items.map(({ id }, i) => [id, i]));
  }

  /** Place of an id; -1 where it is unknown (also for numbers that are no ids). */
  at(id: number): number {
    if (this.table !== undefined) return this.table[id] ?? -1;
    return this.map?.get(id) ?? -1;
  }
}
