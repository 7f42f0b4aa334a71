import type { TensorHistogram } from '../types.js';
import { chart, countPlace, countSteps, shortNumber, steps } from './axes.js';
import { html, px, type Content, type Markup } from './markup.js';

/** Classes of the style sheet for calibrators' lines, in the order of the report. */
const STROKES = 8;

/** What one tensor holds, and where each calibrator would clip it. Drawn on the page, and in the browser on demand. */
export function histogramFigure({
  tensor,
  layers,
  counts,
  binWidth,
  amax,
  sqnr,
  clips,
  min,
  max,
}: TensorHistogram): Markup {
  const reach = Math.max(binWidth * counts.length, Number.MIN_VALUE);
  const most = Math.max(1, ...counts);
  const beyond = amax > reach;
  return html`<figure class="tensor">
    <figcaption>
      <span class="name" title="${tensor}">${tensor}</span>
      <small title="read by ${layers.join(', ')}"
        >${shortNumber(min)}…${shortNumber(max)}, read by
        ${layers[0] ?? 'no INT8 layer'}${layers.length > 1 ? ` and ${layers.length - 1} more` : ''}</small
      >
    </figcaption>
    ${chart(
      {
        title: `Values of ${tensor} and its clipping ranges`,
        width: 420,
        height: 210,
        x: { label: '|x|', from: 0, to: reach, ticks: steps(0, reach, 5) },
        y: { label: 'values', from: 0, to: countPlace(most) * 1.05, ticks: countSteps(most) },
      },
      (x, y): Content =>
        html`<path
            class="hist"
            d="${stairs(
              counts,
              (i) => x(i * binWidth),
              (count) => y(countPlace(count)),
              y(0),
            )}"
          />${clips.map(
            (clip, i) =>
              html`<path class="clip c${i % STROKES}" d="M${px(x(Math.min(clip.amax, reach)))} ${px(y(0))}V10"
                ><title>${clip.calibrator}: ${shortNumber(clip.amax)}</title></path
              >`,
          )}<path
            class="force"
            d="M${px(x(Math.min(amax, reach)))} ${px(y(0))}V10${beyond ? 'm0 4l6 -4l-6 -4' : ''}"
            ><title>in force: ${shortNumber(amax)}</title></path
          >`,
    )}
    <table class="clips">
      <tbody>
        <tr>
          <td>
            <svg class="key" viewBox="0 0 22 10" aria-hidden="true"><path class="force" d="M1 5H21" /></svg>
          </td>
          <th scope="row">in force</th>
          <td class="n">${shortNumber(amax)}${beyond ? ' →' : ''}</td>
          <td class="n">${decibel(sqnr)}</td>
        </tr>
        ${clips.map(
          (clip, i) =>
            html`<tr>
              <td>
                <svg class="key" viewBox="0 0 22 10" aria-hidden="true">
                  <path class="clip c${i % STROKES}" d="M1 5H21" />
                </svg>
              </td>
              <th scope="row">${clip.calibrator}</th>
              <td class="n">${shortNumber(clip.amax)}</td>
              <td class="n">${decibel(clip.sqnr)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </figure>`;
}

function decibel(sqnr: number | null): string {
  return sqnr === null ? 'lossless' : `${sqnr.toFixed(1)} dB`;
}

function stairs(
  counts: readonly number[],
  x: (bin: number) => number,
  y: (count: number) => number,
  floor: number,
): string {
  const steps = counts.map((count, i) => `V${px(y(count))}H${px(x(i + 1))}`);
  return `M${px(x(0))} ${px(floor)}${steps.join('')}V${px(floor)}Z`;
}
