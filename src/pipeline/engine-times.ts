import type { EngineLayer, EnginePrecision } from '../engine/index.js';

/** What a layer of the plan takes in a real engine. */
export interface LayerTime {
  /** Mean milliseconds of a batch by the profiler; its part of a kernel that holds several layers. */
  readonly ms: number;
  /** Of its kernels, the one that takes longest tells. */
  readonly got: EnginePrecision;
}

/** A layer of the plan as engines know it. */
export interface PlannedLayer {
  readonly name: string;
  /** Its ONNX nodes, fused ones included. */
  readonly nodes: readonly string[];
  readonly macs: number;
}

/**
 * Gives the profiler's times back to the layers of the plan. A kernel that computes several of them is shared out by
 * their MACs; reformats belong to no layer. Layers that the engine does not name are left out.
 */
export function layerTimes(
  engine: readonly EngineLayer[],
  planned: readonly PlannedLayer[],
): ReadonlyMap<string, LayerTime> {
  const owner = new Map(planned.flatMap((layer) => layer.nodes.map((node) => [node, layer] as const)));
  const parts = new Map<string, { ms: number; longest: number; got: EnginePrecision }>();
  for (const { nodes, ms, precision, reformat } of engine) {
    if (reformat || ms === undefined) continue;
    const owners = [...new Set(nodes.flatMap((node) => owner.get(node) ?? []))];
    const total = owners.reduce((sum, { macs }) => sum + macs, 0);
    for (const { name, macs } of owners) {
      const share = ms * (total > 0 ? macs / total : 1 / owners.length);
      const known = parts.get(name) ?? { ms: 0, longest: -1, got: precision };
      const longer = share > known.longest;
      parts.set(name, {
        ms: known.ms + share,
        longest: longer ? share : known.longest,
        got: longer ? precision : known.got,
      });
    }
  }
  return new Map([...parts].map(([name, { ms, got }]) => [name, { ms, got }]));
}
