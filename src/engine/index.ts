/** Inference engines behind one interface. */
export * from './types.js';
export { createOnnxRuntimeEngine, type OnnxRuntimeOptions } from './onnxruntime.js';
export * from './tensorrt/index.js';
