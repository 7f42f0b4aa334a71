/** Numbers as the sentences of checks show them. */
import { short as significant } from '../words/index.js';

/** Of accuracy: three digits, and a minus as reports have it. */
export function fixed(value: number): string {
  return value
    .toFixed(3)
    .replace(/^-(0\.000)$/, '$1')
    .replace('-', '−');
}

/** Of anything else: four significant digits. */
export function short(value: number): string {
  return significant(value, 4);
}
