import { createHash } from 'node:crypto';

/** SHA-256 of a text, base64: how a content security policy names what it lets run. */
export function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('base64');
}

/** SHA-256 over digests of files in their order, hexadecimal digits. */
export function digestOf(digests: readonly string[]): string {
  return createHash('sha256').update(digests.join('\n'), 'utf8').digest('hex');
}
