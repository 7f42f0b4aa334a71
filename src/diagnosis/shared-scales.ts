import { findSharedScales } from '../quantization/index.js';
import type { Evidence, Finding } from './types.js';
import { counted } from './words.js';

/** Boxes and scores, or other values of very different size, joined under one scale. */
export function sharedScales({
  graph,
  scales,
  calibration,
  ownScales = false,
  operatorsTrial,
}: Pick<Evidence, 'graph' | 'scales' | 'calibration' | 'ownScales' | 'operatorsTrial'>): readonly Finding[] {
  const trial =
    operatorsTrial === undefined
      ? ''
      : ` Tried: with quantization.operators: tensorrt mAP50-95 on ${counted(operatorsTrial.images, 'validation image')} goes from ${operatorsTrial.before.toFixed(3)} to ${operatorsTrial.after.toFixed(3)}.`;
  const helps = operatorsTrial === undefined || operatorsTrial.after > operatorsTrial.before;
  return findSharedScales(graph, scales, calibration).map(
    ({ tensor, sentence, scale, parts, roundsToZero, node }) => ({
      kind: 'shared-scale',
      severity: 'error',
      subject: tensor,
      sentence: sentence + trial,
      advice: ownScales
        ? 'Quantize the model again, in the tool that made this file, and leave everything behind the head in float (onnxruntime.quantization: nodes_to_exclude, or op_types_to_quantize without Concat).'
        : helps
          ? 'Keep everything behind the head in float (quantization.operators: tensorrt), or export the model with boxes and scores as separate outputs.'
          : 'Export the model with boxes and scores as separate outputs.',
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
