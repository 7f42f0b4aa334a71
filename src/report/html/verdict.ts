import { VERDICTS, sortedChecks } from '../numbers.js';
import type { Report } from '../types.js';
import { html, type Markup } from './markup.js';

const MARKS = { pass: '✓', fail: '✗', inconclusive: '?', missing: '✗' } as const;

/** The first thing to read: verdict, why, what to do, and every threshold. */
export function verdictSection({ verdict, model, createdAt }: Report): Markup {
  const { kind, why, todo } = verdict;
  const sorted = sortedChecks(verdict);
  return html`<section class="verdict ${kind}" id="verdict">
      <h1>
        <span class="mark" aria-hidden="true">${MARKS[kind]}</span> ${VERDICTS[kind]}
        <small>${model.file}, ${createdAt.slice(0, 10)}</small>
      </h1>
      <p class="why">${why}</p>
      ${
        todo.length === 0
          ? undefined
          : html`<h2>What to do</h2>
              <ol>
                ${todo.map((one) => html`<li>${one}</li>`)}
              </ol>`
      }
    </section>
    <section id="thresholds">
      <h2>Thresholds (${verdict.candidate})</h2>
      <ul class="checks">
        ${sorted.map(
          (check) =>
            html`<li class="${check.kind}">
              <span class="badge ${check.kind}">${MARKS[check.kind]} ${check.kind}</span> ${check.sentence}
            </li>`,
        )}
      </ul>
    </section>`;
}
