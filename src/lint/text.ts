import type { LintFinding, LintResult, LintSeverity } from './types.js';
import { counted } from '../words/index.js';

const HEADINGS: Readonly<Record<LintSeverity, string>> = {
  refused: 'TensorRT refuses this',
  misread: 'TensorRT builds this, and computes something else',
  accuracy: 'TensorRT builds this, but it costs accuracy',
  slow: 'TensorRT runs this slowly',
  note: 'Worth knowing',
};
/** Nodes shown for each rule; JSON has all. */
const SHOWN = 5;

/** The findings as text: one paragraph a rule, with its first nodes. Names are not escaped. */
export function formatLint(result: LintResult): string {
  const { file, opset, producer, tool, quantizers, layers, style, integerOperators, findings } = result;
  const lines = [
    `${file}: ${style === 'none' ? 'not quantized' : style}, opset ${opset}, written by ${producer}${tool === undefined ? '' : `, quantized by ${tool}`}`,
    integerOperators > 0
      ? `${counted(integerOperators, 'integer operator')}: no float form of these layers is left`
      : `${layers.int8} of ${layers.all} layers in INT8, ${quantizers.activations} activations and ${quantizers.weights} weights quantized`,
  ];
  for (const severity of Object.keys(HEADINGS) as LintSeverity[]) {
    const groups = new Map<string, LintFinding[]>();
    for (const one of findings)
      if (one.severity === severity) {
        // What needs another remedy is another paragraph.
        const key = `${one.rule} ${one.fix}`;
        groups.set(key, [...(groups.get(key) ?? []), one]);
      }
    if (groups.size > 0) lines.push('', `${HEADINGS[severity]}:`);
    for (const list of groups.values()) lines.push(...paragraph(list));
  }
  if (findings.length === 0 && style !== 'none')
    lines.push('', 'Nothing that TensorRT refuses or that is known to be slow.');
  return lines.join('\n');
}

/** What is said of all nodes alike is said once. */
function paragraph(list: readonly LintFinding[]): string[] {
  const [first] = list as [LintFinding];
  const rest = list.length - SHOWN;
  const alike = list.length > 1 && list.every(({ why }) => why === first.why);
  return [
    `  ${first.rule} (${list.length})`,
    ...(alike
      ? [
          ...list.slice(0, SHOWN).map(({ node }) => `    ${node}`),
          ...(rest > 0 ? [`    and ${rest} more`] : []),
          `    each ${first.why}`,
        ]
      : [
          ...list.slice(0, SHOWN).map(({ node, why }) => `    ${node}: ${why}`),
          ...(rest > 0 ? [`    and ${rest} more`] : []),
        ]),
    `    → ${first.fix}`,
  ];
}
