/** How findings speak of numbers and lists. */
export { counted, listed, short } from '../words/index.js';

export function dB(value: number): string {
  return `${value.toFixed(1)} dB`;
}

/** Layers of several tensors, each once, in order. */
export function layersOf(tensors: readonly { readonly layers: readonly string[] }[]): string[] {
  return [...new Set(tensors.flatMap(({ layers }) => layers))];
}
