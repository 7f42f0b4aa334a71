import { htmlText } from '../escape.js';

/** HTML or SVG that is safe to write out: only {@link html} makes it. */
export class Markup {
  constructor(readonly text: string) {}
}

/** What may stand in a template: text is escaped, markup is not, lists are joined, undefined is nothing. */
export type Content = Markup | string | number | undefined | readonly Content[];

/** Tagged template of markup. Every text that is put in is escaped, in elements and in quoted attributes alike. */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(
    strings.reduce((text, next, i) => text + textOf(values[i - 1]) + next.replace(/\n\s*/g, '\n'), ''),
  );
}

function textOf(value: Content): string {
  if (value === undefined) return '';
  if (value instanceof Markup) return value.text;
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? htmlText(value) : value.map(textOf).join('');
}

/** A number as SVG wants it: at most one digit behind the point. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** A path through points; a point that is not finite breaks the line. */
export function path(points: Iterable<readonly [x: number, y: number]>): string {
  let [d, pen] = ['', 'M'];
  for (const [x, y] of points) {
    if (!Number.isFinite(x + y)) {
      pen = 'M';
      continue;
    }
    d += `${pen}${px(x)} ${px(y)}`;
    pen = 'L';
  }
  return d;
}
