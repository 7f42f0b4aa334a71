import type { Evidence, Finding } from './types.js';

/** INT8 finds less than a hundredth of what FP32 finds. */
export function nothingDetected({ detections }: Pick<Evidence, 'detections'>): readonly Finding[] {
  const { fp32, int8 } = detections;
  if (fp32 === 0 || int8 > fp32 / 100) return [];
  return [
    {
      kind: 'nothing-detected',
      severity: 'error',
      subject: 'INT8',
      sentence: `The INT8 model finds ${int8} objects with a score of 0.25 or more where FP32 finds ${fp32}: in production it detects nothing.`,
      advice:
        'Do not ship the INT8 engine: it detects nothing. Keep in float what the other causes or the most sensitive layers name, and judge again.',
      layers: [],
      evidence: { fp32, int8 },
    },
  ];
}
