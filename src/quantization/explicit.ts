import { create } from '@bufbuild/protobuf';
import { InputFault, type Problem } from '../faults/index.js';
import {
  NodeProtoSchema,
  TensorProto_DataType,
  buildGraph,
  changed,
  elementCount,
  floatsToTensor,
  intAttribute,
  tensorToFloats,
  tensorToIntegers,
  type Graph,
  type GraphNode,
  type GraphProto,
  type Model,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from '../onnx/index.js';
import { foldWeights } from './fold.js';
import { isCompute, listLayers, movedInputs } from './layers.js';
import { resolvePlan } from './plan.js';
import { joinBefore } from './shared-scales.js';
import { asTensorrtReads } from './signed.js';
import type { Layer, PrecisionPlan, ScaleRecord } from './types.js';
import { widened } from './widen.js';

const INTEGER =
  /^(QLinear\w+|ConvInteger|MatMulInteger|DynamicQuantizeLinear|QGemm|QAttention|DynamicQuantize\w+)$/;

/**
 * The float model to start from: the model itself (with weights that it computes from constants as constants, see
 * {@link foldWeights}), or, of a Q/DQ file as quantization-aware training or another tool
 * left it, the model with every Q/DQ taken out and integer weights turned back into float. The latter remembers the
 * file as `quantized`, from which {@link quantize} takes what a plan wants in INT8. FP16 in such a file becomes FP32,
 * see {@link widened}; UINT8 codes become what TensorRT takes them for, see {@link asTensorrtReads}, and the file as it
 * came is kept as `misread`.
 * @throws InputFault when the file holds integer operators, whose float form is lost.
 */
export function floatModelOf(given: Model): Model {
  const model = withConstantWeights(given);
  const named = withNames(model);
  const graph = buildGraph({ proto: named });
  const integer = graph.nodes.find(({ opType }) => INTEGER.test(opType));
  if (integer !== undefined) throw new InputFault(quantizedAlready(model, integer));
  if (!graph.nodes.some(isQdq)) {
    const folded = foldWeights(named);
    return folded === named ? model : { ...model, proto: folded };
  }
  const full = widened(named);
  const float = new Bypass(buildGraph({ proto: full }), () => false).write(full);
  const signed = asTensorrtReads(named);
  return {
    ...model,
    proto: foldWeights(float),
    quantized: signed?.proto ?? named,
    ...(signed !== undefined && { misread: named }),
  };
}

/** Says by whom a model was quantized, where that shows, and what to give instead. */
export function quantizedAlready({ proto, name }: Model, { opType, name: node }: GraphNode): Problem {
  const producer = [proto.producerName, proto.producerVersion].filter(Boolean).join(' ');
  const dynamic = opType.startsWith('Dynamic') || opType.endsWith('Integer');
  const integer = INTEGER.test(opType);
  return {
    where: `${name}, node ${node}`,
    what: [
      'the model is quantized already',
      ...(producer === '' ? [] : [` (last written by ${producer})`]),
      `: it contains ${opType}`,
      ...(integer
        ? [`, ${dynamic ? 'of dynamic quantization, ' : ''}an integer operator whose float form is lost`]
        : []),
    ].join(''),
    fix: `Give the float model that it was made from${integer ? ', or a file with Q/DQ pairs (onnxruntime: quantize_static with QuantFormat.QDQ); \`int8-gate quantize\` makes one of the float model' : ''}.`,
  };
}

/**
 * A Q/DQ file as a plan wants it: layers that the plan keeps float lose their Q/DQ, and so do operators in front of
 * float layers alone. A plan that asks for all that the file has gives the file, FP16 and all; parts of it are in FP32,
 * since what a layer costs by INT8 is not to be mixed with what FP16 costs.
 */
export function selectQuantized(
  quantized: ModelProto,
  float: Graph,
  plan: PrecisionPlan,
): {
  readonly proto: ModelProto;
  readonly scales: readonly ScaleRecord[];
  readonly int8Layers: readonly Layer[];
  readonly floatLayers: readonly Layer[];
} {
  const full = widened(quantized);
  const graph = buildGraph({ proto: full });
  const layers = listLayers(float, plan.operators);
  const precision = resolvePlan(plan, layers);
  const inFile = new Set(quantizedLayers(graph));
  const int8Layers = layers.filter(({ name }) => precision.get(name) === 'int8' && inFile.has(name));
  const int8 = new Set(int8Layers.map(({ name }) => name));
  const whole = plan.default === 'int8' && layers.every(({ name }) => int8.has(name) || !inFile.has(name));
  const below = layersBelow(graph);
  const bypass = new Bypass(graph, (reader) => {
    if (whole) return true;
    if (isCompute(reader)) return int8.has(reader.name);
    const layersThere = below.get(reader.index) ?? [];
    // What is quantized behind the last layer is nobody's: it goes with the file.
    return layersThere.length === 0 ? plan.default === 'int8' : layersThere.some((name) => int8.has(name));
  });
  return {
    proto: whole ? quantized : bypass.write(full),
    scales: bypass.scales(),
    int8Layers,
    floatLayers: layers.filter((layer) => !int8Layers.includes(layer)),
  };
}

/** The plan that a Q/DQ file is: what it quantizes in INT8, the rest float. */
export function planOfFile(
  model: Model,
  layers: readonly Layer[],
  operators: PrecisionPlan['operators'],
): PrecisionPlan {
  const inFile = new Set(quantizedLayers(buildGraph({ proto: widened(model.quantized as ModelProto) })));
  const float = layers.filter(({ name }) => !inFile.has(name)).map(({ name }) => [name, 'fp16'] as const);
  return { version: 1, operators, default: 'int8', layers: Object.fromEntries(float) };
}

/**
 * Tensors of the float model that a Q/DQ file quantizes, and what is joined into them by Concat: what its scales are
 * held against.
 */
export function tensorsOfFile(quantized: ModelProto, float: Graph): readonly string[] {
  const scales = new Bypass(buildGraph({ proto: widened(quantized) }), () => true).scales();
  const known = (name: string): boolean =>
    float.producerOf(name) !== undefined || float.inputs.includes(name);
  const names = scales.flatMap(({ tensor, kind }) => (kind === 'activation' ? [tensor] : [])).filter(known);
  const joined = names.flatMap((name) => joinBefore(float, name)?.inputs ?? []).filter(known);
  return [...new Set([...names, ...joined])].filter((name) => float.isFloat(name));
}

/** Counts constants of a Q/DQ file whose float form is gone: weights of layers, and others but for INT32 biases. */
export function storedIntegers(quantized: ModelProto): { readonly weights: number; readonly others: number } {
  const graph = buildGraph({ proto: quantized });
  const count = { weights: 0, others: 0 };
  for (const { opType, inputs, outputs } of graph.nodes) {
    const stored = opType === 'DequantizeLinear' ? graph.constant(inputs[0] ?? '') : undefined;
    if (stored === undefined || stored.dataType === TensorProto_DataType.INT32) continue;
    const weighs = (reader: GraphNode): boolean =>
      isCompute(reader)
        ? reader.inputs.indexOf(outputs[0] ?? '') > 0
        : movedInputs(reader).length > 0 &&
          graph.consumersOf(reader.outputs[0] ?? '').some((next) => isCompute(next));
    count[graph.consumersOf(outputs[0] ?? '').some(weighs) ? 'weights' : 'others']++;
  }
  return count;
}

/** Names of the layers of a Q/DQ graph whose two first inputs are dequantized. */
function quantizedLayers(graph: Graph): readonly string[] {
  const dequantized = new Set<string>();
  for (const node of graph.nodes) {
    const moved = movedInputs(node);
    if (
      node.opType === 'DequantizeLinear' ||
      (moved.length > 0 && moved.every((name) => dequantized.has(name)))
    )
      for (const name of node.outputs) dequantized.add(name);
  }
  return graph.nodes
    .filter((node) => isCompute(node) && node.inputs.slice(0, 2).every((name) => dequantized.has(name)))
    .map(({ name }) => name);
}

/** By node that is no layer: the nearest layers below it. */
function layersBelow(graph: Graph): ReadonlyMap<number, readonly string[]> {
  const below = new Map<number, readonly string[]>();
  for (const node of [...graph.nodes].reverse()) {
    const names = node.outputs
      .flatMap((name) => graph.consumersOf(name))
      .flatMap((reader) => (isCompute(reader) ? [reader.name] : (below.get(reader.index) ?? [])));
    below.set(node.index, [...new Set(names)]);
  }
  return below;
}

/** Older exporters list weights among the inputs, as values that a caller may change; here nobody does. */
function withConstantWeights(model: Model): Model {
  const graph = model.proto.graph as GraphProto;
  const weights = new Set(graph.initializer.map(({ name }) => name));
  const input = graph.input.filter(({ name }) => !weights.has(name));
  if (input.length === graph.input.length) return model;
  return { ...model, proto: changed(model.proto, { graph: changed(graph, { input }) }) };
}

function withNames({ proto }: Model): ModelProto {
  const nodes = buildGraph({ proto }).nodes.map(({ proto: node, name }) =>
    node.name === name ? node : changed(node, { name }),
  );
  return changed(proto, { graph: changed(proto.graph as GraphProto, { node: nodes }) });
}

/** Takes out the Q/DQ of readers that do not want it. */
class Bypass {
  private readonly folded = new Map<string, TensorProto>();

  constructor(
    private readonly graph: Graph,
    private readonly keeps: (reader: GraphNode) => boolean,
  ) {}

  write(source: ModelProto): ModelProto {
    const graph = source.graph as GraphProto;
    const nodes = this.graph.nodes.flatMap((node) => {
      if (isQdq(node) || this.keeps(node)) return [node.proto];
      return [changed(node.proto, { input: node.inputs.map((name) => this.floatOf(name)) })];
    });
    // A model's output keeps its name; nothing behind the last layer is kept where no layer below wants it.
    const outputs = graph.output.flatMap(({ name }) => this.leaving(name));
    const kept = prune([...nodes, ...outputs], new Set(graph.output.map(({ name }) => name)));
    const read = new Set(kept.flatMap(({ input }) => input));
    return changed(source, {
      graph: changed(graph, {
        node: kept,
        initializer: [
          ...graph.initializer.filter(
            ({ name }) =>
              read.has(name) ||
              this.graph.consumersOf(name).some(({ proto }) => proto.attribute.some(({ g }) => g)),
          ),
          ...[...this.folded.values()].filter(({ name }) => read.has(name)),
        ],
      }),
    });
  }

  scales(): readonly ScaleRecord[] {
    return this.graph.nodes.flatMap((node): ScaleRecord[] => {
      if (node.opType !== 'DequantizeLinear') return [];
      const readers = this.graph.consumersOf(node.outputs[0] ?? '').filter((reader) => this.keeps(reader));
      const scale = this.constant(node.inputs[1] ?? '');
      if (readers.length === 0 || scale === undefined) return [];
      const source = this.graph.producerOf(node.inputs[0] ?? '');
      const tensor = source?.opType === 'QuantizeLinear' ? (source.inputs[0] ?? '') : (node.inputs[0] ?? '');
      const steps = tensorToFloats(scale);
      return [
        {
          tensor,
          kind: this.constant(tensor) === undefined ? 'activation' : 'weight',
          axis: steps.length > 1 ? this.axisOf(node, tensor) : undefined,
          scale: steps,
          ...this.levelsOf(node),
          layers: readers.filter(isCompute).map(({ name }) => name),
        },
      ];
    });
  }

  /** Codes that a zero point, or UINT8, leaves on the longer side; nothing for symmetric INT8. */
  private levelsOf(dequantize: GraphNode): Pick<ScaleRecord, 'levels'> {
    const zero = this.constant(dequantize.inputs[2] ?? '');
    const unsigned = zero === undefined || zero.dataType === TensorProto_DataType.UINT8;
    if (zero !== undefined && !unsigned && zero.dataType !== TensorProto_DataType.INT8) return {};
    const at = zero === undefined ? 0 : (tensorToIntegers(zero)[0] ?? 0);
    const [lowest, highest] = unsigned ? [0, 255] : [-128, 127];
    // 128 is the one code that symmetric INT8 has more on the negative side.
    return at === 0 && !unsigned ? {} : { levels: Math.max(at - lowest, highest - at) };
  }

  /** Axis of a DequantizeLinear's scales; ONNX counts negative ones from the end. */
  private axisOf(dequantize: GraphNode, tensor: string): number {
    const axis = intAttribute(dequantize, 'axis', 1);
    const rank = this.constant(tensor)?.dims.length ?? this.graph.shape(tensor)?.length ?? 0;
    return axis < 0 ? axis + rank : axis;
  }

  /** The tensor before Q/DQ; itself when it is not dequantized. */
  private floatOf(name: string): string {
    const dequantize = this.graph.producerOf(name);
    if (dequantize?.opType !== 'DequantizeLinear') return name;
    const codes = dequantize.inputs[0] ?? '';
    const quantize = this.graph.producerOf(codes);
    if (quantize?.opType === 'QuantizeLinear') return this.floatOf(quantize.inputs[0] ?? '');
    const stored = this.constant(codes);
    if (stored === undefined) return name;
    const known = this.folded.get(name);
    if (known !== undefined) return known.name;
    const made = this.fold(dequantize, stored, `${name}_float`);
    this.folded.set(name, made);
    return made.name;
  }

  /** Integer weights times their scales. */
  private fold(node: GraphNode, codes: TensorProto, name: string): TensorProto {
    const steps = tensorToFloats(this.constant(node.inputs[1] ?? '') as TensorProto);
    const zero = this.constant(node.inputs[2] ?? '');
    const shift = zero === undefined ? [0] : tensorToIntegers(zero);
    const dims = codes.dims.map(Number);
    const axis = intAttribute(node, 'axis', 1);
    const inner = dims.slice((axis < 0 ? axis + dims.length : axis) + 1).reduce((a, b) => a * b, 1);
    const channel = (i: number): number => (steps.length === 1 ? 0 : Math.floor(i / inner) % steps.length);
    const values = Float32Array.from(
      tensorToIntegers(codes),
      (code, i) => (code - (shift[shift.length === 1 ? 0 : channel(i)] ?? 0)) * (steps[channel(i)] as number),
    );
    if (values.length !== elementCount(codes))
      throw new InputFault({
        where: `initializer ${codes.name}`,
        what: 'holds other data than its shape says',
        fix: 'Export the model again, or copy it whole.',
      });
    return floatsToTensor(name, dims, values);
  }

  private constant(name: string): TensorProto | undefined {
    const producer = this.graph.producerOf(name);
    return (
      this.graph.constant(name) ??
      (producer?.opType === 'Identity' ? this.constant(producer.inputs[0] ?? '') : undefined)
    );
  }

  private leaving(name: string): readonly NodeProto[] {
    const producer = this.graph.producerOf(name);
    const float = this.floatOf(name);
    if (producer === undefined || float === name || this.keeps(producer)) return [];
    return [
      create(NodeProtoSchema, {
        name: `${name}_Identity`,
        opType: 'Identity',
        input: [float],
        output: [name],
      }),
    ];
  }
}

function isQdq({ opType }: GraphNode): boolean {
  return opType === 'QuantizeLinear' || opType === 'DequantizeLinear';
}

/** Nodes that outputs depend on; of two that give one tensor the later. */
function prune(nodes: readonly NodeProto[], outputs: ReadonlySet<string>): NodeProto[] {
  const wanted = new Set(outputs);
  const given = new Set<string>();
  const kept: NodeProto[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.output.some((name) => name !== '' && wanted.has(name) && !given.has(name))) continue;
    for (const name of node.output) given.add(name);
    for (const name of [...node.input, ...bodyReads(node)]) wanted.add(name);
    kept.push(node);
  }
  return kept.reverse();
}

function bodyReads(node: NodeProto): readonly string[] {
  return node.attribute.flatMap(({ g, graphs }) =>
    [...(g ? [g] : []), ...graphs].flatMap((body) => [
      ...body.node.flatMap((one) => [...one.input, ...bodyReads(one)]),
      ...body.output.map(({ name }) => name),
    ]),
  );
}
