import { short } from '../../words/index.js';
import type { Finding, Report } from '../types.js';
import { html, type Content } from './markup.js';
import type { Section } from './section.js';

/** Why INT8 hurts: causes with their evidence, and what is worth knowing besides. */
export function findingsSection({ findings }: Report): Section | undefined {
  if (findings.length === 0) return undefined;
  const causes = findings.filter(({ severity }) => severity !== 'info');
  const rest = findings.filter(({ severity }) => severity === 'info');
  return {
    id: 'causes',
    title: 'Causes',
    body: html`${causes.length === 0 ? html`<p>No cause of a loss was found.</p>` : causes.map(card)}
    ${
      rest.length === 0
        ? undefined
        : html`<details>
            <summary>Worth knowing (${rest.length})</summary>
            ${rest.map(card)}
          </details>`
    }`,
  };
}

function card({ kind, severity, sentence, advice, layers, evidence }: Finding): Content {
  const numbers = Object.entries(evidence ?? {});
  return html`<article class="cause ${severity}">
    <p><span class="badge ${severity}">${kind}</span> ${sentence}</p>
    <p class="advice">→ ${advice}</p>
    ${
      numbers.length === 0 && (layers ?? []).length === 0
        ? undefined
        : html`<details>
            <summary>Evidence</summary>
            ${
              numbers.length === 0
                ? undefined
                : html`<dl class="numbers">
                    ${numbers.map(
                      ([name, value]) =>
                        html`<div>
                          <dt>${name}</dt>
                          <dd>${short(value, 5)}</dd>
                        </div>`,
                    )}
                  </dl>`
            }${(layers ?? []).length === 0 ? undefined : html`<p class="names">Layers: ${(layers ?? []).slice(0, 40).join(', ')}${(layers ?? []).length > 40 ? ` and ${(layers ?? []).length - 40} more` : ''}</p>`}
          </details>`
    }
  </article>`;
}
