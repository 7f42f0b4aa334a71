import { html, px, type Content, type Markup } from './markup.js';

/** One axis of a chart, in the units of what it shows. */
export interface Axis {
  readonly label: string;
  /** Value at the left or the bottom, and at the other end; `from` may be the larger. */
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly (readonly [value: number, text: string])[];
}

/** From a value to its place. */
export type Place = (value: number) => number;

/** Room around the plot, units of the drawing. */
const LEFT = 46;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 36;

/**
 * A chart with two axes and a grid.
 * @param title - what it shows, for those who do not see it
 * @param body - draws inside the plot with the places of values on both axes
 */
export function chart(
  {
    title,
    width,
    height,
    x,
    y,
  }: {
    readonly title: string;
    readonly width: number;
    readonly height: number;
    readonly x: Axis;
    readonly y: Axis;
  },
  body: (x: Place, y: Place) => Content,
): Markup {
  const across = placeOn(x, LEFT, width - RIGHT);
  const up = placeOn(y, height - BOTTOM, TOP);
  const rows = y.ticks.map(
    ([value, text]) =>
      html`<path class="grid" d="M${LEFT} ${px(up(value))}H${width - RIGHT}" /><text
          class="tick end"
          x="${LEFT - 5}"
          y="${px(up(value) + 4)}"
          >${text}</text
        >`,
  );
  const columns = x.ticks.map(
    ([value, text]) =>
      html`<path class="notch" d="M${px(across(value))} ${height - BOTTOM}v4" /><text
          class="tick middle"
          x="${px(across(value))}"
          y="${height - BOTTOM + 16}"
          >${text}</text
        >`,
  );
  return html`<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
    ${rows}${columns}
    <path class="axis" d="M${LEFT} ${height - BOTTOM}H${width - RIGHT}" />
    <text class="label middle" x="${px((LEFT + width - RIGHT) / 2)}" y="${height - 4}">${x.label}</text>
    <text class="label middle" transform="rotate(-90)" x="${px(-(TOP + height - BOTTOM) / 2)}" y="11">
      ${y.label}
    </text>
    ${body(across, up)}
  </svg>`;
}

function placeOn({ from, to }: Axis, start: number, end: number): Place {
  const span = to - from || 1;
  return (value) => start + ((value - from) / span) * (end - start);
}

/** Round ticks between two values, about `count` of them. */
export function steps(from: number, to: number, count = 5): readonly (readonly [number, string])[] {
  const span = Math.abs(to - from);
  if (!(span > 0) || !Number.isFinite(span)) return [[from, shortNumber(from)]];
  const raw = span / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((one) => one * power >= raw * 0.999) ?? 10);
  const low = Math.min(from, to);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(Math.max(from, to) / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const value = (first + i) * step;
    return [value, shortNumber(Number(value.toPrecision(10)))] as const;
  });
}

/** Ticks of counts from 0 to `most`, shown as log10(1 + count). */
export function countSteps(most: number): readonly (readonly [number, string])[] {
  const highest = Math.max(1, Math.floor(Math.log10(Math.max(1, most))));
  const by = Math.ceil(highest / 4);
  const powers = Array.from({ length: Math.floor(highest / by) }, (_, i) => 10 ** ((i + 1) * by));
  const shown = most < 10 ? [most] : powers;
  return [[0, '0'], ...shown.map((count) => [countPlace(count), shortNumber(count)] as const)];
}

/** Where a count stands on the axis of {@link countSteps}. */
export function countPlace(count: number): number {
  return Math.log10(1 + count);
}

/** A number of any size in few characters: 0.012, 3.4, 128, 12k, 3M. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  const text =
    size === 0
      ? '0'
      : size >= 1e9
        ? scaled(size, 1e9, 'G')
        : size >= 1e6
          ? scaled(size, 1e6, 'M')
          : size >= 1e4
            ? scaled(size, 1e3, 'k')
            : size >= 1e-3
              ? String(Number(size.toPrecision(3)))
              : size.toExponential(0);
  return `${value < 0 ? '−' : ''}${text}`;
}

function scaled(size: number, by: number, unit: string): string {
  return `${Number((size / by).toPrecision(3))}${unit}`;
}

/** A line of a legend: a mark in the colour of its class, and words. */
export function legend(items: readonly (readonly [kind: string, words: string])[]): Markup {
  return html`<p class="legend">
    ${items.map(
      ([kind, words]) =>
        html`<span
          ><svg class="key" viewBox="0 0 22 10" aria-hidden="true">
            <path class="line ${kind}" d="M1 5H21" /></svg
          >${words}</span
        > `,
    )}
  </p>`;
}
