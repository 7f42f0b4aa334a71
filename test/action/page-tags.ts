/** An opening tag of a page. */
export interface Tag {
  readonly name: string;
  /** Values as they are written, entities and all. */
  readonly attributes: ReadonlyMap<string, string>;
}

const OPENING = /<([a-z][^\s/>]*)((?:[^"'>]|"[^"]*"|'[^']*')*)>/giy;
const ATTRIBUTE = /([^\s"'>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g;

/**
 * The opening tags of a page as a browser's tokenizer finds them: a tag begins at `<` and a letter, quotes hide its end,
 * and all up to `</script`, `</style` or `-->` is no markup.
 */
export function tagsOf(page: string): Tag[] {
  const tags: Tag[] = [];
  let at = 0;
  const skipTo = (end: RegExp): void => {
    const found = page.slice(at).search(end);
    if (found < 0) throw new Error(`the page ends before ${end.source}`);
    at += found;
  };
  while ((at = page.indexOf('<', at)) >= 0) {
    if (page.startsWith('<!--', at)) {
      skipTo(/-->/);
      continue;
    }
    OPENING.lastIndex = at;
    const [whole, name = '', inside = ''] = OPENING.exec(page) ?? [];
    at += whole?.length ?? 1;
    if (whole === undefined) continue;
    const attributes = [...inside.matchAll(ATTRIBUTE)].map(
      ([, key = '', double, single, bare]): [string, string] => [
        key.toLowerCase(),
        double ?? single ?? bare ?? '',
      ],
    );
    tags.push({ name: name.toLowerCase(), attributes: new Map(attributes) });
    if (/^(?:script|style)$/i.test(name)) skipTo(new RegExp(`</${name}`, 'i'));
  }
  return tags;
}
