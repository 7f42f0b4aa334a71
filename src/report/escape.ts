/**
 * The one border where untrusted text (layer, class, tensor and file names) meets a language that would read it:
 * Markdown and HTML, the terminal, and the commands of a runner.
 */

/**
 * Characters that move a terminal's cursor, colour it, hide text or have no glyph: controls, invisible and
 * bidirectional marks, tags, and halves of surrogate pairs.
 */
const CONTROL =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

/** Text without what a reader cannot see. */
function visible(text: string): string {
  return text.replace(CONTROL, '\ufffd');
}

/**
 * Text on one line of a terminal or a log. A runner takes a line whose first word starts with `::` for a command, and
 * `##[` anywhere in it; a sentence may be wrapped before any of its words.
 */
export function terminalText(text: string): string {
  return visible(text)
    .replace(/(^|\s)(:{2,})/g, (_, before: string, colons: string) => before + [...colons].join(' '))
    .replaceAll('##[', '## [');
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
  // GitHub looks for mentions, issues and addresses in the text that entities became: a character of no width parts them.
  '#': '&#35;&#8203;',
  '@': '&#64;&#8203;',
  '\\': '&#92;',
  $: '&#36;',
  ':': '&#58;',
};

/** Addresses that become links without any sign of Markdown, and references such as `GH-1`. */
const LINKS = /(?:https?|ftp|mailto|xmpp)(?=:)|www(?=\.)|gh(?=-\d)/gi;

/** Signs that open a list, a heading or a rule at the start of a line. */
const OPENING = /^(\s*)([-+=]|\d+[.)](?=\s|$))/;

function escape(text: string, signs: RegExp): string {
  return visible(text)
    .replace(LINKS, (one) => `${one}\u200b`)
    .replace(signs, (one) => ENTITIES[one] as string)
    .replaceAll('\u200b', '&#8203;')
    .trimStart()
    .replace(OPENING, (_, space: string, mark: string) => `${space}&#${mark.charCodeAt(0)};${mark.slice(1)}`);
}

/** Text inside Markdown, also in a table cell: shown as it is, never a link, a mention, a tag or a new cell. */
export function markdownText(text: string): string {
  return escape(text, /[&<>"'|`*_~[\]()!#@\\$:]/g);
}

/** Text inside HTML or SVG, in an element or a quoted attribute. */
export function htmlText(text: string): string {
  return text.replace(CONTROL, '\ufffd').replace(/[&<>"']/g, (one) => ENTITIES[one] as string);
}

/** A sentence of ours that holds names: readable signs stay, dangerous ones go. */
export function markdownSentence(text: string): string {
  return escape(text, /[&<>|`*_~[\]!#@\\$]/g);
}

/** Cuts the middle out of a text longer than `most` characters: both ends of a name tell most. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = Math.ceil((most - 1) / 2);
  const before = text.slice(0, head).replace(/[\ud800-\udbff]$/, '');
  const after = text.slice(text.length - (most - 1 - head)).replace(/^[\udc00-\udfff]/, '');
  return `${before}…${after}`;
}
