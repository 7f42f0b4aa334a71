import type { Graph, GraphNode } from '../onnx/index.js';
import {
  placeQuantizers,
  resolvePlan,
  type Layer,
  type OperatorScope,
  type PrecisionPlan,
} from '../quantization/index.js';

/** What a plan costs. */
export interface Price {
  /**
   * What plans are ordered by. Without a profile: share of the multiply-accumulates in float, 0…1, plus what the
   * conversions cost in them. With one: milliseconds over those of everything in float.
   */
  readonly cost: number;
  /** Share of the multiply-accumulates that run in INT8, 0…1. */
  readonly int8Share: number;
  /** Tensors converted between INT8 and float. */
  readonly reformats: number;
  /** Milliseconds of one image; undefined without a profile. */
  readonly latencyMs: number | undefined;
}

/** How long layers take on one device, in milliseconds of one image. */
export interface LatencyProfile {
  /** By ONNX node. */
  readonly layers: ReadonlyMap<string, { readonly int8Ms: number; readonly floatMs: number }>;
  /** Mean of one conversion between precisions. */
  readonly reformatMs: number;
}

/** What prices are made from. */
export interface PriceInput {
  readonly graph: Graph;
  readonly scope: OperatorScope;
  /** With multiply-accumulates where shapes are known. */
  readonly layers: readonly Layer[];
  /** Elements of a tensor of one image; undefined where nobody saw it. */
  readonly elements: (tensor: string) => number | undefined;
  readonly profile?: LatencyProfile;
}

/**
 * Multiply-accumulates that take about as long as converting one element: it is read and written (3 bytes), and GPUs
 * that run INT8 do some hundred multiply-accumulates for each 3 bytes that they move, small layers fewer. An order of
 * magnitude, so that of two plans with alike layers the one with fewer borders is cheaper; a profile replaces it.
 */
const MACS_PER_ELEMENT = 100;

/** Prices plans of one network. Pure; indexes are made once. */
export function pricer(input: PriceInput): (plan: PrecisionPlan) => Price {
  const { layers, graph, scope, elements, profile } = input;
  const total = layers.reduce((sum, { macs }) => sum + (macs ?? 0), 0);
  // Where shapes are unknown every layer counts alike.
  const weigh = ({ macs }: Layer): number => (total === 0 ? 1 / layers.length : (macs ?? 0) / total);
  const borders = new Borders(graph, layers);
  return (plan) => {
    const precision = resolvePlan(plan, layers);
    const int8 = layers.filter(({ name }) => precision.get(name) === 'int8');
    const int8Share = layers.length === 0 ? 0 : int8.reduce((sum, layer) => sum + weigh(layer), 0);
    const converted = borders.converted(scope, int8);
    const macs = converted.reduce((sum, tensor) => sum + MACS_PER_ELEMENT * (elements(tensor) ?? 0), 0);
    const price = { int8Share: Math.min(1, int8Share), reformats: converted.length };
    const latencyMs = profile && latencyOf(profile, layers, new Set(int8), converted.length);
    if (profile !== undefined && latencyMs !== undefined)
      return { ...price, latencyMs, cost: latencyMs / latencyOf(profile, layers, new Set(), 0) };
    return { ...price, latencyMs, cost: 1 - price.int8Share + (total === 0 ? 0 : macs / total) };
  };
}

function latencyOf(
  { layers: times, reformatMs }: LatencyProfile,
  layers: readonly Layer[],
  int8: ReadonlySet<Layer>,
  reformats: number,
): number {
  return layers.reduce((sum, layer) => {
    const time = times.get(layer.name);
    return sum + (time === undefined ? 0 : int8.has(layer) ? time.int8Ms : time.floatMs);
  }, reformats * reformatMs);
}

/** Where tensors change precision. */
class Borders {
  private readonly layerOf = new Map<number, Layer>();

  constructor(
    private readonly graph: Graph,
    layers: readonly Layer[],
  ) {
    for (const layer of layers) for (const index of layer.nodes) this.layerOf.set(index, layer);
  }

  /**
   * Tensors that a kernel of their own converts: what INT8 layers read but float ones (or nobody: the input) make, and
   * what INT8 layers make and both kinds read. What INT8 layers make for float ones alone leaves their kernel in float.
   */
  converted(scope: OperatorScope, int8: readonly Layer[]): readonly string[] {
    const inInt8 = new Set(int8);
    return [...placeQuantizers(this.graph, scope, int8).readers].flatMap(([tensor, readers]) => {
      const makers = this.makers(tensor);
      const made = makers.length > 0 && makers.every((layer) => layer !== undefined && inInt8.has(layer));
      const mixed = this.graph.consumersOf(tensor).some(({ index }) => !readers.has(index));
      return made && !mixed ? [] : [tensor];
    });
  }

  /** Layers that a tensor comes from, behind operators that are none; undefined for an input of the model. */
  private makers(tensor: string): readonly (Layer | undefined)[] {
    const found = new Set<Layer | undefined>();
    const seen = new Set<string>();
    const open = [tensor];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (seen.has(name) || this.graph.constant(name) !== undefined) continue;
      seen.add(name);
      const node: GraphNode | undefined = this.graph.producerOf(name);
      const layer = node && this.layerOf.get(node.index);
      if (node === undefined || layer !== undefined) found.add(layer);
      else open.push(...node.inputs.filter((one) => one !== ''));
    }
    return [...found];
  }
}
