import { rate, signed, variantsOf } from '../numbers.js';
import type { Report } from '../types.js';
import { html, px, type Markup } from './markup.js';
import type { Section } from './section.js';
import { classOf } from './precision.js';

/** AP of every class in every variant, those that lose most first. */
export function classesSection(report: Report): Section | undefined {
  const variants = variantsOf(report);
  const reference = report.variants.fp32.perClass.filter(({ boxes }) => boxes > 0);
  if (reference.length === 0) return undefined;
  const others = variants.slice(1);
  const apOf = (variant: (typeof variants)[number][1]): ReadonlyMap<string, number> =>
    new Map(variant.perClass.map(({ name, AP }) => [name, AP]));
  const aps = others.map(([, variant]) => apOf(variant));
  const rows = reference
    .map(({ name, AP, boxes }) => ({
      name,
      AP,
      boxes,
      changes: aps.map((one) => (one.get(name) ?? NaN) - AP),
    }))
    .sort((a, b) => least(a.changes) - least(b.changes));
  const most = Math.max(
    0.02,
    ...rows.flatMap(({ changes }) => changes.map(Math.abs)).filter(Number.isFinite),
  );
  return {
    id: 'classes',
    title: 'Classes',
    body: html`<p>
        AP50-95 of each class and its change against FP32, largest loss first. Classes with few boxes swing by
        chance.
      </p>
      <div class="tools">
        <label>Search <input type="search" data-filter="class-table" placeholder="class" hidden /></label>
        <output data-count="class-table"></output>
      </div>
      <div class="wide tall">
        <table class="sortable" id="class-table">
          <thead>
            <tr>
              <th scope="col">class</th>
              <th scope="col" class="n">boxes</th>
              <th scope="col" class="n">FP32</th>
              ${others.map(
                ([name]) =>
                  html`<th scope="col" class="n">${name}</th>
                    <th scope="col" class="n">change</th>`,
              )}
              <th scope="col" data-fixed>change −${most.toFixed(2)} … +${most.toFixed(2)}</th>
            </tr>
          </thead>
          <tbody>
            ${rows.map(
              ({ name, AP, boxes, changes }) =>
                html`<tr>
                  <td class="name">${name}</td>
                  <td class="n" data-v="${boxes}">${boxes}</td>
                  <td class="n">${rate(AP)}</td>
                  ${changes.map(
                    (one) =>
                      html`<td class="n">${Number.isNaN(one) ? '–' : rate(AP + one)}</td>
                        <td class="n" data-v="${Number.isNaN(one) ? 9 : Number(one.toFixed(5))}">
                          ${Number.isNaN(one) ? '–' : signed(one)}
                        </td>`,
                  )}
                  <td>
                    ${bars(
                      changes,
                      others.map(([variant]) => variant),
                      most,
                    )}
                  </td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>`,
  };
}

function least(values: readonly number[]): number {
  return Math.min(Infinity, ...values.filter((value) => !Number.isNaN(value)));
}

/** Changes as bars left and right of nothing. */
function bars(changes: readonly number[], names: readonly string[], most: number): Markup {
  const height = 7 * changes.length + 3;
  return html`<svg class="bars" viewBox="0 0 160 ${height}" aria-hidden="true">
    <path class="zero" d="M80 0V${height}" />
    ${changes.map((change, i) => {
      const width = Number.isNaN(change) ? 0 : (78 * Math.abs(change)) / most;
      return html`<rect
        class="bar ${classOf(names[i] ?? '')}"
        x="${px(change < 0 ? 80 - width : 80)}"
        y="${2 + 7 * i}"
        width="${px(width)}"
        height="6"
      />`;
    })}
  </svg>`;
}
