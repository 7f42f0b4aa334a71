/** From a model's output tensors to boxes: which decoder fits, and what each does. */
export * from './types.js';
export { chooseDecoder } from './choose.js';
export { mapClasses, type ClassMap } from './classes.js';
export { nonMaximumSuppression, type Candidates } from './nms.js';
export { inferPreprocessing, type PreprocessingOverride } from './preprocessing.js';
export { refusePlugins } from './refusals.js';
export { classNamesOf, inputSize } from './view.js';
