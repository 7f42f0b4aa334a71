import type { HostTensor, ImageFeed, LoadedModel } from '../engine/index.js';
import { headNodes, isCompute, type Layer } from '../quantization/index.js';
import type { Graph } from '../onnx/index.js';

/** FP32's head tensors, by image of the subset. */
export interface ReferenceOutputs {
  readonly heads: readonly string[];
  readonly images: readonly ReadonlyMap<string, Float32Array>[];
}

/**
 * The tensors that errors are measured on: raw outputs of the last weighted layers, in front of post-processing, which
 * sorts and thresholds and so turns a small error into another order. The model's outputs where there are none.
 */
export function headTensors(graph: Graph): readonly string[] {
  const heads = headNodes(graph);
  const tensors = graph.nodes
    .filter((node) => heads.has(node.index) && isCompute(node))
    .flatMap(({ outputs }) => outputs.slice(0, 1))
    .filter((name) => graph.isFloat(name));
  return tensors.length > 0 ? tensors : graph.outputs.filter((name) => graph.isFloat(name));
}

/** Names of the layers that no head tensor depends on: those of post-processing. */
export function layersBehind(
  graph: Graph,
  layers: readonly Layer[],
  heads: readonly string[],
): ReadonlySet<string> {
  const reached = new Set<number>();
  const open = [...heads];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const maker = graph.producerOf(name);
    if (maker === undefined || reached.has(maker.index)) continue;
    reached.add(maker.index);
    open.push(...maker.inputs);
  }
  return new Set(
    layers.filter(({ nodes }) => !nodes.some((index) => reached.has(index))).map(({ name }) => name),
  );
}

/** Runs FP32 over the subset and keeps its head tensors. */
export async function referenceOutputs(
  session: LoadedModel,
  heads: readonly string[],
  feed: ImageFeed,
  signal: AbortSignal,
): Promise<ReferenceOutputs> {
  const images: ReadonlyMap<string, Float32Array>[] = [];
  await session.run(
    feed,
    (i, outputs) => (images[i] = new Map(heads.map((name) => [name, floatsOf(outputs, name)]))),
    { signal },
  );
  return { heads, images };
}

function floatsOf(outputs: ReadonlyMap<string, HostTensor>, name: string): Float32Array {
  const tensor = outputs.get(name);
  if (!(tensor?.data instanceof Float32Array)) throw new Error(`tensor ${name} did not come back as floats`);
  return tensor.data;
}

/**
 * Signal-to-quantization-noise ratio against FP32.
 *
 * Powers are summed per tensor over all images in float64. Tensors are joined by the mean of their noise-to-signal
 * ratios, not by their powers: box logits are larger than class logits and would drown them.
 */
export class SqnrMeter {
  private readonly signal = new Map<string, number>();
  private readonly noise = new Map<string, number>();

  constructor(private readonly reference: ReferenceOutputs) {}

  add(image: number, outputs: ReadonlyMap<string, HostTensor>): void {
    for (const name of this.reference.heads) {
      const expected = this.reference.images[image]?.get(name) as Float32Array;
      const actual = floatsOf(outputs, name);
      let signal = 0;
      let noise = 0;
      for (let i = 0; i < expected.length; i++) {
        const x = expected[i] as number;
        const d = x - (actual[i] as number);
        signal += x * x;
        noise += d * d;
      }
      this.signal.set(name, (this.signal.get(name) ?? 0) + signal);
      this.noise.set(name, (this.noise.get(name) ?? 0) + noise);
    }
  }

  /** dB; Infinity when nothing differs, -Infinity when the candidate is not finite. */
  sqnr(): number {
    const ratios = this.reference.heads.map(
      (name) => (this.noise.get(name) ?? 0) / Math.max(this.signal.get(name) ?? 0, Number.MIN_VALUE),
    );
    const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
    return Number.isFinite(mean) ? -10 * Math.log10(mean) : -Infinity;
  }
}
