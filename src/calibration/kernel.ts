/** The compiled loops of kernel.wat, one memory for all of them. */
import { KERNEL } from './generated/kernel.js';
import { BINS } from './types.js';

/** Places of kernel.wat. */
const TABLES = [1024, 66_576, 132_128, 197_680] as const;
const VALUES = 263_232;
/** Bits of infinity: those of |x| that are no smaller are infinity or NaN. */
const NOT_FINITE = 0x7f80_0000;
/** Values that are looked at at once: they and the tables stay in the processor's second cache. */
export const CHUNK = 32_768;

/** The part of WebAssembly's own interface that is needed here: it comes with the types of browsers only. */
interface WebAssemblyPart {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

/** Four of the least, four of the greatest. */
type Lanes = readonly [number, number, number, number, number, number, number, number];

/** See kernel.wat. */
interface Loops {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly bounds: (end: number) => void;
  readonly count: (end: number, perUnit: number) => void;
}

/** Least and greatest of some values, and counts of |x| by bin; made when it is first needed, one a thread. */
export class Kernel {
  private static only: Kernel | undefined;
  private readonly lanes: Float32Array;
  private readonly bits: Uint32Array;
  private readonly values: Float32Array;
  private readonly tables: readonly Uint32Array[];
  /** Values that were put in last, padded with the first of them to a multiple of eight. */
  private length = 0;

  private constructor(private readonly loops: Loops) {
    const { buffer } = loops.memory;
    this.lanes = new Float32Array(buffer, 0, 8);
    this.bits = new Uint32Array(buffer, 32, 4);
    this.values = new Float32Array(buffer, VALUES, CHUNK);
    // Entry 0 counts zeros, entry i + 1 bin i.
    this.tables = TABLES.map((at) => new Uint32Array(buffer, at, BINS + 1));
  }

  static get(): Kernel {
    return (this.only ??= new Kernel(instantiate()));
  }

  /** Puts values in, {@link CHUNK} at most and one at least. Answers their bounds; undefined where one is not finite. */
  bounds(values: Float32Array): readonly [low: number, high: number] | undefined {
    this.values.set(values);
    this.length = values.length;
    for (; this.length % 8 !== 0; this.length++) this.values[this.length] = values[0] as number;
    this.loops.bounds(VALUES + 4 * this.length);
    if (this.bits.some((bits) => bits >= NOT_FINITE)) return undefined;
    const [a, b, c, d, e, f, g, h] = this.lanes as unknown as Lanes;
    // -0 becomes 0: which of the two came first must not show.
    return [Math.min(a, b, c, d) + 0, Math.max(e, f, g, h) + 0];
  }

  /**
   * Counts the values that were put in last, finite ones. Bins are closed above, (i, i + 1] / perUnit: rounding up puts a
   * value that equals the limit into the last bin, and merging pairs keeps it where a wider histogram would have put it.
   * Bins closed below would not: exactly 1 is in the last bin of [0, 1], but above the middle, not below it, of [0, 2].
   *
   * @param perUnit bins per unit of |x|, a power of two or 0.
   * @param count how many were put in.
   */
  count(perUnit: number, count: number): void {
    this.loops.count(VALUES + 4 * this.length, perUnit);
    const first = Math.ceil(Math.abs(this.values[0] as number) * perUnit);
    // Padding went into the tables of its lanes.
    for (let i = count; i < this.length; i++) (this.tables[i % 4] as Uint32Array)[first]!--;
  }

  /** Adds all counts to a histogram and forgets them. Answers how many zeros there were, which lie in bin 0. */
  drain(bins: Float64Array): number {
    const [a, b, c, d] = this.tables as readonly [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
    for (let i = 1; i <= BINS; i++)
      bins[i - 1] =
        (bins[i - 1] as number) +
        ((a[i] as number) + (b[i] as number)) +
        ((c[i] as number) + (d[i] as number));
    const zeros = (a[0] as number) + (b[0] as number) + (c[0] as number) + (d[0] as number);
    bins[0] = (bins[0] as number) + zeros;
    for (const table of this.tables) table.fill(0);
    return zeros;
  }
}

function instantiate(): Loops {
  const { Module, Instance } = (globalThis as unknown as { readonly WebAssembly: WebAssemblyPart })
    .WebAssembly;
  return new Instance(new Module(Buffer.from(KERNEL, 'base64')), {}).exports as Loops;
}
