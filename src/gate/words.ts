/** Numbers as the sentences of checks show them. */

/** Of accuracy: three digits. */
export function fixed(value: number): string {
  return value.toFixed(3);
}

/** Of anything else: four significant digits. */
export function short(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value);
}
