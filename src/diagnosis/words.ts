/** How findings speak of numbers and lists. */

/** Three significant digits. */
export function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

export function dB(value: number): string {
  return `${value.toFixed(1)} dB`;
}

/** `a, b, c and 4 more`. */
export function listed(names: readonly string[], most = 3): string {
  if (names.length <= most) return names.join(', ');
  return `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}

/** `1 tensor`, `3 tensors`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Layers of several tensors, each once, in order. */
export function layersOf(tensors: readonly { readonly layers: readonly string[] }[]): string[] {
  return [...new Set(tensors.flatMap(({ layers }) => layers))];
}
