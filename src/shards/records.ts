import type { SharedStore, Shelf, Store } from '../store/index.js';

/** What was measured: JSON values by shelf (`kind` and `key` of a store, as `kind-key`), then by name. */
export type Records = ReadonlyMap<string, ReadonlyMap<string, unknown>>;

/** A store that keeps what is put on it in memory, for who writes it down. */
export class Recording implements Store {
  private readonly shelves: Map<string, Map<string, unknown>>;

  /** @param known - what lies on it already. */
  constructor(
    readonly shared: SharedStore,
    known: Records = new Map(),
  ) {
    this.shelves = new Map([...known].map(([shelf, values]) => [shelf, new Map(values)]));
  }

  get records(): Records {
    return this.shelves;
  }

  shelf(kind: string, key: string): Promise<Shelf> {
    const name = `${kind}-${key}`;
    const values = this.shelves.get(name) ?? new Map<string, unknown>();
    this.shelves.set(name, values);
    return Promise.resolve({
      size: values.size,
      get: (one) => values.get(one),
      put: (one, value) => void values.set(one, value),
    });
  }
}

/** All records together. Of two under one name, which are of images alike, the first counts. */
export function joinRecords(parts: readonly Records[]): Records {
  const joined = new Map<string, Map<string, unknown>>();
  for (const part of parts)
    for (const [shelf, values] of part) {
      const all = joined.get(shelf) ?? new Map<string, unknown>();
      joined.set(shelf, all);
      for (const [name, value] of values) if (!all.has(name)) all.set(name, value);
    }
  return joined;
}
