/**
 * The one border where untrusted text (layer, class, tensor and file names) meets a language that would read it:
 * Markdown and HTML, and the terminal.
 */

/** Characters that move a terminal's cursor, colour it or hide text: controls, and bidirectional overrides. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Text on one line of a terminal or a log. A line that starts with `::` would be a command to the runner. */
export function terminalText(text: string): string {
  const plain = text.replace(CONTROL, '\ufffd');
  return plain.startsWith('::') ? ` ${plain}` : plain;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '|': '&#124;',
  '`': '&#96;',
  '*': '&#42;',
  _: '&#95;',
  '~': '&#126;',
  '[': '&#91;',
  ']': '&#93;',
  '(': '&#40;',
  ')': '&#41;',
  '!': '&#33;',
  '#': '&#35;',
  '@': '&#64;',
  '\\': '&#92;',
  $: '&#36;',
  ':': '&#58;',
};

/** Text inside Markdown, also in a table cell: shown as it is, never a link, a mention, a tag or a new cell. */
export function markdownText(text: string): string {
  return text
    .replace(CONTROL, '\ufffd')
    .replace(/[&<>"'|`*_~[\]()!#@\\$:]/g, (one) => ENTITIES[one] as string)
    .replace(
      /^(\s*)([-+=]|\d+\.(?=\s))/,
      (_, space: string, mark: string) => `${space}&#${mark.charCodeAt(0)};${mark.slice(1)}`,
    );
}

/** A sentence of ours that holds names: readable signs stay, dangerous ones go. */
export function markdownSentence(text: string): string {
  return text
    .replace(CONTROL, '\ufffd')
    .replace(/[&<>|`*_~[\]!#@\\$]/g, (one) => ENTITIES[one] as string)
    .replace(/https?:/g, (one) => one.replace(':', '&#58;'));
}
