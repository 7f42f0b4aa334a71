/** The adapter to GitHub Actions: inputs, native packages, outputs, summary, annotations. */
export { annotate, publish, readInputs, type ActionInputs } from './action.js';
export { ensureNativePackages } from './natives.js';
