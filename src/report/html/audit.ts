import { contactSheet, type SheetGroup, type SheetImage } from '../contact-sheet.js';
import { percent } from '../numbers.js';
import type { AuditSection, Report } from '../types.js';
import { chart, shortNumber, steps } from './axes.js';
import { html, path, px, type Content, type Markup } from './markup.js';
import type { Section } from './section.js';

const ORDER = { fail: 0, warn: 1, pass: 2 } as const;
const BADGES = { pass: ['pass', '✓ pass'], warn: ['warning', '? look'], fail: ['fail', '✗ fail'] } as const;
/** Tensors in the table of drift. */
const DRIFTED = 12;
/** Half of the images must give this share of the range, or it is still growing. */
const SETTLED = 0.9;
/** Tensors that reach less than this further are not worth a row. */
const FURTHER = 1.1;
/** Side of a picture, units of the drawing. */
const SIDE = 112;

/** What the calibration images are worth, and those to look at. */
export function auditSection({ audit }: Pick<Report, 'audit'>): Section | undefined {
  if (audit === undefined) return undefined;
  const { verdict, calibration, validation } = audit;
  const sorted = [...audit.checks].sort((a, b) => ORDER[a.kind] - ORDER[b.kind]);
  const open = sorted.filter(({ kind }) => kind !== 'pass');
  const held = sorted.filter(({ kind }) => kind === 'pass');
  const failed = verdict.kind === 'fail';
  const observed =
    validation.observed === undefined || validation.observed === validation.images
      ? ''
      : ` Tensors were observed on ${validation.observed} of them.`;
  return {
    id: 'calibration',
    title: 'Calibration images',
    body: html`<p>
        <span class="badge ${failed ? 'fail' : 'pass'}">${failed ? '✗ fail' : '✓ pass'}</span>
        ${open.some(({ sentence }) => sentence === verdict.why) ? 'INT8 ranges come from these images, and they do not show what they should.' : verdict.why}
      </p>
      <p class="quiet">
        ${calibration.images} calibration images (${calibration.source}, ${calibration.calibrator}) beside
        ${validation.images} validation images (${validation.source}).${observed}
      </p>
      ${open.length === 0 ? undefined : answers(open)}${
        held.length === 0
          ? undefined
          : html`<details>
              <summary>Questions that hold (${held.length})</summary>
              ${answers(held)}
            </details>`
      }${sheet(audit)}
      <div class="grid2">${growthChart(audit)}${driftTable(audit)}</div>`,
  };
}

function answers(checks: AuditSection['checks']): Markup {
  return html`<ul class="checks">
    ${checks.map(({ kind, metric, sentence, advice, limit }) => {
      const [tone, words] = BADGES[kind];
      return html`<li class="${tone}">
        <span class="badge ${tone}">${words}</span> <b>${metric}</b> ${sentence}
        <small>(asked: ${limit})</small
        >${advice === '' ? undefined : html` <br /><span class="advice">→ ${advice}</span>`}
      </li>`;
    })}
  </ul>`;
}

function sheet(audit: AuditSection): Content {
  const pictures = new Map(
    (audit.pictures ?? []).map(({ set, name, thumbnail }) => [`${set} ${name}`, thumbnail]),
  );
  const groups = contactSheet(audit);
  const row = (group: SheetGroup): Markup =>
    html`<div class="sheet">${tiles(group).map((tile) => tileOf(tile, pictures))}</div>`;
  const missing = groups.filter(({ kind }) => kind === 'missing');
  return [
    missing.length === 0
      ? undefined
      : html`<h3>Kinds of images that calibration lacks</h3>
          <p>
            Validation images of each kind. Calibrate on some like these, but not on these: mAP would look
            better than it will be.
          </p>
          <div class="grid2">
            ${missing.map(
              (group) =>
                html`<div>
                  <p><b>${group.title}</b><br /><small>${group.sentence}</small></p>
                  ${row(group)}
                </div>`,
            )}
          </div>`,
    ...groups
      .filter(({ kind }) => kind !== 'missing')
      .map(
        (group) =>
          html`<h3>${group.title}</h3>
            <p>${group.sentence}</p>
            ${row(group)}`,
      ),
  ];
}

function tiles({ layout, images }: SheetGroup): readonly (readonly SheetImage[])[] {
  if (layout === 'single') return images.map((one) => [one]);
  return Array.from({ length: images.length >> 1 }, (_, i) => images.slice(2 * i, 2 * i + 2));
}

/** An image, or two that are the same side by side. */
function tileOf(images: readonly SheetImage[], pictures: ReadonlyMap<string, string>): Markup {
  return html`<div class="tile">
    ${images.map(({ set, name, words }) => {
      const thumbnail = pictures.get(`${set} ${name}`);
      return html`<figure>
        <svg class="thumb" viewBox="0 0 ${SIDE} ${SIDE}" role="img" aria-label="${name}">
          ${
            thumbnail === undefined
              ? html`<rect class="ground" width="${SIDE}" height="${SIDE}" />`
              : html`<image href="data:image/jpeg;base64,${thumbnail}" width="${SIDE}" height="${SIDE}" />`
          }
        </svg>
        <figcaption>
          <span class="name">${name}</span>${words === '' ? undefined : html`<br /><small>${words}</small>`}
        </figcaption>
      </figure>`;
    })}
  </div>`;
}

/** Whether more images would change the ranges: the curve is flat where they would not. */
function growthChart({ growth }: AuditSection): Content {
  const all = growth.at(-1)?.images ?? 0;
  if (growth.length < 3 || all < 2) return undefined;
  const [from, to] = [Math.max(0, Math.min(...growth.map(({ range }) => range)) - 0.05), 1.02];
  const half = growth.find(({ images }) => images >= all / 2)?.range ?? 1;
  const log = Math.log2;
  return html`<figure>
    <figcaption>
      Range by number of images: half of them give ${percent(half)} of it, so
      ${half < SETTLED ? 'more images would still widen it' : 'more of the same kind would change little'}.
    </figcaption>
    ${chart(
      {
        title: 'Range that so many calibration images give, as a share of the range of all',
        width: 420,
        height: 220,
        x: {
          label: 'calibration images',
          from: 0,
          to: log(all),
          ticks: growth
            .filter(({ images }) => Number.isInteger(log(images)))
            .map(({ images }) => [log(images), String(images)] as const),
        },
        y: { label: 'share of the range', from, to, ticks: steps(from, 1, 5) },
      },
      (x, y) =>
        html`<path
            class="line fp32"
            d="${path(growth.map(({ images, range }) => [x(log(images)), y(range)] as const))}"
          />${growth.map(
            ({ images, range }) =>
              html`<circle class="point fp32" r="3" cx="${px(x(log(images)))}" cy="${px(y(range))}"
                ><title>${images} images: ${percent(range)}</title></circle
              >`,
          )}`,
    )}
  </figure>`;
}

function driftTable({ drift }: AuditSection): Content {
  const worst = drift.filter(({ ratio }) => ratio > FURTHER).slice(0, DRIFTED);
  if (worst.length === 0) return undefined;
  return html`<figure>
    <figcaption>
      Tensors that reach further on validation (99.9th percentile of |x|): what lies beyond the range is cut
      off in INT8.
    </figcaption>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th>tensor</th>
            <th class="n">calibration</th>
            <th class="n">validation</th>
            <th class="n">ratio</th>
            <th class="n">cut off more</th>
          </tr>
        </thead>
        <tbody>
          ${worst.map(
            ({ tensor, calibration, validation, ratio, saturated }) =>
              html`<tr>
                <td class="name">${tensor}</td>
                <td class="n">${shortNumber(calibration)}</td>
                <td class="n">${shortNumber(validation)}</td>
                <td class="n">×${ratio.toFixed(2)}</td>
                <td class="n">${percent(saturated)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </figure>`;
}
