import { decibels, mapChange, percent, placeOf, precisionOf } from '../numbers.js';
import type { LayerRow, Report } from '../types.js';
import { legend } from './axes.js';
import { depthChart } from './depth-chart.js';
import { html, type Content, type Markup } from './markup.js';
import type { Section } from './section.js';

/** A column of the table: its heading, what a cell shows, and what it is sorted by (its text where left out). */
interface Column {
  readonly title: string;
  readonly help?: string;
  readonly text?: boolean;
  readonly cell: (row: LayerRow) => Content;
  readonly key?: (row: LayerRow) => number;
}

/** An output that did not change sorts behind every other. */
const UNCHANGED = 1e9;

const ALWAYS: readonly Column[] = [
  {
    title: '#',
    help: 'rank, and the places it takes on resampled images',
    cell: placeOf,
    key: ({ rank }) => rank,
  },
  { title: 'layer', text: true, cell: nameCell },
  { title: 'op', text: true, cell: ({ opType }) => opType },
  {
    title: 'plan',
    text: true,
    cell: (row) =>
      html`<span class="chip ${row.precision === 'int8' ? 'int8' : 'float'}">${precisionOf(row)}</span>`,
  },
  {
    title: 'SQNR dB',
    help: 'signal left at the output with this layer alone in INT8; lower is worse',
    cell: ({ sqnr }) => decibels(sqnr),
    key: ({ sqnr }) => sqnr ?? UNCHANGED,
  },
  {
    title: 'mAP change',
    help: 'with this layer alone in INT8, with its interval where there is one',
    cell: (row) => mapChange(row),
    key: ({ mapDrop }) => -(mapDrop ?? -UNCHANGED),
  },
  {
    title: 'MACs',
    help: 'share of the network',
    cell: ({ macShare }) => percent(macShare),
    key: ({ macShare }) => macShare ?? -1,
  },
  {
    title: 'bytes',
    help: 'share of the weights and activations that layers move',
    cell: ({ byteShare }) => (byteShare === undefined ? '' : percent(byteShare)),
    key: ({ byteShare }) => byteShare ?? -1,
  },
];

/** Columns that not every ranking fills. */
const SOMETIMES: readonly (Column & { readonly has: (row: LayerRow) => boolean })[] = [
  ...(
    [
      ['weights dB', 'only its weights in INT8', 'weightsSqnr'],
      ['input dB', 'only its input in INT8', 'activationsSqnr'],
      ['gain dB', 'what the output gains when all but this layer run in INT8', 'gain'],
    ] as const
  ).map(([title, help, name]) => ({
    title,
    help,
    cell: (row: LayerRow) => (row[name] === undefined ? '' : decibels(row[name])),
    key: (row: LayerRow) => row[name] ?? UNCHANGED,
    has: (row: LayerRow) => row[name] !== undefined,
  })),
  {
    title: 'depth',
    help: 'place along the network',
    cell: ({ depth }) => depth,
    key: ({ depth }) => depth,
    has: () => true,
  },
  { title: 'cause', text: true, cell: ({ cause }) => cause, has: ({ cause }) => cause !== undefined },
];

/** The chart along depth, and every layer in a table that sorts and searches. */
export function layersSection({ sensitivity }: Report): Section | undefined {
  if (sensitivity === undefined || sensitivity.layers.length === 0) return undefined;
  const { layers, images } = sensitivity;
  const columns = [...ALWAYS, ...SOMETIMES.filter(({ has }) => layers.some(has))];
  return {
    id: 'layers',
    title: 'Layers',
    body: html`<p>
        Each layer alone in INT8 on ${images} images, most harmful first. The higher a bar, the less signal is
        left at the output; what is high and still in INT8 is where mAP is lost. A mark leads to the layer's
        row.
      </p>
      <figure class="wide"><div class="broad">${depthChart(layers)}</div></figure>
      ${legend([
        ['int8', 'INT8 in the plan'],
        ['float', 'float in the plan'],
      ])}
      <div class="tools">
        <label
          >Search <input type="search" data-filter="layer-table" placeholder="name, operator, cause" hidden
        /></label>
        <output data-count="layer-table"></output>
      </div>
      <div class="wide tall">
        <table class="sortable" id="layer-table">
          <thead>
            <tr>
              ${columns.map(heading)}
            </tr>
          </thead>
          <tbody>
            ${layers.map((row) => tableRow(row, columns))}
          </tbody>
        </table>
      </div>`,
  };
}

function heading({ title, help, text }: Column): Markup {
  return html`<th
    scope="col"
    class="${text === true ? '' : 'n'}"
    ${help === undefined ? undefined : html` title="${help}"`}
  >
    ${title}
  </th>`;
}

function tableRow(row: LayerRow, columns: readonly Column[]): Markup {
  return html`<tr id="layer-${row.rank}">
    ${columns.map(({ cell, key, text }) =>
      text === true
        ? html`<td>${cell(row)}</td>`
        : html`<td
            class="n"
            ${key === undefined ? undefined : html` data-v="${Number(key(row).toPrecision(7))}"`}
          >
            ${cell(row)}
          </td>`,
    )}
  </tr>`;
}

function nameCell({ name, together = [], head }: LayerRow): Content {
  const others =
    together.length === 0
      ? undefined
      : html` <small title="${together.join(', ')}">+${together.length}</small>`;
  return html`<span class="name">${name}</span>${others}${head ? html` <small>head</small>` : undefined}`;
}
