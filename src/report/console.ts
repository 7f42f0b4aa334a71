/** Text for a terminal: broken at words, and painted where colour is wanted. */

/** How a terminal is written to. */
export interface ConsoleStyle {
  readonly color: boolean;
  /** Columns. */
  readonly width: number;
}

/** SGR codes: verdicts in green, red and yellow, headings bold. */
const CODES = { pass: 32, ok: 32, fail: 31, missing: 31, inconclusive: 33, warn: 33, heading: 1 } as const;

/** A word in the colour of what it says. */
export function painted(
  text: string,
  tone: keyof typeof CODES,
  { color }: Pick<ConsoleStyle, 'color'>,
): string {
  return color ? `\u001b[${CODES[tone]}m${text}\u001b[0m` : text;
}

/**
 * Breaks at blanks; a word wider than the terminal stays whole, so that paths can be copied.
 * @param indent - put before every line but the first
 */
export function wrapped(text: string, width: number, indent = ''): string {
  const [first = '', ...words] = text.split(' ');
  const lines: string[] = [];
  let line = first;
  for (const word of words) {
    if (line.trim() !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}

/** Breaks every line of a text, going on below its first word, or two blanks further in where it is an entry `name: words`. */
export function wrappedLines(text: string, width: number): string {
  return text
    .split('\n')
    .map((line) => {
      const start = line.trimStart();
      const indent = line.slice(0, line.length - start.length);
      return indent + wrapped(start, width - indent.length, `${indent}  `);
    })
    .join('\n');
}
