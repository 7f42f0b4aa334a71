/** Names that others chose, and what must not become of them. */

/** What has broken comments, logs and terminals before. */
export const NASTY = [
  '::error::pwned',
  '\n::set-output name=x::y',
  '\r::add-mask::a',
  ' ::stop-commands::x',
  '##[error]x',
  '##[group]',
  '::',
  '%0A::error::',
  '|',
  '\\|',
  '`',
  '```',
  '~~~',
  '<script>alert(1)</script>',
  '<!--',
  '-->',
  '</details>',
  '<img src=x onerror=alert(1)>',
  '@everyone',
  '@octo/team',
  'a@b.example',
  '#1',
  'GH-1',
  'octo/signs#1',
  '[x](javascript:alert(1))',
  '![x](https://x.example/y.png)',
  'https://x.example',
  'www.example.com',
  'ftp://x.example',
  'mailto:a@b.example',
  '[^1]',
  '*',
  '**',
  '__',
  '$$x$$',
  '- [ ] ',
  '# ',
  '> ',
  '1. ',
  '---',
  '===',
  '&lt;b&gt;',
  '&#64;',
  '\u001b[2J\u001b[31m',
  '\u001b]8;;http://x\u0007',
  '\u0000',
  '\u0085::error::',
  '\u2028::error::',
  '\u202e',
  '\u2066',
  '\u200b',
  '\ufeff',
  '\u00ad',
  '\u{e0041}',
  '\ud800',
  '\udc00',
  '\t',
  ' ',
  '../../etc/passwd',
  '__proto__',
  'constructor',
  '${{ github.token }}',
  '$(id)',
  ';rm -rf /',
  'é',
  '層',
] as const;

/** Control and format characters: they move a cursor, end a line or turn the direction of text. */
export const CONTROL =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Surrogate}/u;
/** Tags of our own. */
const OURS = /<\/?(details|summary|sub|br)>/g;

/** What a reader's browser, GitHub or a runner would take for more than text. */
export function dangersIn(markdown: string): string[] {
  const own = markdown.replace(OURS, '');
  return [
    ...(own.match(/<[a-z!/?]/gi) ?? []),
    ...(own.match(/@/g) ?? []),
    ...(own.match(/\]\(/g) ?? []),
    ...(own.match(/(?:https?|ftp|mailto):/gi) ?? []),
    ...(own.match(/www\./gi) ?? []),
    ...(own.match(/gh-\d/gi) ?? []),
    // What entities become is looked at again for mentions and issues.
    ...(own.match(/(?:&#64;|&#35;)(?!&#8203;)/g) ?? []),
    ...(CONTROL.exec(own) ?? []),
  ];
}

/** Rows that have another number of cells than the head of their table. */
export function brokenRows(markdown: string): string[] {
  return markdown.split('\n\n').flatMap((block) => {
    const rows = block.split('\n').filter((line) => line.startsWith('|'));
    const cells = (row: string): number => row.split('|').length;
    return rows.filter((row) => cells(row) !== cells(rows[0] as string));
  });
}
