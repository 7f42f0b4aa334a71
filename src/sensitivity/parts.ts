import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import {
  ValueInfoProtoSchema,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  type TensorProto_DataType,
} from '../onnx/index.js';
import type { Region } from './regions.js';

type ValueInfoProto = GraphProto['input'][number];

/** Type and dimensions of the tensors that regions hand over. */
export type Boundary = ReadonlyMap<string, ValueInfoProto>;

/** The description of a tensor that a sub-model needs for its inputs. */
export function boundaryInfo(
  name: string,
  elemType: TensorProto_DataType,
  dims: readonly number[],
): ValueInfoProto {
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: {
          elemType,
          shape: { dim: dims.map((dim) => ({ value: { case: 'dimValue' as const, value: BigInt(dim) } })) },
        },
      },
    },
  });
}

/** Nodes and weights that a region needs, found backwards from its outputs. */
export interface Part {
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Finds parts of one model; indexes are made once. */
export class PartFinder {
  private readonly makers = new Map<string, number>();
  private readonly weights: ReadonlyMap<string, TensorProto>;
  private readonly graph: GraphProto;

  constructor(private readonly proto: ModelProto) {
    this.graph = proto.graph as GraphProto;
    this.weights = new Map(this.graph.initializer.map((tensor) => [tensor.name, tensor]));
    this.graph.node.forEach((node, i) => node.output.forEach((name) => this.makers.set(name, i)));
  }

  /** What makes a region's outputs from its inputs in this model: Q/DQ between them included. */
  part(region: Region, extra: readonly string[] = []): Part {
    const stops = new Set(region.inputs);
    const outputs = [...new Set([...region.outputs, ...extra])];
    const nodes = new Set<number>();
    const weights = new Set<string>();
    const open = [...outputs];
    const seen = new Set<string>();
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (name === '' || seen.has(name) || (stops.has(name) && !outputs.includes(name))) continue;
      seen.add(name);
      const maker = this.makers.get(name);
      if (maker === undefined) {
        if (this.weights.has(name)) weights.add(name);
        continue;
      }
      nodes.add(maker);
      open.push(...(this.graph.node[maker] as NodeProto).input);
    }
    return {
      nodes: [...nodes].sort((a, b) => a - b).map((i) => this.graph.node[i] as NodeProto),
      initializers: [...weights].map((name) => this.weights.get(name) as TensorProto),
      inputs: region.inputs,
      outputs,
    };
  }

  /** A part as a model of its own. */
  model(part: Part, boundary: Boundary): ModelProto {
    const info = (name: string): ValueInfoProto =>
      boundary.get(name) ?? create(ValueInfoProtoSchema, { name });
    return {
      ...this.proto,
      graph: {
        ...this.graph,
        node: [...part.nodes],
        initializer: [...part.initializers],
        sparseInitializer: [],
        input: part.inputs.map(info),
        output: part.outputs.map(info),
        valueInfo: [],
        quantizationAnnotation: [],
      },
      functions: this.proto.functions,
    };
  }
}

/** Digest of what a part computes; weights that two models share by reference count by name. */
export function partDigest(part: Part, shared: ReadonlySet<TensorProto>): string {
  const hash = createHash('sha256');
  for (const node of part.nodes)
    hash.update(`${node.opType}(${node.input.join(',')})->${node.output.join(',')}\n`);
  for (const tensor of part.initializers) {
    hash.update(`${tensor.name}\n`);
    if (!shared.has(tensor)) hash.update(tensor.rawData);
  }
  return hash.digest('hex');
}
