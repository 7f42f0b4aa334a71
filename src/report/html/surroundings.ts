import { digestOf } from '../digest.js';
import { mebibytes } from '../numbers.js';
import type { Report } from '../types.js';
import { shortNumber } from './axes.js';
import { html, type Content } from './markup.js';
import type { Section } from './section.js';

/** What the numbers were made with, to make them again. */
export function surroundingsSection(report: Report): Section {
  const { model, decoder, preprocessing, data, engine, tool, createdAt, durationMs } = report;
  const { validation, calibration } = data;
  const rows: readonly (readonly [string, Content])[] = [
    ['tool', `${tool.name} ${tool.version}`],
    ['made', `${createdAt}, in ${(durationMs / 1000).toFixed(0)} s`],
    ['engine', `${engine.name} ${engine.version}, ${engine.threads} threads`],
    ['model', `${model.file}, ${mebibytes(model.sizeBytes)}, opset ${model.opset}`],
    ['model digest', html`<code>${model.digest}</code>`],
    ['structure', html`<code>${model.structure}</code>`],
    ['layers', `${model.layers}${model.macs === null ? '' : `, ${shortNumber(model.macs)} MACs an image`}`],
    ['inputs', model.inputs.join(', ')],
    ['outputs', model.outputs.join(', ')],
    ['decoder', `${decoder.format}: ${decoder.why.join('; ')}`],
    [
      'preprocessing',
      html`${preprocessing.reasons.join('; ')}<br /><code>${JSON.stringify(preprocessing.spec)}</code>`,
    ],
    [
      'validation',
      `${validation.source}: ${validation.images} images, ${validation.boxes} boxes, ${validation.categories.length} classes${validation.skipped.map(({ what, count }) => `; ${count} ${what}`).join('')}`,
    ],
    ...(validation.digest === undefined
      ? []
      : [['validation digest', html`<code>${validation.digest}</code>`] as const]),
    ['calibration', `${calibration.source}: ${calibration.images} images, ${calibration.calibrator}`],
    ...(calibration.digests === undefined || calibration.digests.length === 0
      ? []
      : [['calibration digest', html`<code>${digestOf(calibration.digests)}</code>`] as const]),
  ];
  return {
    id: 'surroundings',
    title: 'To reproduce',
    body: html`<dl class="facts">
      ${rows.map(
        ([name, value]) =>
          html`<dt>${name}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>`,
  };
}
