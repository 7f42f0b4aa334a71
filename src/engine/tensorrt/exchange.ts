/** The file through which images and outputs pass between the program and the worker, which maps it. */
import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { halfToFloat } from '../../onnx/index.js';
import { floatToHalf } from '../canvas.js';
import type { ElementType, HostTensor } from '../types.js';

/** Bytes of one element. */
export const ELEMENT_BYTES: Readonly<Record<ElementType, number>> = {
  float32: 4,
  float16: 2,
  int64: 8,
  int32: 4,
  uint8: 1,
  int8: 1,
  bool: 1,
};

/** Tensors begin at multiples of this. */
const ALIGNMENT = 64;

/** The next place for a tensor behind `size` bytes at `offset`. */
export function after(offset: number, size: number): number {
  return Math.ceil((offset + size) / ALIGNMENT) * ALIGNMENT;
}

/** A file of fixed size; in memory where the machine has `/dev/shm`. */
export class ExchangeFile {
  readonly path: string;
  private readonly file: number;

  constructor(readonly size: number) {
    const folder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
    this.path = join(folder, `int8-gate-${process.pid}-${randomUUID()}`);
    this.file = openSync(this.path, 'wx+', 0o600);
    ftruncateSync(this.file, size);
  }

  write(offset: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;)
      done += writeSync(this.file, bytes, done, bytes.length - done, offset + done);
  }

  read(offset: number, size: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(size);
    for (let done = 0; done < size;) {
      const got = readSync(this.file, bytes, done, size - done, offset + done);
      if (got === 0) throw new Error(`the exchange file ends at ${offset + done}`);
      done += got;
    }
    return bytes;
  }

  close(): void {
    closeSync(this.file);
    rmSync(this.path, { force: true });
  }
}

/** Values as the engine's memory holds them. */
export function toBytes(values: ArrayLike<number>, type: ElementType): Uint8Array {
  const raw = ((): ArrayBufferView => {
    switch (type) {
      case 'float32':
        return values instanceof Float32Array ? values : Float32Array.from(values);
      case 'float16':
        return Uint16Array.from(values, floatToHalf);
      case 'int64':
        return BigInt64Array.from(Array.from(values, (value) => BigInt(value)));
      case 'int32':
        return Int32Array.from(values);
      case 'int8':
        return Int8Array.from(values);
      case 'uint8':
      case 'bool':
        return values instanceof Uint8Array ? values : Uint8Array.from(values);
    }
  })();
  return new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
}

/** The engine's memory as a tensor; `bytes` must not be a view into a larger buffer. */
export function toTensor(
  bytes: Uint8Array<ArrayBuffer>,
  type: ElementType,
  dims: readonly number[],
): HostTensor {
  const { buffer } = bytes;
  switch (type) {
    case 'float32':
      return { type, dims, data: new Float32Array(buffer) };
    case 'float16':
      return { type, dims, data: Float32Array.from(new Uint16Array(buffer), halfToFloat) };
    case 'int64':
      return { type, dims, data: Float64Array.from(new BigInt64Array(buffer), Number) };
    case 'int32':
      return { type, dims, data: new Int32Array(buffer) };
    case 'int8':
      return { type, dims, data: new Int8Array(buffer) };
    case 'uint8':
    case 'bool':
      return { type, dims, data: bytes };
  }
}
