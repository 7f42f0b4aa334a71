/** The jobs that both borders call: run the gate, quantize, evaluate, rank layers. */
export type { Context, Progress } from './context.js';
export { runGate, type RunResult } from './run.js';
export { runAudit, type AuditResult } from './audit/index.js';
export { runMerge, runShard, type ShardResult } from './shard.js';
export { runPlan, type PlanResult } from './plan-job.js';
export { runEvaluate, runQuantize, runSensitivity, type QuantizeResult, type RankedLayer } from './jobs.js';
export { storeFolderOf } from './keys.js';
export { VERSION } from './version.js';
