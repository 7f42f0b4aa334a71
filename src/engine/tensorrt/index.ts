/** Real TensorRT engines, built and run by a Python worker on the runner's GPU. */
export {
  createTensorRtEngine,
  type TensorRtEngine,
  type TensorRtModel,
  type TensorRtOptions,
} from './engine.js';
export type { EngineDetails, RealEngine, RealModel } from './real.js';
export { createTrtexecEngine, type TrtexecEngine, type TrtexecOptions } from './trtexec-engine.js';
export { TrtexecMissing, trtexecVersion } from './trtexec-process.js';
export { TensorRtWorker, WorkerMissing } from './client.js';
export { gpuState, noiseOf, type GpuState } from './gpu.js';
export { lockGpu } from './lock.js';
export { slowdownsNow, watchSlowdowns, wordsOf, type Slowdown, type Slowdowns } from './slowdown.js';
export { parseInspector, withTimes, type EngineLayer, type EnginePrecision } from './inspector.js';
