import { findSharedScales } from '../quantization/index.js';
import type { Evidence, Finding } from './types.js';

/** Boxes and scores, or other values of very different size, joined under one scale. */
export function sharedScales({
  graph,
  scales,
  calibration,
  ownScales = false,
}: Pick<Evidence, 'graph' | 'scales' | 'calibration' | 'ownScales'>): readonly Finding[] {
  return findSharedScales(graph, scales, calibration).map(
    ({ tensor, sentence, scale, parts, roundsToZero, node }) => ({
      kind: 'shared-scale',
      severity: 'error',
      subject: tensor,
      sentence,
      advice: ownScales
        ? 'Quantize the model again, in the tool that made this file, and leave everything behind the head in float (onnxruntime.quantization: nodes_to_exclude, or op_types_to_quantize without Concat).'
        : 'Keep everything behind the head in float (quantization.operators: tensorrt), or export the model with boxes and scores as separate outputs.',
      layers: [...new Set([node, ...(scales.find((one) => one.tensor === tensor)?.layers ?? [])])],
      evidence: {
        scale,
        roundsToZero,
        smallestSteps: Math.min(...parts.map(({ steps }) => steps)),
        largestSteps: Math.max(...parts.map(({ steps }) => steps)),
      },
    }),
  );
}
