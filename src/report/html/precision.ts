import { engineRows, mebibytes, rate, signed, variantsOf } from '../numbers.js';
import type { Report, ReportVariant } from '../types.js';
import { chart, legend, steps } from './axes.js';
import { html, px, type Markup } from './markup.js';
import type { Section } from './section.js';

/** FP32 beside its quantized variants, with the interval of each drop. */
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
              ${rows}
            </tbody>`}
        </table>
      </div>
      ${intervals(variants)}`,
  };
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

/** Change of mAP50-95 and mAP50 against FP32 as points with their intervals. */
function intervals(variants: readonly (readonly [string, ReportVariant])[]): Markup | undefined {
  const rows = variants.flatMap(([name, { drop, drop50 }]) =>
    (
      [
        ['mAP50-95', drop],
        ['mAP50', drop50],
      ] as const
    ).flatMap(([metric, one]) =>
      one === undefined || one.low === null || one.high === null
        ? []
        : [{ name, metric, point: -one.drop, low: -one.high, high: -one.low }],
    ),
  );
  if (rows.length === 0) return undefined;
  const least = Math.min(-0.01, ...rows.map(({ low }) => low));
  const most = Math.max(0.01, ...rows.map(({ high }) => high));
  const room = (most - least) * 0.08;
  const [from, to] = [least - room, most + room];
  const height = 60 + 24 * rows.length;
  const label = (i: number): number => rows.length - i - 0.5;
  return html`<figure>
    ${chart(
      {
        title: 'Change of mAP against FP32 with its interval',
        width: 560,
        height,
        x: { label: 'change against FP32 (0 = none)', from, to, ticks: steps(from, to, 6) },
        y: { label: '', from: 0, to: rows.length, ticks: [] },
      },
      (x, y) =>
        html`<path class="zero" d="M${px(x(0))} ${px(y(0))}V${px(y(rows.length))}" />${rows.map(
            ({ name, metric, point, low, high }, i) =>
              html`<g class="${classOf(name)}"
                  ><title>${name} ${metric}: ${signed(point)} (${signed(low)}…${signed(high)})</title
                  ><path class="line" d="M${px(x(low))} ${px(y(label(i)))}H${px(x(high))}" /><circle
                    class="point"
                    r="4.5"
                    cx="${px(x(point))}"
                    cy="${px(y(label(i)))}" /></g
                ><text class="tick" x="4" y="${px(y(label(i)) - 8)}">${name} ${metric}</text>`,
          )}`,
    )}
    <figcaption>
      A dot is the measured change, its line the interval from resampled images. Where a line crosses an
      allowed drop, the images cannot decide.
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
