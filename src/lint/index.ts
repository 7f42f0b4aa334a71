/** Says what TensorRT refuses, or runs slowly, in a model that is quantized already. */
export { lintModel } from './lint.js';
export { formatLint } from './text.js';
export { runsInInt8 } from './slow.js';
export { viewQuantizers, type QdqView, type Quantizer } from './view.js';
export type { LintFinding, LintResult, LintSeverity } from './types.js';
