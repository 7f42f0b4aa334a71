import { keyOf, packNumbers, unpackNumbers, type Shelf, type Store } from '../store/index.js';
import type { Power } from '../engine/index.js';

/** What one candidate made of one image, decoded. */
export interface Seen {
  /** By head tensor. */
  readonly heads: readonly Power[];
  /** Error of the group's own output; undefined where it was not looked at. */
  readonly local: Power | undefined;
  /** Detections as `detectionNumbers` packs them; undefined when the outputs could not be decoded. */
  readonly boxes: Float64Array | undefined;
}

/** What the network in INT8 made of one image. */
export interface SeenBase {
  readonly heads: readonly Power[];
  readonly observed: readonly Power[];
}

/** Where a sweep's measurements are kept. */
export interface SweepMemory {
  readonly store: Store;
  /** Everything but networks and images that measurements depend on: engine, machine, decoder, program. */
  readonly identity: unknown;
  /** Of what each image depends on, by index of the feed; undefined for one that is not kept. */
  readonly images: readonly (string | undefined)[];
}

/**
 * Measurements by image and by what ran: digests of all parts of the network with their weights and scales. One image
 * changed makes its own useless; a range, those of candidates that hold its scale; a weight, all that its network made.
 */
export class Recall {
  private constructor(
    private readonly images: SweepMemory['images'],
    private readonly shelf: Shelf | undefined,
  ) {}

  static async open(memory: SweepMemory | undefined, float: string): Promise<Recall> {
    if (memory === undefined) return new Recall([], undefined);
    const { store, identity, images } = memory;
    return new Recall(images, await store.shelf('sweep', keyOf({ identity, float })));
  }

  /** Detections of the float network. */
  float(image: number, observed: boolean): Float64Array | undefined {
    return unpackNumbers(this.get(image, 'float', observed));
  }

  keepFloat(image: number, observed: boolean, boxes: Float64Array): void {
    this.put(image, 'float', observed, packNumbers(boxes));
  }

  base(image: number, digest: string): SeenBase | undefined {
    const value = this.get(image, digest, true);
    if (!Array.isArray(value)) return undefined;
    const [heads, observed] = value.map(powersOf);
    return heads === undefined || observed === undefined ? undefined : { heads, observed };
  }

  keepBase(image: number, digest: string, { heads, observed }: SeenBase): void {
    this.put(image, digest, true, [packPowers(heads), packPowers(observed)]);
  }

  /** @param observed whether it ran beside observed tensors: what is handed out is not fused, and may differ in its last bits. */
  seen(image: number, digest: string, observed: boolean): Seen | undefined {
    const value = this.get(image, digest, observed);
    if (!Array.isArray(value)) return undefined;
    const [packed, own, rows] = value as unknown[];
    const [heads, local, boxes] = [powersOf(packed), powersOf(own), unpackNumbers(rows)];
    if (heads === undefined || local === undefined || (rows !== null && boxes === undefined))
      return undefined;
    return { heads, local: local[0], boxes };
  }

  keep(image: number, digest: string, observed: boolean, { heads, local, boxes }: Seen): void {
    this.put(image, digest, observed, [
      packPowers(heads),
      packPowers(local === undefined ? [] : [local]),
      boxes === undefined ? null : packNumbers(boxes),
    ]);
  }

  private get(image: number, what: string, observed: boolean): unknown {
    const name = this.name(image, what, observed);
    return name === undefined ? undefined : this.shelf?.get(name);
  }

  private put(image: number, what: string, observed: boolean, value: unknown): void {
    const name = this.name(image, what, observed);
    if (name !== undefined) this.shelf?.put(name, value);
  }

  private name(image: number, what: string, observed: boolean): string | undefined {
    const digest = this.images[image];
    return digest === undefined ? undefined : `${digest} ${what}${observed ? ' observed' : ''}`;
  }
}

function packPowers(powers: readonly Power[]): string {
  return packNumbers(powers.flatMap(({ signal, noise }) => [signal, noise]));
}

function powersOf(text: unknown): readonly Power[] | undefined {
  const numbers = unpackNumbers(text);
  if (numbers === undefined || numbers.length % 2 !== 0) return undefined;
  return Array.from({ length: numbers.length / 2 }, (_, i) => ({
    signal: numbers[2 * i] as number,
    noise: numbers[2 * i + 1] as number,
  }));
}
