import type { Report, TensorHistogram } from '../types.js';
import { histogramFigure } from './histogram.js';
import { html, Markup } from './markup.js';
import type { Section } from './section.js';

/** Tensors drawn at once. */
const DRAWN = 30;

/** Histograms of the INT8 tensors with the range of each calibrator: the worst drawn, the others on demand. */
export function tensorsSection({ histograms = [] }: Report): Section | undefined {
  if (histograms.length === 0) return undefined;
  const rest = histograms.slice(DRAWN);
  return {
    id: 'tensors',
    title: 'Tensors',
    body: html`<p>
        What calibration saw of each tensor that runs in INT8, and where each calibrator would clip it; the
        tensors with least signal left come first. Where a calibrator keeps many dB more than the range in
        force, it would serve this tensor better. Counts rise by powers of ten. An arrow means that the range
        in force lies beyond the largest value, as where a Concat shares one scale.
      </p>
      <div class="grid4">${histograms.slice(0, DRAWN).map(histogramFigure)}</div>
      ${
        rest.length === 0
          ? undefined
          : html`<div class="tools" id="more-tensors" hidden>
                <label
                  >Another of ${rest.length} tensors
                  <select id="tensor">
                    <option value="">choose</option>
                  </select></label
                >
              </div>
              <div class="grid4" id="chosen-tensor"></div>
              <noscript><p>${rest.length} more tensors are in report.json.</p></noscript>
              <script type="application/json" id="tensor-data">
                ${json(rest)}
              </script>`
      }`,
  };
}

/** Data that no text in it can end: `<` never stands in the page as itself. */
function json(value: readonly TensorHistogram[]): Markup {
  return new Markup(JSON.stringify(value).replace(/</g, '\\u003c'));
}
