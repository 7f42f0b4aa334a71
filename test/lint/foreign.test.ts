import { describe, expect, test } from '@jest/globals';
import { formatLint, lintModel, type LintResult } from '../../src/lint/index.js';
import { parseModel, readModel } from '../../src/onnx/index.js';
import { restored } from './restore.js';

const rules = ({ findings }: LintResult): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { severity, rule } of findings)
    counts[`${severity} ${rule}`] = (counts[`${severity} ${rule}`] ?? 0) + 1;
  return counts;
};

describe('files of other tools: who quantized them, and what TensorRT makes of them', () => {
  test.each([
    [
      'modelopt',
      'onnxruntime.quantization or a tool built on it (ModelOpt, Neural Compressor)',
      { int8: 87, all: 87 },
      { activations: 99, weights: 85 },
      { 'slow concat-scales': 2, 'slow float-reader': 2, 'slow post-processing': 2 },
    ],
    [
      'pytorch-quantization',
      'pytorch-quantization',
      { int8: 85, all: 87 },
      { activations: 92, weights: 85 },
      { 'slow skip-float': 1 },
    ],
  ])('signs-v10 by %s', async (name, tool, layers, quantizers, found) => {
    const result = lintModel(parseModel(await restored(name), 'signs-v10.onnx'));
    expect(result).toMatchObject({ tool, layers, quantizers, style: 'Q/DQ', integerOperators: 0 });
    expect(rules(result)).toEqual(found);
  });

  test.each([
    [
      'tiny-aimet',
      'aimet-onnx 2.42.0',
      { 'refused unsigned': 20, 'misread unsigned': 12, 'refused quantized-constant': 1 },
    ],
    ['tiny-quark', 'AMD Quark', { 'refused int32-bias': 4, 'refused quantized-constant': 1 }],
    ['nncf', 'NNCF', { 'misread unsigned': 2 }],
  ])('%s', async (name, tool, refused) => {
    const result = lintModel(await readModel(`test/lint/golden/${name}.onnx`));
    // Biases and other constants are no weights.
    expect(result).toMatchObject({ tool, quantizers: { weights: 4 } });
    const found = Object.entries(rules(result)).filter(([rule]) => /^(refused|misread)/.test(rule));
    expect(Object.fromEntries(found)).toEqual(refused);
  });

  test.each(['operators', 'dynamic'])('%s: no layer is counted where none has a float form', async (name) => {
    const text = formatLint(lintModel(await readModel(`test/lint/golden/${name}.onnx`)));
    expect(text).toMatch(/\n\d+ integer operators: no float form of these layers is left\n/);
    expect(text).not.toMatch(/layers in INT8/);
  });
});
