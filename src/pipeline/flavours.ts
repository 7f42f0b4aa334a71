import type { TensorStatistics } from '../calibration/index.js';
import { encodeModel } from '../onnx/index.js';
import {
  resolvePlan,
  toStrong,
  type KeptFloat,
  type PrecisionPlan,
  type QuantizedModel,
} from '../quantization/index.js';
import type { Bench } from './prepare.js';

/** A quantized model as files, in the flavours that the settings ask for. */
export interface Flavours {
  /** By file name: `int8.onnx`, and `int8-strong.onnx` where both are wanted. */
  readonly models: Readonly<Record<string, Uint8Array>>;
  /** What the strongly typed one keeps in FP32 for the sake of range. */
  readonly kept: readonly KeptFloat[];
}

/** Encodes a quantized model weakly typed, strongly typed, or both (`quantization.flavour`). */
export function flavoursOf(
  { settings, layers, model, graph }: Bench,
  plan: PrecisionPlan,
  quantized: QuantizedModel,
  statistics: ReadonlyMap<string, TensorStatistics>,
  name = 'int8',
): Flavours {
  const { flavour } = settings.quantization;
  const weak = { [`${name}.onnx`]: encodeModel(quantized.proto) };
  if (flavour === 'weak') return { models: weak, kept: [] };
  const precision = resolvePlan(plan, layers);
  const fp32 = layers.filter((layer) => precision.get(layer.name) === 'fp32');
  const { proto, kept } = toStrong(quantized.proto, {
    name: model.name,
    fp32: new Set(fp32.flatMap(({ nodes }) => nodes.map((index) => graph.nodes[index]?.name ?? ''))),
    reach: reachOf(statistics),
  });
  const strong = encodeModel(proto);
  return {
    models:
      flavour === 'strong' ? { [`${name}.onnx`]: strong } : { ...weak, [`${name}-strong.onnx`]: strong },
    kept,
  };
}

/** Largest |x| of each tensor: what must fit into FP16. */
export function reachOf(statistics: ReadonlyMap<string, TensorStatistics>): ReadonlyMap<string, number> {
  return new Map([...statistics].map(([tensor, { min, max }]) => [tensor, Math.max(-min, max)]));
}
