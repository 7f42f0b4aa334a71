/** The compiled loops of kernel.wat and their memory. */
import { KERNEL } from './generated/kernel.js';

const PAGE = 65_536;

/** Bytes in order, each block from a multiple of 8 on; the first 8 stay empty. */
export class Layout {
  readonly blocks: (readonly [at: number, values: Int32Array])[] = [];
  size = 8;

  /** Answers where a block of so many bytes lies. */
  reserve(bytes: number): number {
    const at = this.size;
    this.size += Math.ceil(bytes / 8) * 8;
    return at;
  }

  /** The same for one that never changes. */
  put(values: Int32Array): number {
    const at = this.reserve(values.byteLength);
    this.blocks.push([at, values]);
    return at;
  }
}

/** See kernel.wat; all numbers are places in the memory, in bytes. */
interface Loops {
  readonly walk: (at: number, end: number, weights: number, events: number) => void;
  readonly total: (at: number, end: number) => number;
  readonly area: (
    first: number,
    end: number,
    skipFirst: number,
    skipEnd: number,
    found: number,
    needed: number,
    highest: number,
  ) => number;
}

/** The part of WebAssembly's own interface that is needed here: it comes with the types of browsers only. */
interface WebAssemblyPart {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (size: { readonly initial: number }) => Memory;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}
interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

const { Module, Memory, Instance } = (globalThis as unknown as { readonly WebAssembly: WebAssemblyPart })
  .WebAssembly;
let compiled: object | undefined;

/** The loops over one memory. */
export class Kernel {
  readonly walk: Loops['walk'];
  readonly total: Loops['total'];
  readonly area: Loops['area'];
  private readonly memory: Memory;
  private bytes: Uint8Array;

  constructor({ size, blocks }: Layout) {
    this.memory = new Memory({ initial: Math.ceil(size / PAGE) });
    this.bytes = new Uint8Array(this.memory.buffer);
    for (const [at, values] of blocks) this.write(at, values);
    compiled ??= new Module(Buffer.from(KERNEL, 'base64'));
    const loops = new Instance(compiled, { weighted: { memory: this.memory } }).exports as Loops;
    this.walk = loops.walk;
    this.total = loops.total;
    this.area = loops.area;
  }

  /** Makes room up to a place. */
  ensure(end: number): void {
    if (end <= this.bytes.length) return;
    this.memory.grow(Math.ceil((end - this.bytes.length) / PAGE));
    this.bytes = new Uint8Array(this.memory.buffer);
  }

  write(at: number, values: Int32Array | Uint16Array): void {
    this.bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
  }
}
