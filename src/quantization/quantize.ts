import { create } from '@bufbuild/protobuf';
import type { Ranges } from '../calibration/index.js';
import { InputFault, type Problem } from '../faults/index.js';
import { counted } from '../words/index.js';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType,
  NodeProtoSchema,
  buildGraph,
  changed,
  convertOpset,
  floatsToTensor,
  int8Tensor,
  opsetOf,
  tensorToFloats,
  type Graph,
  type GraphNode,
  type GraphProto,
  type Model,
  type ModelProto,
  type NodeProto,
  TensorProto_DataType,
  type TensorProto,
} from '../onnx/index.js';
import { isCompute, listLayers, weightOf, weightValues } from './layers.js';
import { quantizedAlready, selectQuantized } from './explicit.js';
import { LEAVES, placeQuantizers, type Placement } from './placement.js';
import { resolvePlan } from './plan.js';
import { shiftBiases } from './shift.js';
import type { Layer, OperatorScope, PrecisionPlan, ScaleRecord } from './types.js';

/** A quantized model. */
export interface QuantizedModel {
  readonly proto: ModelProto;
  readonly scales: readonly ScaleRecord[];
  readonly int8Layers: readonly Layer[];
  readonly floatLayers: readonly Layer[];
}

/** Symmetric codes run from -127 to 127. */
const LEVELS = 127;
/** First operator set whose QuantizeLinear knows an axis. */
const OPSET = 13;

/**
 * scale = amax / 127 in float32, the division in float64 as onnxruntime.quantization does it.
 * A tensor of zeros gets scale 1, so that nothing divides by zero.
 */
export function scaleOf(amax: number): number {
  const scale = Math.fround(amax / LEVELS);
  return scale < 1.1754943508222875e-38 ? 1 : scale;
}

/**
 * Writes Q/DQ as a plan says: INT8 symmetric with zero point 0, activations per tensor, weights per output channel,
 * weights kept in FP32 in front of their Q/DQ, biases float. What every TensorRT from 8.6 on accepts.
 * Of a model that was taken out of a Q/DQ file, that file's own Q/DQ is used.
 * A model of opset 11 or 12 is raised to 13. Biases of layers in INT8 are corrected by the model's `biasShifts`.
 * @throws InputFault when the model is quantized already, its opset is older than 11, or a range is missing.
 */
export function quantize(model: Model, plan: PrecisionPlan, ranges: Ranges): QuantizedModel {
  if (model.quantized !== undefined) return selectQuantized(model.quantized, buildGraph(model), plan);
  const source = opsetOf(model.proto) < OPSET ? convertOpset(model.proto, OPSET, model.name) : model.proto;
  const graph = buildGraph({ proto: source });
  refuseQuantized(graph, model);
  refuseHalf(graph, model.name);
  const layers = listLayers(graph, plan.operators);
  const precision = resolvePlan(plan, layers);
  const int8Layers = layers.filter(({ name }) => precision.get(name) === 'int8');
  const writer = new Writer(graph, plan.operators, int8Layers, ranges);
  const proto = changed(source, { graph: writer.write(graph.proto) });
  const own = new Map(
    int8Layers.flatMap(({ name, nodes }) => {
      const [node, shift] = [graph.nodes[nodes[0] as number], model.biasShifts?.get(name)];
      return node === undefined || shift === undefined ? [] : [[node.outputs[0] as string, shift] as const];
    }),
  );
  return {
    proto: own.size === 0 ? proto : shiftBiases(proto, own),
    scales: writer.scales(),
    int8Layers,
    floatLayers: layers.filter((layer) => !int8Layers.includes(layer)),
  };
}

/** Tensors with values that are not finite that one message names. */
const NAMED = 5;
const DAMAGED =
  'The export is damaged, or training diverged: weights must be finite. Export again, from a checkpoint before the loss became NaN.';

/**
 * Looks a model over before time is spent on it. @throws InputFault for FP16 weights, weights that are not finite, and
 * constants of other operators that hold NaN (infinity masks attention, and bounds).
 */
export function checkWeights(model: Model): void {
  const graph = buildGraph(model);
  // A Q/DQ file brings its scales along, whatever its type.
  if (model.quantized === undefined) refuseHalf(graph, model.name);
  const seen = new Set<string>();
  const problems: Problem[] = [];
  for (const node of graph.nodes)
    for (const [i, name] of node.inputs.entries()) {
      const weighs = isCompute(node) && i > 0;
      const tensor = weighs ? weightValues(graph, name) : graph.constant(name);
      if (tensor?.dataType !== TensorProto_DataType.FLOAT || seen.has(name)) continue;
      seen.add(name);
      const bad = weighs ? (value: number) => !Number.isFinite(value) : Number.isNaN;
      const problem = notFinite(tensorToFloats(tensor), bad);
      if (problem !== undefined)
        problems.push({
          where: `${model.name}, ${weighs ? 'weights' : 'constant'} ${tensor.name || name} of ${node.name}`,
          ...problem,
        });
    }
  if (problems.length === 0) return;
  const rest = problems.length - NAMED;
  throw new InputFault(
    rest > 0
      ? [
          ...problems.slice(0, NAMED),
          { where: model.name, what: `so it is with ${counted(rest, 'more tensor')}`, fix: DAMAGED },
        ]
      : problems,
  );
}

/** @throws InputFault for values that are not finite. */
function finiteValues(tensor: TensorProto, layer: string): Float32Array {
  const values = tensorToFloats(tensor);
  const problem = notFinite(values, (value) => !Number.isFinite(value));
  if (problem !== undefined)
    throw new InputFault({ where: `weights ${tensor.name} of ${layer}`, ...problem });
  return values;
}

/** How many values are no numbers, and the first of them. */
function notFinite(
  values: Float32Array,
  bad: (value: number) => boolean,
): Omit<Problem, 'where'> | undefined {
  const first = values.findIndex(bad);
  if (first < 0) return undefined;
  const count = values.reduce((sum, value) => sum + (bad(value) ? 1 : 0), 0);
  return {
    what: `${count} of ${values.length} values ${count === 1 ? 'is' : 'are'} not finite; element ${first} is ${values[first]}`,
    fix: DAMAGED,
  };
}

/** Tensors whose ranges a scope needs, and those whose statistics explain a bad scale (the parts of a Concat). */
export function tensorsToCalibrate(graph: Graph, scope: OperatorScope): readonly string[] {
  const tensors = new Set(listLayers(graph, scope).flatMap(({ activations }) => activations));
  if (scope === 'all') for (const name of graph.outputs) if (graph.isFloat(name)) tensors.add(name);
  for (const node of graph.nodes)
    if (node.opType === 'Concat' && tensors.has(node.outputs[0] ?? ''))
      for (const input of node.inputs)
        if (graph.isFloat(input) && graph.constant(input) === undefined) tensors.add(input);
  return [...tensors];
}

/** Weights in FP16 mean that the export already chose precisions; scales and Q/DQ start from FP32. */
function refuseHalf(graph: Graph, name: string): void {
  const node = graph.nodes.find(
    (one) =>
      isCompute(one) && weightValues(graph, one.inputs[1] ?? '')?.dataType === TensorProto_DataType.FLOAT16,
  );
  if (node === undefined) return;
  throw new InputFault({
    where: `${name}, node ${node.name}`,
    what: 'has weights in FP16',
    fix: 'Export the model in FP32 (without half=True); the plan decides what runs in FP16.',
  });
}

/** Empty, or a mark for the names of new tensors when the model has names that end as ours do. */
function nameTag(graph: Graph): string {
  const taken = [
    ...graph.nodes.flatMap(({ outputs }) => outputs),
    ...graph.proto.initializer.map(({ name }) => name),
  ];
  return taken.some((name) => /_(dq|q|scale|zero_point|float)$/.test(name)) ? '.int8gate' : '';
}

function refuseQuantized(graph: Graph, model: Model): void {
  const node = graph.nodes.find(({ opType }) =>
    /^(QuantizeLinear|DynamicQuantizeLinear|QLinear\w+|ConvInteger|MatMulInteger)$/.test(opType),
  );
  if (node === undefined) return;
  throw new InputFault(quantizedAlready(model, node));
}

/** Scales of weights by tensor and axis: a sweep quantizes the same weights hundreds of times. */
const weightScales = new WeakMap<TensorProto, Map<number | undefined, ScaleRecord>>();

/** A weight under its scales, as one node reads it. */
interface QuantizedWeight {
  readonly node: GraphNode;
  readonly record: ScaleRecord;
  /** What the names of its Q/DQ begin with: readers along the same axis share them. */
  readonly base: string;
}

class Writer {
  private readonly placement: Placement;
  private readonly amax = new Map<string, number>();
  private readonly weights: QuantizedWeight[] = [];
  private readonly initializers: TensorProto[] = [];
  /** Set apart the names of new tensors where the model has names like them. */
  private readonly tag: string;

  constructor(
    private readonly graph: Graph,
    scope: OperatorScope,
    layers: readonly Layer[],
    ranges: Ranges,
  ) {
    this.tag = nameTag(graph);
    this.placement = placeQuantizers(graph, scope, layers);
    this.setRanges(ranges);
    for (const layer of layers) this.addWeights(layer);
  }

  private addWeights(layer: Layer): void {
    for (const index of layer.nodes) {
      const node = this.graph.nodes[index] as GraphNode;
      const weight = weightOf(this.graph, node);
      if (weight === undefined) continue;
      const record = this.weightScale(weight.name, weight.axis, layer.name);
      this.weights.push({ node, record, base: this.weightBase(record) });
    }
  }

  /** Output channels of a weight that two operators share may lie along other axes: each axis gets its own Q/DQ. */
  private weightBase({ tensor, axis }: ScaleRecord): string {
    const first = this.weights.find(({ record }) => record.tensor === tensor)?.record;
    const own = first === undefined || first.axis === axis ? '' : `_axis_${axis ?? 'none'}`;
    return `${tensor}${this.tag}${own}`;
  }

  private setRanges(ranges: Ranges): void {
    for (const [tensor, covered] of this.placement.covers) {
      let amax = 0;
      for (const name of covered) {
        const range = ranges.get(name);
        if (range === undefined)
          throw new InputFault({
            where: `tensor ${name}`,
            what: 'has no calibrated range',
            fix: 'Calibrate again with the same operators as the plan.',
          });
        amax = Math.max(amax, range.amax);
      }
      this.amax.set(tensor, amax);
    }
  }

  private weightScale(name: string, axis: number | undefined, layer: string): ScaleRecord {
    const tensor = weightValues(this.graph, name) as TensorProto;
    const bySide = weightScales.get(tensor) ?? new Map<number | undefined, ScaleRecord>();
    const known = bySide.get(axis);
    if (known !== undefined) return { ...known, tensor: name, layers: [layer] };
    const values = finiteValues(tensor, layer);
    const record: ScaleRecord = {
      tensor: name,
      kind: 'weight',
      axis,
      layers: [layer],
      scale: channelScales(values, tensor.dims.map(Number), axis),
    };
    bySide.set(axis, record);
    weightScales.set(tensor, bySide);
    return { ...record, tensor: name, layers: [layer] };
  }

  scales(): readonly ScaleRecord[] {
    const activations = [...this.amax].map(([tensor, amax]): ScaleRecord => ({
      tensor,
      kind: 'activation',
      axis: undefined,
      scale: Float32Array.of(scaleOf(amax)),
      layers: this.placement.users.get(tensor) ?? [],
      covers: this.placement.covers.get(tensor) ?? [],
    }));
    return [...activations, ...new Map(this.weights.map(({ base, record }) => [base, record])).values()];
  }

  write(source: GraphProto): GraphProto {
    const before = new Map<number, NodeProto[]>();
    const put = (index: number, nodes: NodeProto[]): void =>
      void before.set(index, [...(before.get(index) ?? []), ...nodes]);
    const renamed = new Map<string, string>();
    for (const [tensor, amax] of this.amax) {
      const leaves = this.placement.readers.get(tensor)?.has(LEAVES) === true;
      const inner = leaves ? `${tensor}${this.tag}_float` : tensor;
      if (leaves) renamed.set(tensor, inner);
      const target = leaves ? tensor : `${tensor}${this.tag}_dq`;
      const producer = this.graph.producerOf(tensor);
      put(
        producer === undefined ? -1 : producer.index,
        this.pair(`${tensor}${this.tag}`, inner, target, Float32Array.of(scaleOf(amax)), undefined),
      );
    }
    const done = new Set<string>();
    for (const { record, base } of this.weights) {
      if (done.has(base)) continue;
      done.add(base);
      const { tensor, scale, axis } = record;
      const producer = this.graph.producerOf(tensor);
      put(producer === undefined ? -1 : producer.index, this.pair(base, tensor, `${base}_dq`, scale, axis));
    }
    const nodes = [...(before.get(-1) ?? [])];
    for (const node of this.graph.nodes)
      nodes.push(this.rewire(node, renamed), ...(before.get(node.index) ?? []));
    return changed(source, { node: nodes, initializer: [...source.initializer, ...this.initializers] });
  }

  private rewire(node: GraphNode, renamed: ReadonlyMap<string, string>): NodeProto {
    const weight = this.weights.find((one) => one.node === node);
    const input = node.inputs.map((name, i) => {
      if (i === 1 && weight?.record.tensor === name) return `${weight.base}_dq`;
      const readers = this.placement.readers.get(name);
      if (readers?.has(node.index) === true) return readers.has(LEAVES) ? name : `${name}${this.tag}_dq`;
      return renamed.get(name) ?? name;
    });
    return changed(node.proto, { input, output: node.outputs.map((name) => renamed.get(name) ?? name) });
  }

  /** QuantizeLinear and DequantizeLinear with their constants. */
  private pair(
    base: string,
    from: string,
    to: string,
    scale: Float32Array,
    axis: number | undefined,
  ): NodeProto[] {
    const dims = axis === undefined ? [] : [scale.length];
    this.initializers.push(
      floatsToTensor(`${base}_scale`, dims, scale),
      int8Tensor(`${base}_zero_point`, dims, new Int8Array(scale.length)),
    );
    const attribute =
      axis === undefined
        ? []
        : [
            create(AttributeProtoSchema, {
              name: 'axis',
              type: AttributeProto_AttributeType.INT,
              i: BigInt(axis),
            }),
          ];
    const constants = [`${base}_scale`, `${base}_zero_point`];
    return [
      create(NodeProtoSchema, {
        name: `${base}_QuantizeLinear`,
        opType: 'QuantizeLinear',
        input: [from, ...constants],
        output: [`${base}_q`],
        attribute,
      }),
      create(NodeProtoSchema, {
        name: `${base}_DequantizeLinear`,
        opType: 'DequantizeLinear',
        input: [`${base}_q`, ...constants],
        output: [to],
        attribute,
      }),
    ];
  }
}

/** Scales of weights: one an output channel along `axis`, or one for all. */
export function channelScales(
  values: Float32Array,
  dims: readonly number[],
  axis: number | undefined,
): Float32Array {
  const channels = axis === undefined ? 1 : (dims[axis] as number);
  const inner = axis === undefined ? values.length : dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const amax = new Float64Array(channels);
  values.forEach((value, i) => {
    const channel = Math.floor(i / inner) % channels;
    amax[channel] = Math.max(amax[channel] as number, Math.abs(value));
  });
  return Float32Array.from(amax, scaleOf);
}
