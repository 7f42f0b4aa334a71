import { intAttribute, type GraphNode } from '../onnx/index.js';
import { attentionNodes, headNodes, isCompute, movedInputs } from '../quantization/index.js';
import type { LintFinding } from './types.js';
import type { QdqView, Quantizer } from './view.js';
import { counted, listed, short } from '../words/index.js';

/** Activation functions that TensorRT fuses into the convolution before them. */
const ACTIVATIONS = new Set([
  'Relu',
  'LeakyRelu',
  'Clip',
  'HardSwish',
  'HardSigmoid',
  'Sigmoid',
  'Swish',
  'Elu',
  'Mish',
  'Tanh',
  'PRelu',
]);
/** Operators that have no INT8 form: quantizing what they read costs a kernel and gains nothing. */
const FLOAT_ONLY = new Set([
  'Sigmoid',
  'Softmax',
  'Exp',
  'Log',
  'Sqrt',
  'Pow',
  'Div',
  'Erf',
  'Tanh',
  'HardSigmoid',
  'LayerNormalization',
  'InstanceNormalization',
  'ReduceMax',
  'ReduceSum',
  'ReduceMean',
  'ReduceMin',
  'TopK',
  'Gather',
  'GatherElements',
  'GatherND',
  'NonMaxSuppression',
  'ArgMax',
  'Sub',
  'Where',
  'Floor',
  'Mod',
  'Tile',
  'Expand',
  'Cast',
  'ScatterND',
  'GridSample',
  'Einsum',
]);

type Rule = (view: QdqView) => Iterable<Omit<LintFinding, 'severity'> & { readonly severity?: 'note' }>;

/** What TensorRT builds, but runs slower than it could. */
export function* slowness(view: QdqView): Generator<LintFinding> {
  for (const rule of [
    insideFusion,
    concatScales,
    scaleChanges,
    floatReaders,
    halfQuantized,
    islands,
    skips,
    twice,
    tail,
    groupedDeconvolution,
  ])
    for (const found of rule(view)) yield { severity: 'slow', ...found };
}

function* insideFusion(view: QdqView): ReturnType<Rule> {
  for (const q of view.quantizers) {
    if (q.kind !== 'Q' || q.constant !== undefined) continue;
    const source = view.graph.producerOf(q.input);
    if (source === undefined || !isCompute(source)) continue;
    const act = view.graph
      .consumersOf(q.output)
      .flatMap((dq) => view.graph.consumersOf(dq.outputs[0] ?? ''))
      .find(({ opType }) => ACTIVATIONS.has(opType) || opType === 'BatchNormalization');
    if (act !== undefined)
      yield {
        rule: 'inside-fusion',
        node: q.node.name,
        why: `stands between ${source.name} and its ${act.opType} (${act.name}): the two cannot become one kernel`,
        fix: 'Quantize behind the activation function, where the next layer reads it.',
      };
  }
}

function* concatScales(view: QdqView): ReturnType<Rule> {
  for (const node of view.graph.nodes) {
    if (node.opType !== 'Concat') continue;
    const known = node.inputs.flatMap((name) => view.dequantized.get(name)?.scale?.[0] ?? []);
    const readers = view.graph.consumersOf(node.outputs[0] ?? '');
    const out = readers.map((reader) => view.by(reader.outputs[0] ?? '')).find((one) => one?.kind === 'Q')
      ?.scale?.[0];
    const layer = readers.find((reader) => isCompute(reader) && quantizedInputs(view, reader) !== 'none');
    if (known.length > 0 && out === undefined && layer !== undefined)
      yield {
        rule: 'concat-dq',
        node: node.name,
        why: `is read by ${layer.name} without Q/DQ between: TensorRT moves no DequantizeLinear through Concat, so both run in float`,
        fix: 'Put Q/DQ behind the Concat too, with the scale of its inputs.',
      };
    const scales = new Set([...known, ...(out === undefined ? [] : [out])]);
    if (scales.size > 1) {
      const before = [...new Set(known)].map((one) => short(one));
      yield {
        rule: 'concat-scales',
        node: node.name,
        why: `joins inputs of ${counted(before.length, 'scale')} (${listed(before)})${out === undefined ? '' : ` into one of ${short(out)}`}: what differs is requantized by a kernel of its own`,
        fix: 'Give all inputs and the output one scale, the largest.',
      };
    }
  }
}

function* scaleChanges(view: QdqView): ReturnType<Rule> {
  for (const node of view.graph.nodes) {
    if (node.opType === 'Concat' || movedInputs(node).length === 0) continue;
    const before = view.dequantized.get(node.inputs[0] ?? '')?.scale?.[0];
    for (const reader of node.outputs.flatMap((name) => view.graph.consumersOf(name))) {
      const q = view.by(reader.outputs[0] ?? '');
      if (q?.kind !== 'Q' || before === undefined || q.scale?.[0] === before) continue;
      yield {
        rule: 'scale-change',
        node: node.name,
        why: `only moves values, but reads scale ${short(before)} and hands on ${short(q.scale?.[0] ?? NaN)}: it cannot run in INT8 without requantizing`,
        fix: 'Give both sides one scale.',
      };
    }
  }
}

function* floatReaders(view: QdqView): ReturnType<Rule> {
  for (const dq of view.quantizers) {
    if (dq.kind !== 'DQ' || dq.constant !== undefined) continue;
    const readers = view.graph.consumersOf(dq.output);
    if (readers.length > 0 && readers.every(({ opType }) => FLOAT_ONLY.has(opType)))
      yield {
        rule: 'float-reader',
        node: dq.node.name,
        why: `is read by ${readers
          .map(({ name, opType }) => `${name} (${opType})`)
          .slice(0, 3)
          .join(', ')}, which has no INT8 form: the value is rounded for nothing`,
        fix: 'Take this Q/DQ out.',
      };
  }
}

function weightSlots(node: GraphNode): readonly number[] {
  return [0, 1].filter((i) => node.inputs[i] !== undefined);
}

/** Which inputs of a layer are dequantized: all, some or none. */
function quantizedInputs(view: QdqView, node: GraphNode): 'all' | 'some' | 'none' {
  const through = weightSlots(node).map((i) => view.dequantized.has(node.inputs[i] ?? ''));
  return through.every(Boolean) ? 'all' : through.some(Boolean) ? 'some' : 'none';
}

/** True when a layer runs in INT8. */
export function runsInInt8(view: QdqView, node: GraphNode): boolean {
  return quantizedInputs(view, node) === 'all';
}

function* halfQuantized(view: QdqView): ReturnType<Rule> {
  for (const node of view.graph.nodes) {
    if (!isCompute(node) || quantizedInputs(view, node) !== 'some') continue;
    // concat-dq tells of these.
    if (view.graph.producerOf(node.inputs[0] ?? '')?.opType === 'Concat' && behindDequantized(view, node))
      continue;
    const first = view.dequantized.has(node.inputs[0] ?? '');
    yield {
      rule: 'half-quantized',
      node: node.name,
      why: `only its ${first ? 'first input' : 'second input'} is quantized, so it runs in float and the quantized one is converted back`,
      fix: `Quantize its ${first ? (node.opType === 'MatMul' ? 'second input' : 'weights') : 'first input'} too, or neither.`,
    };
  }
}

function behindDequantized(view: QdqView, node: GraphNode): boolean {
  const concat = view.graph.producerOf(node.inputs[0] ?? '');
  return concat?.inputs.some((name) => view.dequantized.has(name)) === true;
}

/** Float layers all of whose neighbours run in INT8. */
function* islands(view: QdqView): ReturnType<Rule> {
  // Head and attention stay float for good reasons.
  const float = new Set([...headNodes(view.graph), ...attentionNodes(view.graph)]);
  for (const node of view.graph.nodes) {
    if (!isCompute(node) || float.has(node.index) || quantizedInputs(view, node) !== 'none') continue;
    const before = layersFrom(view, node, 'up');
    const after = layersFrom(view, node, 'down');
    const int8 = (list: readonly GraphNode[]): boolean =>
      list.length > 0 && list.every((one) => runsInInt8(view, one));
    if (int8(before) && int8(after))
      yield {
        rule: 'float-island',
        node: node.name,
        why: 'runs in float between INT8 layers: values are converted in front of it and behind it',
        fix: 'Quantize it too, unless the accuracy needs it in float.',
      };
  }
}

/** The nearest layers above or below a node. */
function layersFrom({ graph }: QdqView, start: GraphNode, way: 'up' | 'down'): readonly GraphNode[] {
  const found = new Map<number, GraphNode>();
  const seen = new Set<number>();
  const next = (node: GraphNode): readonly (GraphNode | undefined)[] =>
    way === 'up'
      ? node.inputs.map((name) => graph.producerOf(name))
      : node.outputs.flatMap((name) => graph.consumersOf(name));
  const queue = [...next(start)];
  for (let node = queue.pop(); queue.length > 0 || node !== undefined; node = queue.pop()) {
    if (node === undefined || seen.has(node.index)) continue;
    seen.add(node.index);
    if (isCompute(node)) found.set(node.index, node);
    else queue.push(...next(node));
  }
  return [...found.values()];
}

function* skips(view: QdqView): ReturnType<Rule> {
  for (const node of view.graph.nodes) {
    if (node.opType !== 'Add') continue;
    const layer = node.inputs
      .map((name) => view.graph.producerOf(name))
      .find((one) => one?.opType === 'Conv');
    const skip = node.inputs.find((name) => view.graph.producerOf(name) !== layer);
    if (layer === undefined || skip === undefined || !runsInInt8(view, layer)) continue;
    // A grouped convolution fuses with no Add.
    if (intAttribute(layer, 'group', 1) > 1) continue;
    if (view.constant(skip) !== undefined || view.dequantized.has(skip)) continue;
    const quantized = view.graph
      .consumersOf(node.outputs[0] ?? '')
      .some(({ opType }) => opType === 'QuantizeLinear');
    if (quantized)
      yield {
        rule: 'skip-float',
        node: node.name,
        why: `adds the INT8 layer ${layer.name} and ${skip} in float, so the sum is a kernel of its own`,
        fix: 'Put Q/DQ on the skip input too: TensorRT then fuses the Add into the convolution.',
      };
  }
}

function* twice(view: QdqView): ReturnType<Rule> {
  const byInput = new Map<string, Quantizer[]>();
  for (const one of view.quantizers)
    if (one.kind === 'Q' && one.constant === undefined)
      byInput.set(one.input, [...(byInput.get(one.input) ?? []), one]);
  for (const [tensor, list] of byInput) {
    const scales = new Set(list.map(({ scale }) => scale?.[0]));
    if (scales.size > 1)
      yield {
        rule: 'quantized-twice',
        node: list[0]?.node.name ?? '',
        why: `${tensor} is quantized with ${scales.size} scales for different readers: once each`,
        fix: 'Quantize it once, with the largest scale, for all readers.',
      };
  }
}

/** Q/DQ behind the last weighted layers. */
function* tail(view: QdqView): ReturnType<Rule> {
  if (!view.graph.nodes.some(isCompute)) return;
  const before = new Set<number>();
  for (const node of [...view.graph.nodes].reverse())
    if (
      isCompute(node) ||
      node.outputs.some((name) => view.graph.consumersOf(name).some(({ index }) => before.has(index)))
    )
      before.add(node.index);
  for (const one of view.quantizers) {
    if (one.kind !== 'Q' || one.constant !== undefined || before.has(one.node.index)) continue;
    if (view.graph.outputs.includes(one.output)) {
      yield {
        rule: 'integer-output',
        severity: 'note',
        node: one.node.name,
        why: `makes ${one.output} an INT8 output of the model: who reads it has to multiply by ${short(one.scale?.[0] ?? NaN)}`,
        fix: 'Put DequantizeLinear behind it if float is expected there.',
      };
      continue;
    }
    yield {
      rule: 'post-processing',
      node: one.node.name,
      why: `quantizes ${one.input} behind the last layers${view.graph.producerOf(one.input)?.opType === 'Concat' ? ', which joins several: boxes (hundreds) beside scores (below 1) under one scale round scores to 0' : ', where INT8 saves no time'}`,
      fix: 'Leave everything behind the head in float (`nodes_to_exclude`).',
    };
  }
}

/** Measured with 10.6: a grouped ConvTranspose with a scale a channel was dequantized and run in float. */
function* groupedDeconvolution(view: QdqView): ReturnType<Rule> {
  for (const node of view.graph.nodes) {
    if (node.opType !== 'ConvTranspose' || intAttribute(node, 'group', 1) === 1) continue;
    const scales = view.dequantized.get(node.inputs[1] ?? '')?.scale?.length ?? 0;
    if (scales > 1 && runsInInt8(view, node))
      yield {
        rule: 'grouped-deconvolution',
        node: node.name,
        why: `is a ConvTranspose of ${intAttribute(node, 'group', 1)} groups with ${scales} scales for its weights: TensorRT 10.6 dequantizes what it reads and runs it in float`,
        fix: 'Leave it in float.',
      };
  }
}
