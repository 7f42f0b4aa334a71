import { InputFault } from '../faults/index.js';
import type { Problem } from '../faults/index.js';

/** Mistakes beyond this many are counted, not listed. */
const LISTED = 20;

/** Gathers mistakes in a file so that a user sees them together and not one a run. */
export class Problems {
  private readonly list: Problem[] = [];
  private count = 0;

  add(where: string, what: string, fix?: string): void {
    this.count += 1;
    if (this.list.length < LISTED) this.list.push(fix === undefined ? { where, what } : { where, what, fix });
  }

  get any(): boolean {
    return this.count > 0;
  }

  /** @throws InputFault when anything was added. */
  throwIfAny(source: string): void {
    if (this.count === 0) return;
    const more = this.count - this.list.length;
    const tail: Problem[] =
      more > 0
        ? [
            {
              where: source,
              what: `and ${more} more mistakes like these`,
              fix: 'Correct the first ones and run again.',
            },
          ]
        : [];
    throw new InputFault([...this.list, ...tail]);
  }
}

/** A value as it looks in a message, cut short. */
export function show(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
