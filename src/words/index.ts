/** How every room speaks of numbers and names. */

/** Significant digits, without zeros behind, with the minus of print; what is not finite as JavaScript names it. */
export function short(value: number, digits = 3): string {
  const text = Number.isFinite(value) ? String(Number(value.toPrecision(digits))) : String(value);
  return text.replace(/^-/, '−');
}

/** `1 tensor`, `3 tensors`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** `a, b, c and 4 more`. */
export function listed(names: readonly string[], most = 3): string {
  if (names.length <= most) return names.join(', ');
  return `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}
