import { basename } from 'node:path';
import { nodeStructure, type GraphNode } from '../onnx/index.js';
import {
  defaultPlan,
  fitPlan,
  keepFloat,
  planOfFile,
  readPlan,
  resolvePlan,
  type FittedPlan,
  type PlanAge,
  type PlanNetwork,
  type PrecisionPlan,
} from '../quantization/index.js';
import type { Finding } from '../report/index.js';
import type { Settings } from '../settings/index.js';
import type { Bench } from './prepare.js';

/** What plans are held against; written into found plans. */
export function networkOf({ model, graph, layers, settings }: Bench): PlanNetwork {
  return {
    structure: model.structure,
    calibrator: calibratorWord(settings),
    layers: layers.map(({ name, nodes }) => ({
      name,
      structure: nodeStructure(graph, graph.nodes[nodes[0] as number] as GraphNode),
    })),
  };
}

/** The calibrator in force, as plans name it. */
export function calibratorWord({ calibration }: Pick<Settings, 'calibration'>): string {
  if (calibration.cache !== undefined) return 'cache';
  return calibration.calibrator === 'percentile'
    ? `percentile:${calibration.percentile}`
    : calibration.calibrator;
}

/**
 * The plan that everything starts from: a committed file, fitted to the network; what a Q/DQ file quantizes; or
 * everything in INT8 but the head and what `keepFloat` names.
 * @throws InputFault for a plan that names layers that neither this network nor the plan's own has.
 */
export async function startPlan(bench: Bench): Promise<FittedPlan> {
  const { quantization } = bench.settings;
  if (quantization.plan !== undefined) {
    const fitted = fitPlan(await readPlan(quantization.plan), networkOf(bench));
    resolvePlan(fitted.plan, bench.layers, quantization.plan);
    return fitted;
  }
  return { plan: rulePlan(bench), age: undefined };
}

function rulePlan({ model, layers, settings: { quantization } }: Bench): PrecisionPlan {
  if (model.quantized !== undefined)
    return keepFloat(planOfFile(model, layers, quantization.operators), quantization.keepFloat);
  const asked = quantization.head === 'test' ? 'float' : quantization.head;
  const head = asked ?? (quantization.operators === 'tensorrt' ? 'float' : 'int8');
  const plan = defaultPlan(layers, quantization.operators, { head, keepFloat: quantization.keepFloat });
  return { ...plan, model: model.structure };
}

/** Layers named in a sentence. */
const NAMED = 5;

/** Why a committed plan is out of date, in one sentence. */
export function ageSentence(
  file: string,
  model: string,
  plan: Pick<PrecisionPlan, 'default'>,
  age: PlanAge,
): string {
  const { structure, gone, fresh, renamed, calibrator } = age;
  const list = (names: readonly string[]): string =>
    `${names.slice(0, NAMED).join(', ')}${names.length > NAMED ? ` and ${names.length - NAMED} more` : ''}`;
  const parts = [
    ...(gone.length > 0
      ? [`it speaks of ${list(gone)}, which ${gone.length === 1 ? 'is' : 'are'} gone`]
      : []),
    ...(fresh.length > 0
      ? [
          `${list(fresh)} ${fresh.length === 1 ? 'is' : 'are'} new, run${fresh.length === 1 ? 's' : ''} in ${plan.default.toUpperCase()}, and nobody has ranked ${fresh.length === 1 ? 'it' : 'them'}`,
        ]
      : []),
    ...(renamed.length > 0
      ? [`it follows ${list(renamed.map(({ from, to }) => `${from} to its new name ${to}`))}`]
      : []),
    ...(structure && gone.length + fresh.length === 0
      ? [`${model} has another structure than the network that it was made for`]
      : []),
    ...(calibrator === undefined
      ? []
      : [`it was found with the calibrator ${calibrator.from}, and the settings have ${calibrator.to}`]),
  ];
  return `The plan ${file} is out of date: ${parts.join('; ')}.`;
}

/** The finding that a committed plan is out of date; information where it only follows renamed layers. */
export function stalePlan(
  {
    settings,
    model,
  }: {
    readonly settings: { readonly quantization: { readonly plan?: string | undefined } };
    readonly model: { readonly name: string };
  },
  plan: Pick<PrecisionPlan, 'default'>,
  age: PlanAge | undefined,
): readonly Finding[] {
  if (age === undefined || settings.quantization.plan === undefined) return [];
  const file = basename(settings.quantization.plan);
  const { structure, gone, fresh, calibrator } = age;
  const renamedOnly = !structure && gone.length + fresh.length === 0 && calibrator === undefined;
  return [
    {
      kind: 'stale-plan',
      severity: renamedOnly ? 'info' : 'warning',
      subject: file,
      sentence: ageSentence(file, model.name, plan, age),
      advice: 'Run `int8-gate plan --write` and commit the plan that it finds.',
    },
  ];
}
