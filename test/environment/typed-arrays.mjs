// onnxruntime-node checks its tensors with the outer realm's constructors; jest runs tests in a realm of its own.
import { TestEnvironment } from 'jest-environment-node';

const NAMES = [
  'ArrayBuffer',
  'SharedArrayBuffer',
  'DataView',
  'Float16Array',
  'Float32Array',
  'Float64Array',
  'Int8Array',
  'Int16Array',
  'Int32Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Uint16Array',
  'Uint32Array',
  'BigInt64Array',
  'BigUint64Array',
];

export default class TypedArrayEnvironment extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    for (const name of NAMES) if (name in globalThis) this.global[name] = globalThis[name];
  }
}
