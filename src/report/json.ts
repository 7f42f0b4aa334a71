/** JSON that people can read: indented, with each list of numbers on a line of its own. */
export function formatJson(value: unknown): string {
  // Inside a text a line break is escaped, so that only lists can match.
  return `${JSON.stringify(value, null, 2).replace(/\[\n\s+(-?[\d.][^"[\]{}]*?)\n\s+\]/g, (_, items: string) => `[${items.replace(/,\n\s+/g, ', ')}]`)}\n`;
}
