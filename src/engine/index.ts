/** Inference engines behind one interface. */
export * from './types.js';
export * from './probe-types.js';
export { createOnnxRuntimeEngine, type OnnxRuntimeOptions } from './onnxruntime.js';
export * from './tensorrt/index.js';
