import { lintModel, type LintFinding, type LintSeverity } from '../lint/index.js';
import { encodeModel, opsetOf, parseModel } from '../onnx/index.js';
import { keepFloat, storedIntegers } from '../quantization/index.js';
import type { Finding } from '../report/index.js';
import { choiceFinding, correctionFindings } from './choices.js';
import { sqnrOf } from './measure.js';
import { buildVariant, quantizedBy, type Basis, type Variant } from './run.js';
import { counted } from '../words/index.js';

/** What the Q/DQ file itself tells (of models that came quantized), and what INT8 would cost in the head, where asked. */
export async function fileFindings(basis: Basis, int8: Variant): Promise<readonly Finding[]> {
  return [
    ...(await lintFindings(basis, int8)),
    ...roundedReference(basis),
    ...newOpset(basis),
    ...correctionFindings(basis.corrections),
    ...choiceFinding(basis, basis.bench.heldBack.count),
    ...(await headTested(basis, int8)),
  ];
}

/** Newest operator set that TensorRT 8.6 reads. Source: onnx-tensorrt, release 8.6, docs/operators.md. */
const WEAK_OPSET = 17;

/** Weakly typed files are for old TensorRT too, which does not read new operator sets; nothing can lower them. */
function newOpset({ bench }: Basis): readonly Finding[] {
  const opset = opsetOf(bench.model.proto);
  if (opset <= WEAK_OPSET || bench.settings.quantization.flavour === 'strong') return [];
  return [
    {
      kind: 'opset',
      severity: 'info',
      subject: bench.model.name,
      sentence: `The model has opset ${opset}: TensorRT 8.6 reads ${WEAK_OPSET} at most, so the weakly typed file needs TensorRT 10.`,
      advice: `Export it with opset ${WEAK_OPSET} if TensorRT 8 must read it.`,
    },
  ];
}

const SAYS: Readonly<
  Record<LintSeverity, { readonly severity: Finding['severity']; readonly words: string }>
> = {
  refused: { severity: 'error', words: 'TensorRT refuses the file: ' },
  misread: { severity: 'error', words: 'TensorRT computes something else than the file says: ' },
  accuracy: { severity: 'warning', words: 'The file costs accuracy: ' },
  slow: { severity: 'warning', words: 'TensorRT runs the file slower than it could: ' },
  note: { severity: 'info', words: '' },
};

/** Rules about codes that TensorRT takes for others than ONNX means. */
const MISREAD: ReadonlySet<string> = new Set(['unsigned', 'no-zero-point']);

/** One finding a rule. */
async function lintFindings(basis: Basis, int8: Variant): Promise<readonly Finding[]> {
  const { model } = basis.bench;
  const file = model.misread ?? model.quantized;
  if (file === undefined) return [];
  const parsed = parseModel(encodeModel(file), model.name);
  const { findings } = lintModel({ ...parsed, ...(model.early && { early: model.early }) });
  const rules = new Map<string, LintFinding[]>();
  for (const one of findings) rules.set(one.rule, [...(rules.get(one.rule) ?? []), one]);
  const read = await howRead(basis, int8);
  return [...rules].map(([rule, list]) => {
    const [first] = list as [LintFinding];
    const more = list.length > 1 ? `, and so at ${list.length - 1} more` : '';
    const sentence = `${SAYS[first.severity].words}${first.node} ${first.why}${more}.`;
    return {
      kind: `qdq-${rule}`,
      severity: SAYS[first.severity].severity,
      subject: first.node,
      sentence: MISREAD.has(rule) && read !== undefined ? `${sentence} ${read}` : sentence,
      advice: first.fix,
    };
  });
}

/** What the report's numbers are of, where TensorRT reads the file otherwise than it says, and what that costs. */
async function howRead(basis: Basis, int8: Variant): Promise<string | undefined> {
  const { bench, reference } = basis;
  const { model, subset } = bench;
  if (model.misread === undefined) return undefined;
  const said = quantizedBy(
    { ...basis, bench: { ...bench, model: { ...model, quantized: model.misread } } },
    int8.plan,
  );
  const before = await sqnrOf(bench, 'INT8 as the file says', said.bytes, reference);
  const decibels = (value: number | undefined): string => `${(value ?? NaN).toFixed(1)} dB`;
  return `All numbers here are simulated as TensorRT reads the file: over ${counted(subset.length, 'image')} the head's SQNR is ${decibels(int8.measured.sqnr)}, as the file says it would be ${decibels(before)}.`;
}

/** Weights that the file stores as integers: what rounding them cost is in FP32 too, which stands for them here. */
function roundedReference({ bench }: Basis): readonly Finding[] {
  const { model, settings } = bench;
  if (model.quantized === undefined || settings.quantization.reference !== undefined) return [];
  const { weights, others } = storedIntegers(model.quantized);
  if (weights + others === 0) return [];
  const stored = [
    ...(weights > 0 ? [counted(weights, 'weight tensor')] : []),
    ...(others > 0 ? [counted(others, 'other constant')] : []),
  ].join(' and ');
  return [
    {
      kind: 'rounded-reference',
      severity: others > 0 ? 'warning' : 'info',
      subject: model.name,
      sentence: `The file stores ${stored} as integers alone. FP32 here is what they dequantize to, so that what rounding them cost does not show.`,
      advice: 'Name the float model that the file was made from as quantization.reference.',
    },
  ];
}

/** Head in float is a rule of thumb: `quantization.head: test` measures it. */
async function headTested(basis: Basis, int8: Variant): Promise<readonly Finding[]> {
  const { bench } = basis;
  const heads = bench.layers.filter(({ head }) => head).map(({ name }) => name);
  if (
    bench.settings.quantization.head !== 'test' ||
    heads.length === 0 ||
    bench.model.quantized !== undefined
  )
    return [];
  const float = keepFloat(int8.plan, heads);
  const layers = Object.fromEntries(Object.entries(float.layers).filter(([name]) => !heads.includes(name)));
  const tried = await buildVariant(basis, 'INT8 with the head in INT8', { ...float, layers });
  const points = (one: Variant): string => (100 * one.measured.evaluation.stats.AP).toFixed(2);
  const cost = int8.measured.evaluation.stats.AP - tried.measured.evaluation.stats.AP;
  const { drop, low, high } = tried.drop.map;
  const interval = `${(100 * drop).toFixed(2)} points below FP32, interval ${(100 * low).toFixed(2)}…${(100 * high).toFixed(2)}`;
  return [
    {
      kind: 'head-tested',
      severity: 'info',
      subject: heads[0] as string,
      sentence: `With its last ${heads.length} convolutions in INT8 too the model reaches mAP50-95 ${points(tried)} (${interval}), with them in float ${points(int8)}.`,
      advice:
        cost > 0
          ? 'Keep the head in float (quantization.head: float).'
          : 'INT8 in the head costs nothing here: quantization.head: int8 leaves more to the fast kernels.',
    },
  ];
}
