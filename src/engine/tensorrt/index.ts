/** Real TensorRT engines, built and run by a Python worker on the runner's GPU. */
export {
  createTensorRtEngine,
  type EngineDetails,
  type TensorRtEngine,
  type TensorRtModel,
  type TensorRtOptions,
} from './engine.js';
export { TensorRtWorker } from './client.js';
export { gpuState, noiseOf, type GpuState } from './gpu.js';
export { lockGpu } from './lock.js';
export { parseInspector, withTimes, type EngineLayer, type EnginePrecision } from './inspector.js';
