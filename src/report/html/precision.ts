import { engineRows, mebibytes, rate, signed, variantsOf } from '../numbers.js';
import type { BaseSection, Report, ReportVariant } from '../types.js';
import { chart, legend, steps } from './axes.js';
import { html, px, type Markup } from './markup.js';
import type { Section } from './section.js';

/** FP32 beside its quantized variants and the base, with the interval of each drop. */
export function precisionSection(report: Report): Section {
  const variants = variantsOf(report);
  const latency = variants.some(([, { latency: one }]) => one !== undefined);
  const sqnr = variants.some(([, one]) => typeof one.sqnr === 'number');
  const head = html`<tr>
    <th></th>
    <th class="n">mAP50-95</th>
    <th class="n">change against FP32</th>
    <th class="n">mAP50</th>
    <th class="n">mAP75</th>
    <th class="n">small</th>
    <th class="n">medium</th>
    <th class="n">large</th>
    ${sqnr ? html`<th class="n">SQNR dB</th>` : undefined}
    <th class="n">detections ≥ 0.25</th>
    <th class="n">weights</th>
    <th class="n">INT8 layers</th>
    ${latency ? html`<th class="n">ms, this CPU</th>` : undefined}
  </tr>`;
  const rows = variants.map(
    ([name, one]) =>
      html`<tr>
        <th scope="row"><i class="dot ${classOf(name)}"></i> ${name}</th>
        <td class="n"><b>${rate(one.stats.AP)}</b></td>
        <td class="n">${dropText(one.drop)}</td>
        <td class="n">${rate(one.stats.AP50)}</td>
        <td class="n">${rate(one.stats.AP75)}</td>
        <td class="n">${rate(one.stats.APs)}</td>
        <td class="n">${rate(one.stats.APm)}</td>
        <td class="n">${rate(one.stats.APl)}</td>
        ${sqnr ? html`<td class="n">${typeof one.sqnr === 'number' ? one.sqnr.toFixed(1) : '–'}</td>` : undefined}
        <td class="n">${one.detections}</td>
        <td class="n">${mebibytes(one.weightBytes)}</td>
        <td class="n">${layersOf(one)}</td>
        ${latency ? html`<td class="n">${one.latency?.medianMs.toFixed(1) ?? '–'}</td>` : undefined}
      </tr>`,
  );
  return {
    id: 'precision',
    title: 'Accuracy by precision',
    body: html`<div class="wide">
        <table>
          ${html`<thead>
              ${head}
            </thead>
            <tbody>
              ${rows}${baseRow(report, head.text.split('</th>').length - 1)}
            </tbody>`}
        </table>
      </div>
      ${intervals(report)}`,
  };
}

/** What the base's judged variant came to: of the rest its report tells nothing here. */
function baseRow({ base }: Report, columns: number): Markup | undefined {
  const before = base?.variants[base.candidate];
  if (base === undefined || before === undefined) return undefined;
  return html`<tr>
    <th scope="row"><i class="dot base"></i> base, ${base.candidate === 'int8' ? 'INT8' : 'mixed'}</th>
    <td class="n">${rate(before.AP)}</td>
    <td class="n">${signed(before.AP - base.variants.fp32.AP)} <small>of its FP32</small></td>
    <td class="n">${rate(before.AP50)}</td>
    ${Array.from({ length: Math.max(0, columns - 4) }, () => html`<td class="n">–</td>`)}
  </tr>`;
}

/** Name of a variant as classes of the style sheet have it. */
export function classOf(name: string): string {
  return name.toLowerCase();
}

function layersOf({ int8Layers, floatLayers }: ReportVariant): string {
  return int8Layers === undefined ? '–' : `${int8Layers} of ${int8Layers + (floatLayers ?? 0)}`;
}

function dropText(drop: ReportVariant['drop']): Markup | string {
  if (drop === undefined) return '–';
  if (drop.low === null || drop.high === null) return signed(-drop.drop);
  return html`${signed(-drop.drop)} <small>(${signed(-drop.high)}…${signed(-drop.low)})</small>`;
}

/** The chart reaches as many times further than what is judged. */
const WIDEST = 4;

/** A change of mAP with its interval, and the largest drop that is allowed, where there is one. */
interface Change {
  readonly kind: string;
  readonly words: string;
  readonly point: number;
  readonly low: number;
  readonly high: number;
  readonly allowed: number | undefined;
  /** What is judged, or the base: it sets the scale of the chart. */
  readonly judged: boolean;
}

type Dropped = ReportVariant['drop'];

/** Changes of mAP50-95 and mAP50 against FP32, and against the base, as points with their intervals. */
function changesOf(report: Report): readonly Change[] {
  const { base, verdict } = report;
  const row = (kind: string, words: string, drop: Dropped, judged: boolean, allowed?: number): Change[] =>
    drop === undefined || drop.low === null || drop.high === null
      ? []
      : [{ kind, words, point: -drop.drop, low: -drop.high, high: -drop.low, judged, allowed }];
  const judged = (name: string): boolean => name.toLowerCase() === verdict.candidate;
  const allowed = (metric: string, against: 'fp32' | 'base'): number | undefined =>
    allowedDrop(report, metric, against);
  return [
    ...variantsOf(report).flatMap(([name, { drop, drop50 }]) => [
      ...row(
        classOf(name),
        `${name} mAP50-95`,
        drop,
        judged(name),
        judged(name) ? allowed('mAP50-95', 'fp32') : undefined,
      ),
      ...row(
        classOf(name),
        `${name} mAP50`,
        drop50,
        judged(name),
        judged(name) ? allowed('mAP50', 'fp32') : undefined,
      ),
    ]),
    ...against(base).flatMap(({ words, drop, metric }) =>
      row('base', words, drop, true, allowed(metric, 'base')),
    ),
  ];
}

function against(base: BaseSection | undefined): readonly {
  readonly words: string;
  readonly drop: Dropped;
  readonly metric: string;
}[] {
  if (base === undefined) return [];
  const name = base.candidate === 'int8' ? 'INT8' : 'mixed';
  return [
    { words: `${name} mAP50-95, against the base`, drop: base.drop, metric: 'mAP50-95' },
    { words: `${name} mAP50, against the base`, drop: base.drop50, metric: 'mAP50' },
  ];
}

/** The limit of a check as a change, from its words `drop ≤ 0.020`. */
function allowedDrop({ verdict }: Report, metric: string, against: 'fp32' | 'base'): number | undefined {
  const limits = verdict.checks.flatMap((check) => {
    const words = /^drop ≤ ([0-9.]+)$/.exec(check.limit)?.[1];
    const same =
      check.metric === metric && check.subject === undefined && (check.against ?? 'fp32') === against;
    return same && words !== undefined ? [-Number(words)] : [];
  });
  return limits.length === 0 ? undefined : Math.max(...limits);
}

function intervals(report: Report): Markup | undefined {
  const rows = changesOf(report);
  if (rows.length === 0) return undefined;
  const limits = rows.flatMap(({ allowed }) => allowed ?? []);
  const lowest = (of: readonly Change[]): number => Math.min(-0.01, ...of.map(({ low }) => low), ...limits);
  // A variant that lost everything would press what is judged to a point: it is shown at the edge, with its number.
  const least = Math.max(lowest(rows), WIDEST * lowest(rows.filter(({ judged }) => judged)));
  const most = Math.max(0.01, ...rows.map(({ high }) => high));
  const room = (most - least) * 0.08;
  // Words stand at the left: the plot keeps clear of them.
  const [from, to] = [least - room - 0.3 * (most - least), most + room];
  const step = 30;
  const y = (i: number): number => rows.length - i - 0.6;
  return html`<figure>
    ${chart(
      {
        title: 'Change of mAP with its interval',
        width: 560,
        height: 60 + step * rows.length,
        x: { label: 'change of mAP (0 = none)', from, to, ticks: steps(least - room, to, 6) },
        y: { label: '', from: 0, to: rows.length, ticks: [] },
      },
      (across, up) =>
        html`<path class="zero" d="M${px(across(0))} ${px(up(0))}V${px(up(rows.length))}" />${rows.map(
            ({ kind, words, point, low, high, allowed }, i) =>
              html`<g class="${kind}"
                  ><title>${words}: ${signed(point)} (${signed(low)}…${signed(high)})</title>${
                    point < least
                      ? html`<path
                            class="line"
                            d="M${px(across(least) + 12)} ${px(up(y(i)))}h-14l6 -5m-6 5l6 5"
                          /><text class="tick" x="${px(across(least) + 18)}" y="${px(up(y(i)) + 4)}"
                            >${signed(point)}</text
                          >`
                      : html`<path
                            class="line"
                            d="M${px(across(Math.max(low, least)))} ${px(up(y(i)))}H${px(across(high))}"
                          /><circle class="point" r="4.5" cx="${px(across(point))}" cy="${px(up(y(i)))}" />`
                  }</g
                ><text class="tick" x="4" y="${px(up(y(i)) - 9)}">${words}</text
                >${allowed === undefined ? undefined : html`<path class="allowed" d="M${px(across(allowed))} ${px(up(y(i)) - 8)}v16"><title>largest drop allowed: ${signed(allowed)}</title></path>`}`,
          )}`,
    )}
    <figcaption>
      A dot is the measured change, its line the interval from resampled
      images.${limits.length === 0 ? '' : ' The red bar is the largest drop allowed: a line wholly to its right holds, one that crosses it cannot be decided by these images.'}
    </figcaption>
  </figure>`;
}

/** Real engines, where they were built. */
export function enginesSection({ engines }: Report): Section | undefined {
  if (engines === undefined) return undefined;
  const rows = engineRows(engines).map(
    (one) =>
      html`<tr>
        <th scope="row"><i class="dot ${classOf(one.name)}"></i> ${one.name}</th>
        <td class="n"><b>${one.ap}</b></td>
        <td class="n">${one.simulated}</td>
        <td class="n">${one.ms}</td>
        <td class="n">${one.p99}</td>
        <td class="n">${one.speed}</td>
        <td class="n">${one.size}</td>
        <td class="n">${one.precisions}</td>
        <td class="n">${one.reformats}</td>
      </tr>`,
  );
  return {
    id: 'engines',
    title: 'Engines',
    body: html`<p>${engines.library} on ${engines.gpu}, CUDA ${engines.cuda}, driver ${engines.driver}.</p>
      <div class="wide">
        <table>
          <thead>
            <tr>
              <th></th>
              <th class="n">mAP50-95</th>
              <th class="n">simulated</th>
              <th class="n">ms a batch</th>
              <th class="n">p99</th>
              <th class="n">over FP16</th>
              <th class="n">engine</th>
              <th class="n">INT8 / FP16 / FP32 layers</th>
              <th class="n">reformats</th>
            </tr>
          </thead>
          <tbody>
            ${rows}
          </tbody>
        </table>
      </div>
      ${engines.noise.length === 0 ? undefined : html`<p class="quiet">Times were disturbed: ${engines.noise.join('; ')}.</p>`}`,
  };
}

/** The legend of lines by variant. */
export function variantLegend(names: readonly string[]): Markup {
  const words: Readonly<Record<string, string>> = {
    fp32: 'FP32',
    int8: 'INT8',
    mixed: 'mixed',
    base: 'base',
  };
  return legend(names.map((name) => [name, words[name] ?? name] as const));
}
