import { counted } from '../../words/index.js';
import { percent, rate, signed } from '../numbers.js';
import type { PlanSection, Report, SearchPoint } from '../types.js';
import { chart, legend, steps, type Axis } from './axes.js';
import { html, path, px, type Content, type Markup } from './markup.js';
import type { Section } from './section.js';

/** The plan that is judged, and every plan that was tried: accuracy against cost. */
export function plansSection(report: Report): Section | undefined {
  const { search = [], plan } = report;
  if (search.length === 0 && plan === undefined) return undefined;
  return {
    id: 'plans',
    title: 'Plans',
    body: html`${plan === undefined ? undefined : planText(plan)}${search.length === 0 ? undefined : curve(report, search)}${plan === undefined ? undefined : html`${floatTable(plan)}${alternatives(plan)}`}`,
  };
}

const SOURCES = {
  default: 'It follows from the settings by rule.',
  found: 'It was found by the search.',
  committed: 'It is committed',
} as const;

const ENDINGS = {
  cheapest: 'nothing cheaper was left',
  'none-passes': 'no plan passes',
  minutes: 'its minutes were spent',
  'float-layers': 'more layers may not be float',
  'int8-share': 'less may not run in INT8',
} as const;

function planText(plan: PlanSection): Markup {
  const { source, file, int8Share, reformats, latencyMs, search, stale, blame } = plan;
  return html`<p>
      The judged plan runs ${percent(int8Share)} of the multiply-accumulates in INT8 with
      ${counted(reformats, 'conversion')} between INT8 and
      float${latencyMs === null ? '' : `, ${latencyMs.toFixed(2)} ms an image by the profile`}.
      ${SOURCES[source]}${source === 'committed' ? ` as ${file ?? 'a file'}.` : ''}
    </p>
    ${search === undefined ? undefined : html`<p class="quiet">The search ended because ${ENDINGS[search.ended]}: ${counted(search.fullEvaluations, 'plan')} on all images, ${search.subsetEvaluations} on ${search.subsetImages}, ${search.cachedEvaluations} known from earlier, ${search.seconds.toFixed(0)} s.</p>`}
    ${stale === undefined ? undefined : html`<p><span class="badge warning">stale</span> ${stale.sentence}</p>`}
    ${blame.length === 0 ? undefined : html`<p>No plan passes. What costs most: <span class="names">${blame.join(', ')}</span></p>`}`;
}

/** mAP of each plan against its cost, or against its float layers where no cost is known; best ones joined. */
function curve({ variants }: Report, search: readonly SearchPoint[]): Markup {
  const full = search.filter((one) => one.full !== false);
  const points = full.length > 0 ? full : search;
  const priced = points.every(({ cost }) => cost !== undefined);
  const costOf = (one: SearchPoint): number => (priced ? (one.cost ?? 0) : one.floatLayers);
  const scores = [...points.map(({ score }) => score), variants.fp32.stats.AP];
  const [least, most] = [Math.min(...scores), Math.max(...scores)];
  const room = Math.max(0.005, (most - least) * 0.1);
  const [from, to] = [Math.max(0, least - room), Math.min(1, most + room)];
  const widest = Math.max(priced ? 0.01 : 1, ...points.map(costOf)) * 1.08;
  const x: Axis = {
    label: priced ? 'cost: share of what INT8 would have saved' : 'more layers in float',
    from: -widest * 0.04,
    to: widest,
    ticks: steps(0, widest, 6).filter(([one]) => priced || Number.isInteger(one)),
  };
  const best = points.filter(({ pareto }) => pareto === true).sort((a, b) => costOf(a) - costOf(b));
  return html`<figure>
      ${chart(
        {
          title: 'mAP50-95 of each plan against its cost',
          width: 560,
          height: 300,
          x,
          y: { label: 'mAP50-95', from, to, ticks: steps(from, to, 5) },
        },
        (across, up) =>
          html`<path
              class="line fp32"
              d="M${px(across(x.from))} ${px(up(variants.fp32.stats.AP))}H${px(across(widest))}"
            /><path
              class="front"
              d="${path(best.map((one) => [across(costOf(one)), up(one.score)] as const))}"
            />${points.map((one) => mark(one, across(costOf(one)), up(one.score)))}`,
      )}
      <figcaption>
        Each mark is a plan; the thin line joins those that no other beats in accuracy and in cost. The plan
        to ship is the cheapest dot: further right costs speed, further up gains accuracy.
      </figcaption>
    </figure>
    ${legend([
      ['fp32', 'FP32'],
      ['passes', 'holds every threshold (dot)'],
      ['fails', 'does not (cross)'],
    ])}`;
}

function mark(
  { floatLayers, passes, score, kept = [], low, high, drop }: SearchPoint,
  x: number,
  y: number,
): Markup {
  const spread =
    drop === undefined || drop === null
      ? ''
      : `, change ${signed(-drop)}${low === undefined || low === null || high === undefined || high === null ? '' : ` (${signed(-high)}…${signed(-low)})`}`;
  const names = kept.length === 0 ? '' : `: ${kept.slice(0, 6).join(', ')}${kept.length > 6 ? ', …' : ''}`;
  return html`<g class="${passes ? 'passes' : 'fails'}"
    ><title>
      mAP50-95 ${rate(score)}${spread}, ${passes ? 'passes' : 'does not pass'}; ${floatLayers} more layers in
      float${names}</title
    >${
      passes
        ? html`<circle class="point" r="5" cx="${px(x)}" cy="${px(y)}" />`
        : html`<path class="cross" d="M${px(x - 4)} ${px(y - 4)}l8 8m0 -8l-8 8" />`
    }</g
  >`;
}

function floatTable({ layers }: PlanSection): Content {
  if (layers.length === 0) return undefined;
  return html`<details${layers.length <= 12 ? html` open` : undefined}><summary>Layers that differ from plain INT8 (${layers.length})</summary><div class="wide"><table><thead><tr><th>layer</th><th>runs in</th><th class="n">MACs</th><th>why</th></tr></thead><tbody>${layers.map(
    ({ name, precision, calibrator, macShare, why }) =>
      html`<tr>
        <td><span class="name">${name}</span></td>
        <td>${precision.toUpperCase()}${calibrator === undefined ? '' : `, ${calibrator}`}</td>
        <td class="n">${percent(macShare)}</td>
        <td>${why}</td>
      </tr>`,
  )}</tbody></table></div></details>`;
}

function alternatives({ alternatives: others }: PlanSection): Content {
  if (others.length === 0) return undefined;
  return html`<h3>Next best plans</h3>
    <ul>
      ${others.map(
        ({ score, int8Share, passes, kept, why }) =>
          html`<li>
            mAP50-95 ${rate(score)}, ${percent(int8Share)} of MACs in INT8,
            ${passes ? 'passes' : 'does not pass'}: ${why}
            <span class="names"
              >${kept.slice(0, 12).join(', ')}${kept.length > 12 ? `, and ${kept.length - 12} more` : ''}</span
            >
          </li>`,
      )}
    </ul>`;
}
