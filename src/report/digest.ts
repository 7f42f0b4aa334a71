import { createHash } from 'node:crypto';

/** SHA-256 of a text, base64: how a content security policy names what it lets run. */
export function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('base64');
}
