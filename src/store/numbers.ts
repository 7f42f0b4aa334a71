/**
 * Numbers as text, bit for bit: JSON knows neither NaN nor infinities, which a broken layer makes.
 * Little-endian float64 in base64.
 */
export function packNumbers(values: ArrayLike<number>): string {
  const bytes = new Uint8Array(values.length * 8);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) view.setFloat64(8 * i, values[i] as number, true);
  return Buffer.from(bytes.buffer).toString('base64');
}

/** What {@link packNumbers} was given; undefined when the text is not of its making. */
export function unpackNumbers(text: unknown): Float64Array | undefined {
  if (typeof text !== 'string') return undefined;
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length % 8 !== 0 || bytes.toString('base64') !== text) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Float64Array.from({ length: bytes.length / 8 }, (_, i) => view.getFloat64(8 * i, true));
}
