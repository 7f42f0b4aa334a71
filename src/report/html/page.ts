import { sha256 } from '../digest.js';
import type { AuditSection, Report } from '../types.js';
import { VERDICTS } from '../numbers.js';
import { auditSection } from './audit.js';
import { baseSection } from './base.js';
import { classesSection } from './classes.js';
import { findingsSection } from './findings.js';
import { SCRIPT, STYLE } from './generated/assets.js';
import { imagesSection } from './images.js';
import { layersSection } from './layers.js';
import { html, Markup } from './markup.js';
import { outputsSection } from './outputs.js';
import { plansSection } from './plans.js';
import { enginesSection, precisionSection } from './precision.js';
import type { Section } from './section.js';
import { surroundingsSection } from './surroundings.js';
import { tensorsSection } from './tensors.js';
import { verdictSection } from './verdict.js';

const SECTIONS: readonly ((report: Report) => Section | undefined)[] = [
  precisionSection,
  baseSection,
  enginesSection,
  findingsSection,
  layersSection,
  plansSection,
  classesSection,
  outputsSection,
  tensorsSection,
  auditSection,
  imagesSection,
  surroundingsSection,
];

/**
 * The report as one HTML file that needs nothing else: no network, no script but its own, which the content security
 * policy names by digest. Everything is readable without the script; it sorts, searches and draws on demand.
 */
export function formatHtml(report: Report): string {
  return pageOf(
    `int8-gate: ${VERDICTS[report.verdict.kind]} – ${report.model.file}`,
    verdictSection(report),
    SECTIONS.flatMap((make) => make(report) ?? []),
  );
}

/** What an audit is of. */
export interface AuditHead {
  readonly model: string;
  readonly createdAt: string;
  readonly tool: { readonly name: string; readonly version: string };
}

/** The audit of calibration images as a page of its own. */
export function formatAuditHtml(audit: AuditSection, { model, createdAt, tool }: AuditHead): string {
  const verdict = audit.verdict.kind.toUpperCase();
  return pageOf(
    `int8-gate audit: ${verdict} – ${model}`,
    html`<section class="verdict ${audit.verdict.kind}" id="verdict">
      <h1>
        Calibration audit: ${verdict}
        <small>${model}, ${createdAt.slice(0, 10)}, ${tool.name} ${tool.version}</small>
      </h1>
      <p class="why">${audit.verdict.why}</p>
    </section>`,
    [auditSection({ audit })].flatMap((section) => section ?? []),
  );
}

function pageOf(title: string, top: Markup, sections: readonly Section[]): string {
  return `<!doctype html>\n${
    html`<html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy()}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="referrer" content="no-referrer" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        ${verbatim('style', STYLE)}
      </head>
      <body>
        <a class="skip" href="#main">To the verdict</a>
        <header class="bar">
          <strong>int8-gate</strong>
          <nav aria-label="Sections">
            ${sections.map(({ id, title: words }) => html`<a href="#${id}">${words}</a> `)}
          </nav>
          <button id="theme" type="button" hidden title="Light or dark (t)">
            ◐<span class="hint"> theme</span>
          </button>
        </header>
        <main id="main">
          ${top}
          ${sections.map(
            ({ id, title: words, body }) =>
              html`<section id="${id}">
                <h2>${words}</h2>
                ${body}
              </section>`,
          )}
        </main>
        ${verbatim('script', SCRIPT)}
      </body>
    </html>`.text
  }\n`;
}

/** An element whose text the policy knows by digest: not a space may be added. */
function verbatim(element: 'style' | 'script', text: string): Markup {
  return new Markup(`<${element}>${text}</${element}>`);
}

function policy(): string {
  return [
    "default-src 'none'",
    `style-src 'sha256-${sha256(STYLE)}'`,
    `script-src 'sha256-${sha256(SCRIPT)}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}
