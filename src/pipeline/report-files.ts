import { formatPlan, withMacs } from '../quantization/index.js';
import type { ExtraFiles } from '../report/index.js';
import { flavoursOf } from './flavours.js';
import { formatProfile, profileOf } from './profile.js';
import type { Found, Variant } from './run.js';

/** What lies beside the report: the judged plan, latencies by layer where engines were built, and the models. */
export function filesOf(
  { bench, int8, mixed, statistics, confirmation }: Found,
  candidate: Variant,
): ExtraFiles {
  const filesFor = ({ plan, model }: Variant, name: string) =>
    flavoursOf(bench, plan, model, statistics, name).models;
  const models = bench.settings.report.keepModels
    ? { ...filesFor(int8, 'int8'), ...(mixed !== undefined && mixed !== int8 && filesFor(mixed, 'mixed')) }
    : {};
  const planned = withMacs(bench.layers, bench.graph, statistics).map(({ name, nodes, macs = 0 }) => ({
    name,
    macs,
    nodes: nodes.map((index) => bench.graph.nodes[index]?.name ?? ''),
  }));
  const profile = confirmation && profileOf(confirmation, planned);
  return {
    'plan.json': formatPlan(candidate.plan),
    ...(confirmation !== undefined &&
      profile !== undefined && { 'profile.json': formatProfile(profile, gpuName(confirmation)) }),
    ...models,
  };
}

function gpuName({ gpu }: NonNullable<Found['confirmation']>): string {
  const { state } = gpu;
  return 'unknown' in state ? `compute capability ${gpu.engine.hello.gpu.computeCapability}` : state.name;
}
