import { readFile } from 'node:fs/promises';
import { distance } from 'fastest-levenshtein';
import { CALIBRATORS } from '../calibration/index.js';
import { InputFault, messageOf, systemCode, type Problem } from '../faults/index.js';
import { planMatches } from './pattern.js';
import { calibratorOf } from './plan-ranges.js';
import type { Layer, OperatorScope, Precision, PrecisionPlan } from './types.js';

const PRECISIONS: readonly Precision[] = ['int8', 'fp16', 'fp32'];
const KEYS = [
  'version',
  'operators',
  'default',
  'layers',
  'calibrators',
  'model',
  'calibrator',
  'network',
  'comment',
];

/** Everything in INT8 but what stays float by rule (head, attention) or by wish (`keepFloat`). */
export function defaultPlan(
  layers: readonly Layer[],
  operators: OperatorScope,
  options: {
    readonly head: 'float' | 'int8';
    readonly keepFloat: readonly string[];
    /** Products of two activations and what reads beside them. Default: float with `tensorrt`, int8 otherwise. */
    readonly attention?: 'float' | 'int8';
  },
): PrecisionPlan {
  const attention = options.attention ?? (operators === 'tensorrt' ? 'float' : 'int8');
  const unmatched = options.keepFloat.filter(
    (pattern) => !layers.some(({ name }) => planMatches(pattern, name)),
  );
  if (unmatched.length > 0)
    throw new InputFault(unmatched.map((pattern) => unknownLayer('quantization.keepFloat', pattern, layers)));
  const float = layers.filter(
    ({ name, head, attention: attends }) =>
      (head && options.head === 'float') ||
      (attends === true && attention === 'float') ||
      options.keepFloat.some((pattern) => planMatches(pattern, name)),
  );
  return {
    version: 1,
    operators,
    default: 'int8',
    layers: Object.fromEntries(float.map(({ name }) => [name, 'fp16'])),
  };
}

/** The plan with these layers kept float as well. */
export function keepFloat(plan: PrecisionPlan, names: readonly string[]): PrecisionPlan {
  return {
    ...plan,
    layers: { ...plan.layers, ...Object.fromEntries(names.map((name) => [name, 'fp16' as const])) },
  };
}

/** The plan with these layers, by name or pattern, under another calibrator. */
export function recalibrate(
  plan: PrecisionPlan,
  calibrators: Readonly<Record<string, string>>,
): PrecisionPlan {
  if (Object.keys(calibrators).length === 0) return plan;
  return { ...plan, calibrators: { ...plan.calibrators, ...calibrators } };
}

/** Precision of every layer. @throws InputFault naming entries that match no layer. */
export function resolvePlan(
  plan: PrecisionPlan,
  layers: readonly Layer[],
  file = 'plan',
): ReadonlyMap<string, Precision> {
  const resolved = new Map(layers.map(({ name }) => [name, plan.default]));
  const problems: Problem[] = [];
  for (const [pattern, precision] of Object.entries(plan.layers)) {
    const hits = layers.filter(({ name }) => planMatches(pattern, name));
    if (hits.length === 0) problems.push(unknownLayer(`${file} layers`, pattern, layers));
    for (const { name } of hits) resolved.set(name, precision);
  }
  for (const pattern of Object.keys(plan.calibrators ?? {}))
    if (!layers.some(({ name }) => planMatches(pattern, name)))
      problems.push(unknownLayer(`${file} calibrators`, pattern, layers));
  if (problems.length > 0) throw new InputFault(problems);
  return resolved;
}

function unknownLayer(where: string, pattern: string, layers: readonly Layer[]): Problem {
  const nearest = [...layers].sort((a, b) => distance(a.name, pattern) - distance(b.name, pattern))[0];
  return {
    where,
    what: `no layer of the model is called "${pattern}"`,
    fix:
      nearest === undefined
        ? 'The model has no layer that this scope quantizes.'
        : `Did you mean "${nearest.name}"? \`*\` matches any run of characters.`,
  };
}

/** Reads a plan file; whether it fits a network is another question. @throws InputFault naming file and key. */
export async function readPlan(file: string): Promise<PrecisionPlan> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (systemCode(cause) !== 'ENOENT') throw cause;
    throw new InputFault(
      {
        where: file,
        what: 'there is no such plan file',
        fix: 'Make it with `int8-gate plan --write`, or take `quantization.plan` out.',
      },
      { cause },
    );
  }
  return parsePlan(text, file);
}

/** Parses a plan; all mistakes at once. @throws InputFault naming file and key. */
export function parsePlan(text: string, file: string): PrecisionPlan {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InputFault(
      {
        where: file,
        what: `is no JSON: ${messageOf(cause)}`,
        fix: 'Correct the place, or make the plan anew with `int8-gate plan --write`.',
      },
      { cause },
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InputFault({
      where: file,
      what: 'a plan must be a JSON object with version, operators, default and layers',
      fix: 'Make one with `int8-gate plan --write`; docs/plans.md says what it holds.',
    });
  const problems = [...checkPlan(value as Record<string, unknown>)].map(([key, what]) => ({
    where: `${file} ${key}`,
    what,
  }));
  if (problems.length > 0) throw new InputFault(problems);
  return value as PrecisionPlan;
}

function* checkPlan(plan: Record<string, unknown>): Generator<[key: string, what: string]> {
  const show = (one: unknown): string => JSON.stringify(one) ?? 'missing';
  for (const key of Object.keys(plan))
    if (!KEYS.includes(key)) {
      const nearest = [...KEYS].sort((a, b) => distance(a, key) - distance(b, key))[0];
      yield [key, `unknown key, did you mean "${nearest}"?`];
    }
  if (plan.version !== 1) yield ['version', `must be 1, is ${show(plan.version)}`];
  const { operators } = plan;
  if (
    operators !== 'tensorrt' &&
    operators !== 'all' &&
    !(Array.isArray(operators) && operators.every((one) => typeof one === 'string'))
  )
    yield ['operators', `must be "tensorrt", "all" or a list of operators, is ${show(operators)}`];
  if (!isPrecision(plan.default))
    yield ['default', `must be one of ${PRECISIONS.join(', ')}, is ${show(plan.default)}`];
  for (const key of ['calibrators', 'network'] as const) {
    const value = plan[key];
    if (
      value !== undefined &&
      !(isRecord(value) && Object.values(value).every((one) => typeof one === 'string'))
    )
      yield [key, 'must map layer names to texts'];
  }
  for (const [name, calibrator] of Object.entries(isRecord(plan.calibrators) ? plan.calibrators : {}))
    if (typeof calibrator === 'string' && calibratorOf(calibrator) === undefined)
      yield [
        `calibrators["${name}"]`,
        `must be one of ${CALIBRATORS.join(', ')} (or percentile:99.99), is ${show(calibrator)}`,
      ];
  for (const key of ['model', 'calibrator', 'comment'] as const)
    if (plan[key] !== undefined && typeof plan[key] !== 'string')
      yield [key, `must be a text, is ${show(plan[key])}`];
  if (!isRecord(plan.layers)) yield ['layers', 'must map layer names to precisions'];
  else
    for (const [name, precision] of Object.entries(plan.layers))
      if (!isPrecision(precision))
        yield [`layers["${name}"]`, `must be one of ${PRECISIONS.join(', ')}, is ${show(precision)}`];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPrecision(value: unknown): value is Precision {
  return typeof value === 'string' && (PRECISIONS as readonly string[]).includes(value);
}

/** The text of a plan file: layers one a line, keys in a fixed order. */
export function formatPlan(plan: PrecisionPlan): string {
  const {
    version,
    comment,
    model,
    calibrator,
    operators,
    default: otherwise,
    layers,
    calibrators,
    network,
  } = plan;
  // JSON leaves out what is undefined.
  const ordered = {
    version,
    comment,
    model,
    calibrator,
    operators,
    default: otherwise,
    layers,
    calibrators,
    network,
  };
  return `${JSON.stringify(ordered, null, 2)}\n`;
}
