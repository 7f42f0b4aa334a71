import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType,
  HALF_MAX,
  NodeProtoSchema,
  TensorProto_DataType,
  buildGraph,
  changed,
  convertOpset,
  floatToHalf,
  floatsToTensor,
  halfToFloat,
  halvesToTensor,
  intAttribute,
  tensorToFloats,
  type Graph,
  type GraphNode,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from '../onnx/index.js';
import { floatData, isCompute, isDfl } from './layers.js';
import { short } from '../words/index.js';

const { FLOAT, FLOAT16 } = TensorProto_DataType;

/** First operator set whose Q/DQ take FP16. */
export const STRONG_OPSET = 19;
/** Smallest positive binary16. */
const HALF_TINY = 2 ** -24;

/** A part that stays FP32 in a strongly typed model. */
export interface KeptFloat {
  /** Name of the node. */
  readonly node: string;
  readonly why: string;
}

/** A strongly typed model, and what of it could not be FP16. */
export interface StrongModel {
  readonly proto: ModelProto;
  /** Nodes in FP32 for the sake of range or by the plan; post-processing, which is always FP32, is not listed. */
  readonly kept: readonly KeptFloat[];
}

/** What decides where FP32 stays. */
export interface StrongOptions {
  /** File name, for messages. */
  readonly name: string;
  /** Names of nodes that the plan holds in FP32. */
  readonly fp32: ReadonlySet<string>;
  /** Largest |x| by tensor, as calibration saw it. */
  readonly reach: ReadonlyMap<string, number>;
}

/**
 * A weakly typed Q/DQ model as a strongly typed one: opset 19, FP16 weights, scales and activations, and FP32 with Casts at its borders for post-processing (everything behind the last weighted layers),
 * what the plan holds in FP32, and what would overflow FP16 (65504) by its weights or by calibration.
 * Inputs and outputs of the model keep their types.
 * @throws InputFault when the model cannot be converted to opset 19.
 */
export function toStrong(weak: ModelProto, options: StrongOptions): StrongModel {
  const raised = convertOpset(weak, STRONG_OPSET, options.name);
  return new Converter(buildGraph({ proto: raised }), options).convert(raised);
}

/** Inputs that stay FP32 whatever the node's type: scales and region of interest of Resize. */
const FLOAT_INPUTS: Readonly<Record<string, readonly number[]>> = { Resize: [1, 2], Upsample: [1] };
/** Operators that have no FP16 form, or whose bodies are left as they are. */
const FLOAT_ONLY = new Set([
  'NonMaxSuppression',
  'Range',
  'If',
  'Loop',
  'Scan',
  'RandomNormal',
  'RandomUniform',
]);
/** Operators whose float output does not come from a float input. */
const SOURCES = new Set(['Cast', 'Constant', 'ConstantOfShape', 'Range', 'RandomNormal', 'RandomUniform']);

class Converter {
  private readonly half = new Set<number>();
  private readonly kept: KeptFloat[] = [];
  private readonly added: TensorProto[] = [];
  /** Element type that a tensor has in the new model, where it is FP16. */
  private readonly halves = new Set<string>();
  private readonly casts = new Map<string, string>();
  private readonly out: NodeProto[] = [];
  private readonly names: Set<string>;

  constructor(
    private readonly graph: Graph,
    private readonly options: StrongOptions,
  ) {
    this.names = new Set([
      ...graph.inputs,
      ...graph.proto.initializer.map(({ name }) => name),
      ...graph.nodes.flatMap(({ outputs }) => outputs),
    ]);
    const tail = postProcessing(graph);
    for (const node of graph.nodes) {
      if (tail.has(node.index) || FLOAT_ONLY.has(node.opType) || node.proto.domain !== '') continue;
      const why = this.whyFloat(node);
      if (why === undefined) this.half.add(node.index);
      else this.kept.push({ node: node.name, why });
    }
  }

  private whyFloat(node: GraphNode): string | undefined {
    if (this.options.fp32.has(node.name)) return 'the plan holds it in FP32';
    if (node.opType === 'QuantizeLinear') return undefined;
    for (const name of node.outputs) {
      const reach = this.reachOf(name);
      if (reach > HALF_MAX) return `${name} reaches ${short(reach)} in calibration, FP16 ends at ${HALF_MAX}`;
    }
    for (const [i, name] of node.inputs.entries()) {
      if (FLOAT_INPUTS[node.opType]?.includes(i) === true) continue;
      const reach = this.reachOf(name);
      if (reach > HALF_MAX) return `${name} reaches ${short(reach)} in calibration, FP16 ends at ${HALF_MAX}`;
      if (node.opType === 'DequantizeLinear') continue;
      const value = this.floatConstant(name);
      if (value === undefined) continue;
      const size = value.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      if (size > HALF_MAX && Number.isFinite(size))
        return `its constant ${name} reaches ${short(size)}, FP16 ends at ${HALF_MAX}`;
      if (size > 0 && size < HALF_TINY / 2 && value.length === 1)
        return `its constant ${name} is ${short(size)}, which is 0 in FP16`;
    }
    return undefined;
  }

  /** Largest |x|: of a dequantized tensor what its scale allows. */
  private reachOf(name: string): number {
    const producer = this.graph.producerOf(name);
    const scale =
      producer?.opType === 'DequantizeLinear' ? this.floatConstant(producer.inputs[1] ?? '') : undefined;
    return scale === undefined
      ? (this.options.reach.get(name) ?? 0)
      : 127 * scale.reduce((a, b) => Math.max(a, b), 0);
  }

  private floatConstant(name: string): Float32Array | undefined {
    const tensor = this.graph.constant(name);
    return tensor?.dataType === FLOAT ? tensorToFloats(tensor) : undefined;
  }

  convert(raised: ModelProto): StrongModel {
    const source = raised.graph as GraphProto;
    for (const node of this.graph.nodes) this.emit(node);
    const output = source.output.map((info) => info.name);
    const read = new Set([...this.out.flatMap(({ input }) => input), ...output, ...bodyReads(this.graph)]);
    const graph = changed(source, {
      node: this.out.filter(
        (node) => node.opType !== 'Constant' || node.output.some((name) => read.has(name)),
      ),
      initializer: [...source.initializer.filter(({ name }) => read.has(name)), ...this.added],
      valueInfo: source.valueInfo.filter(({ name }) => !this.halves.has(name)),
    });
    return { proto: changed(raised, { graph }), kept: this.kept };
  }

  private emit(node: GraphNode): void {
    if (node.opType === 'QuantizeLinear') this.emitQuantize(node);
    else if (node.opType === 'DequantizeLinear') this.emitDequantize(node);
    else if (SOURCES.has(node.opType)) this.out.push(node.proto);
    else this.emitPlain(node);
  }

  private emitPlain(node: GraphNode): void {
    const half = this.half.has(node.index);
    const input = node.inputs.map((name, i) => {
      if (name === '' || !this.graph.isFloat(name)) return name;
      const keep = FLOAT_INPUTS[node.opType]?.includes(i) === true;
      return this.as(name, half && !keep);
    });
    const output = node.outputs.map((name) => {
      if (!half || !this.graph.isFloat(name)) return name;
      if (!this.graph.outputs.includes(name)) {
        this.halves.add(name);
        return name;
      }
      const inner = this.fresh(`${name}_half`);
      this.casts.set(`${name}:half`, inner);
      return inner;
    });
    this.out.push(changed(node.proto, { input, output }));
    // What leaves the model keeps its type.
    node.outputs.forEach((name, i) => {
      if (output[i] !== name) this.out.push(castNode(output[i] as string, name, FLOAT));
    });
  }

  /**
   * Weights become FP16 values that lie on the grid of their FP16 scale, so that their codes are those of FP32; stored
   * as INT8, TensorRT 10.6 would dequantize them in every run wherever a layer has no INT8 kernel. An activation's Q
   * takes the type of what it reads.
   */
  private emitQuantize(node: GraphNode): void {
    const [from, scale, ...zero] = node.inputs as [string, string];
    const weights = this.floatConstant(from);
    const half = weights === undefined ? this.halves.has(from) : this.feedsHalf(node);
    let source = from;
    if (weights !== undefined && half) {
      const steps = this.scaleValues(scale, true);
      const dims = (this.graph.constant(from) as TensorProto).dims.map(Number);
      const given = intAttribute(node, 'axis', 1);
      const axis = steps.length === 1 ? undefined : given < 0 ? given + dims.length : given;
      source = this.fresh(`${from}_half`);
      this.added.push(halvesToTensor(source, dims, onGrid(weights, dims, steps, axis)));
    }
    this.out.push(changed(node.proto, { input: [source, this.scaleAs(scale, half), ...zero] }));
  }

  private feedsHalf(quantize: GraphNode): boolean {
    return this.graph.consumersOf(quantize.outputs[0] ?? '').some((node) => this.givesHalf(node));
  }

  private givesHalf(dequantize: GraphNode): boolean {
    const output = dequantize.outputs[0] ?? '';
    return (
      !this.graph.outputs.includes(output) &&
      this.half.has(dequantize.index) &&
      this.graph.consumersOf(output).some(({ index }) => this.half.has(index))
    );
  }

  private emitDequantize(node: GraphNode): void {
    const half = this.givesHalf(node);
    if (half) this.halves.add(node.outputs[0] as string);
    const [from, scale, ...rest] = node.inputs as [string, string];
    this.out.push(changed(node.proto, { input: [from, this.scaleAs(scale, half), ...rest] }));
  }

  /** Scales of both types have the values of FP16, so that Q and DQ at a border agree. */
  private scaleValues(name: string, half: boolean): Float32Array {
    const values = this.floatConstant(name) ?? new Float32Array();
    return half ? Float32Array.from(values, halfScale) : values;
  }

  private scaleAs(name: string, half: boolean): string {
    const key = `${name}:scale:${half}`;
    const known = this.casts.get(key);
    if (known !== undefined) return known;
    const tensor = this.graph.constant(name);
    if (tensor === undefined) return this.as(name, half);
    const made = this.fresh(half ? `${name}_half` : `${name}_float`);
    const values = this.scaleValues(name, true);
    const dims = tensor.dims.map(Number);
    this.added.push(half ? halvesToTensor(made, dims, values) : floatsToTensor(made, dims, values));
    this.casts.set(key, made);
    return made;
  }

  /** The tensor in the wanted type: itself, a converted constant, or a Cast. */
  private as(name: string, half: boolean): string {
    if (this.halves.has(name) === half) return name;
    const key = `${name}:${half ? 'half' : 'float'}`;
    const known = this.casts.get(key);
    if (known !== undefined) return known;
    const made = this.fresh(`${name}_${half ? 'half' : 'float'}`);
    this.casts.set(key, made);
    const tensor = this.graph.constant(name);
    if (tensor?.dataType === FLOAT && half)
      this.added.push(halvesToTensor(made, tensor.dims.map(Number), tensorToFloats(tensor)));
    else this.out.push(castNode(name, made, half ? FLOAT16 : FLOAT));
    return made;
  }

  private fresh(base: string): string {
    let name = base;
    for (let i = 1; this.names.has(name); i++) name = `${base}.${i}`;
    this.names.add(name);
    return name;
  }
}

/** Everything behind the last weighted layers: no weighted layer comes after it, and it is none. DFL's is part of it. */
function postProcessing(graph: Graph): ReadonlySet<number> {
  const tail = new Set<number>();
  const weightedAfter = new Set<string>();
  for (const node of [...graph.nodes].reverse()) {
    const weighted = isCompute(node) && floatData(graph, node).length > 0 && !isDfl(graph, node);
    const before = weighted || node.outputs.some((name) => weightedAfter.has(name));
    if (before) for (const name of node.inputs) weightedAfter.add(name);
    else tail.add(node.index);
  }
  return tail;
}

function bodyReads(graph: Graph): readonly string[] {
  return graph.nodes
    .filter(({ proto }) => proto.attribute.some(({ g }) => g !== undefined))
    .flatMap((node) =>
      graph.proto.initializer
        .map(({ name }) => name)
        .filter((name) => graph.consumersOf(name).includes(node)),
    );
}

/** The nearest binary16 that is no smaller: codes then stay within ±127. */
function halfScale(scale: number): number {
  const near = halfToFloat(floatToHalf(scale));
  if (near >= scale) return Math.max(near, HALF_TINY);
  return halfToFloat(floatToHalf(scale) + 1);
}

/** Each value as its code −127…127 (to nearest, ties to even) times its scale. */
function onGrid(
  values: Float32Array,
  dims: readonly number[],
  steps: Float32Array,
  axis: number | undefined,
): Float32Array {
  const inner = axis === undefined ? values.length : dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  return values.map((value, i) => {
    const step = steps[Math.floor(i / inner) % steps.length] as number;
    const code = Math.fround(value / step);
    const floor = Math.floor(code);
    const up = code - floor > 0.5 || (code - floor === 0.5 && floor % 2 !== 0);
    return Math.max(-127, Math.min(127, up ? floor + 1 : floor)) * step;
  });
}

/** A Cast from one tensor to another, of an ONNX element type. */
export function castNode(from: string, to: string, type: TensorProto_DataType): NodeProto {
  return create(NodeProtoSchema, {
    name: `${to}_Cast`,
    opType: 'Cast',
    input: [from],
    output: [to],
    attribute: [
      create(AttributeProtoSchema, {
        name: 'to',
        type: AttributeProto_AttributeType.INT,
        i: BigInt(type),
      }),
    ],
  });
}
