/** Numbers as the sentences of checks show them. */
import { short as significant } from '../words/index.js';

/** Of accuracy: three digits. */
export function fixed(value: number): string {
  return value.toFixed(3);
}

/** Of anything else: four significant digits. */
export function short(value: number): string {
  return significant(value, 4);
}
