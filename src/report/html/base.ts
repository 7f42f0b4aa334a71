import { decibels, rate, signed } from '../numbers.js';
import type { BaseSection, LayerChange, Report } from '../types.js';
import { chart, steps } from './axes.js';
import { html, path, px, type Content, type Markup } from './markup.js';
import { variantLegend } from './precision.js';
import type { Section } from './section.js';

/** What the pull request changes against its base: accuracy, layers, and settings. */
export function baseSection({
  base,
  variants,
  settingsChanges = [],
  waivers = [],
  history = [],
}: Report): Section | undefined {
  if (base === undefined && settingsChanges.length + waivers.length + history.length === 0) return undefined;
  return {
    id: 'base',
    title: 'Against the base',
    body: html`${
      base === undefined
        ? undefined
        : html`<p>${base.sentence}</p>
            ${accuracy(base, variants)}${
              base.causes.length === 0
                ? undefined
                : html`<ul>
                    ${base.causes.map((one) => html`<li>${one}</li>`)}
                  </ul>`
            }${moved(base)}${layers(base.layers)}`
    }
    ${settings(settingsChanges)}${waived(waivers)}${past(history)}`,
  };
}

/** Names by direction: what the plan keeps in another precision than the base's does. */
function moved({ moved: found }: BaseSection): Content {
  if (found === undefined) return undefined;
  const line = (what: string, names: readonly string[]): Content =>
    names.length === 0
      ? undefined
      : html`<p>${what} (${names.length}): <span class="name">${names.join(', ')}</span></p>`;
  return html`<h3>Moved between INT8 and float</h3>
    ${line('INT8 → float', found.toFloat)}${line('float → INT8', found.toInt8)}`;
}

function accuracy(
  { where, commit, createdAt, candidate, variants: before, drop, noInterval }: BaseSection,
  now: Report['variants'],
): Markup {
  const rows = (['fp32', 'int8', 'mixed'] as const).flatMap((name) => {
    const [a, b] = [before[name], now[name]?.stats];
    return a === undefined || b === undefined
      ? []
      : [
          html`<tr>
            <th scope="row"><i class="dot ${name}"></i> ${name === 'mixed' ? name : name.toUpperCase()}</th>
            <td class="n">${rate(a.AP)}</td>
            <td class="n">${rate(b.AP)}</td>
            <td class="n">
              ${signed(b.AP - a.AP)}${name === candidate && drop !== undefined && drop.low !== null && drop.high !== null ? html` <small>(${signed(-drop.high)}…${signed(-drop.low)})</small>` : undefined}
            </td>
            <td class="n">${rate(a.AP50)}</td>
            <td class="n">${rate(b.AP50)}</td>
          </tr>`,
        ];
  });
  return html`<div class="wide">
      <table>
        <thead>
          <tr>
            <th></th>
            <th class="n">mAP50-95 base</th>
            <th class="n">now</th>
            <th class="n">change</th>
            <th class="n">mAP50 base</th>
            <th class="n">now</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
    <p class="quiet">
      Base: ${where}${commit === undefined ? '' : `, commit ${commit.slice(0, 12)}`},
      ${createdAt.slice(0, 10)}.${noInterval === undefined ? '' : ` No interval: ${noInterval}`}
    </p>`;
}

/** From the base to now, `–` where one has no such number. */
function pair([before, now]: readonly (number | null)[], show: (value: number) => string): string {
  const one = (value: number | null | undefined): string =>
    value === null || value === undefined ? '–' : show(value);
  return `${one(before)} → ${one(now)}`;
}

function layers(changes: readonly LayerChange[]): Content {
  const shown = changes.filter(({ kind }) => kind !== 'renamed');
  const renamed = changes.length - shown.length;
  const words =
    renamed === 0
      ? undefined
      : html`<p class="quiet">${renamed} layers have another name and are otherwise as they were.</p>`;
  if (shown.length === 0)
    return html`<p>No layer became more or less sensitive.</p>
      ${words}`;
  return html`<div class="wide tall">
      <table class="sortable">
        <thead>
          <tr>
            <th scope="col">layer</th>
            <th scope="col">what</th>
            <th scope="col" class="n">SQNR dB</th>
            <th scope="col" class="n">rank</th>
            <th scope="col">plan</th>
            <th scope="col" class="n">range</th>
            <th scope="col">cause</th>
          </tr>
        </thead>
        <tbody>
          ${shown.map(
            ({ kind, name, before, rank, sqnr, precision, range, cause }) =>
              html`<tr>
                <td>
                  <span class="name">${name}</span
                  >${before === undefined ? undefined : html` <small>was ${before}</small>`}
                </td>
                <td>${kind}</td>
                <td class="n" data-v="${change(sqnr)}">${pair(sqnr, decibels)}</td>
                <td class="n" data-v="${change(rank)}">${pair(rank, String)}</td>
                <td>
                  ${precision.base === precision.head ? (precision.head ?? '').toUpperCase() : `${precision.base ?? '–'} → ${precision.head ?? '–'}`.toUpperCase()}
                </td>
                <td class="n">${range === undefined ? '' : `×${range.toFixed(2)}`}</td>
                <td>${cause}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${words}`;
}

function change([before, now]: readonly (number | null)[]): number {
  return Number(((now ?? 0) - (before ?? 0)).toFixed(3));
}

function settings(changes: NonNullable<Report['settingsChanges']>): Content {
  if (changes.length === 0) return undefined;
  return html`<h3>Settings that the pull request changes</h3>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th>setting</th>
            <th>base</th>
            <th>here</th>
            <th>judged by</th>
          </tr>
        </thead>
        <tbody>
          ${changes.map(
            ({ path: key, base, head, judgedBy }) =>
              html`<tr>
                <td><code>${key}</code></td>
                <td><code>${base ?? '–'}</code></td>
                <td><code>${head ?? '–'}</code></td>
                <td>${judgedBy}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

function waived(waivers: NonNullable<Report['waivers']>): Content {
  if (waivers.length === 0) return undefined;
  return html`<h3>Waivers that were used</h3>
    <ul>
      ${waivers.map(
        ({ metric, subject, allowedDrop, drop, reason, owner, expires }) =>
          html`<li>
            ${metric}${subject === undefined ? '' : ` of ${subject}`}: a drop of ${drop.toFixed(3)} where
            ${allowedDrop} is allowed until ${expires}, by ${owner}: ${reason}
          </li>`,
      )}
    </ul>`;
}

/** mAP of earlier runs on the default branch. */
function past(history: NonNullable<Report['history']>): Content {
  if (history.length < 2) return undefined;
  const values = history.flatMap(({ fp32, int8, mixed }) => [fp32, int8, ...(mixed === null ? [] : [mixed])]);
  const room = Math.max(0.005, (Math.max(...values) - Math.min(...values)) * 0.1);
  const [from, to] = [Math.max(0, Math.min(...values) - room), Math.min(1, Math.max(...values) + room)];
  const names = (['fp32', 'int8', 'mixed'] as const).filter((name) =>
    history.some((one) => one[name] !== null),
  );
  return html`<h3>Earlier runs on the default branch</h3>
    <figure>
      ${chart(
        {
          title: 'mAP50-95 of earlier runs, oldest first',
          width: 560,
          height: 240,
          x: {
            label: `${history[0]?.createdAt.slice(0, 10) ?? ''} to ${history.at(-1)?.createdAt.slice(0, 10) ?? ''}`,
            from: 0,
            to: history.length - 1,
            ticks: [],
          },
          y: { label: 'mAP50-95', from, to, ticks: steps(from, to, 5) },
        },
        (x, y) =>
          names.map(
            (name) =>
              html`<path
                  class="line ${name}"
                  d="${path(history.map((one, i) => [x(i), one[name] === null ? NaN : y(one[name])] as const))}"
                />${history.map((one, i) =>
                  one[name] === null
                    ? undefined
                    : html`<circle class="point ${name}" r="3" cx="${px(x(i))}" cy="${px(y(one[name]))}"
                        ><title>
                          ${one.createdAt.slice(0, 10)} ${one.commit?.slice(0, 8) ?? ''}: ${rate(one[name])}
                        </title></circle
                      >`,
                )}`,
          ),
      )}
    </figure>
    ${variantLegend(names)}`;
}
