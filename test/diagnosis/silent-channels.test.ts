/** Weights are judged with what they multiply: a channel that carries nothing makes no weight matter, but may set a scale. */
import { describe, expect, test } from '@jest/globals';
import { extremesOf, RangeCollector } from '../../src/calibration/index.js';
import { diagnose, weightEvidence, type WeightEvidence } from '../../src/diagnosis/index.js';
import { buildGraph, floatsToTensor } from '../../src/onnx/index.js';
import { listLayers } from '../../src/quantization/index.js';
import { modelOf, noise } from '../quantization/graphs.js';
import { evidence } from './evidence.js';

/** Evidence of an 8×8 layer with noise for weights, changed by `weight(value, input channel)`, on inputs of these sizes. */
function seen(
  operator: 'Conv' | 'ConvTranspose',
  sizes: readonly number[],
  weight: (value: number, channel: number) => number,
): WeightEvidence {
  const values = noise(64, 3).map((one, i) => weight(one, operator === 'Conv' ? i & 7 : i >> 3));
  const graph = buildGraph(
    modelOf({
      outputs: ['y'],
      nodes: [`y = ${operator}(x, w)`],
      constants: [floatsToTensor('w', [8, 8, 1, 1], values)],
    }),
  );
  const collector = new RangeCollector({ reach: true });
  const inputs = noise(8 * 64, 7).map((one, i) => one * (sizes[i >> 6] as number));
  collector.observe(0, 'x', inputs, [1, 8, 8, 8]);
  const [one] = weightEvidence(graph, listLayers(graph, 'tensorrt'), extremesOf(collector.statistics()));
  return one as WeightEvidence;
}

const found = (one: WeightEvidence) =>
  diagnose(evidence({ weights: [one] })).filter(({ kind }) => kind === 'weight-range');
const EVEN = [1, 1, 1, 1, 1, 1, 1, 1];
const SILENT = [1e-6, 1, 1, 1, 1, 1, 1, 1];

describe.each(['Conv', 'ConvTranspose'] as const)('%s', (operator) => {
  test('huge weights on a silent channel set the scale of the others: told, and what to set to zero', () => {
    // By themselves these weights are kept at their best: nearly all their energy is in the huge ones.
    const one = seen(operator, SILENT, (value, c) => (c === 0 ? Math.sign(value) * 500 : value));
    expect(one.sqnr).toBeGreaterThan(40);
    const [finding] = found(one);
    expect(finding?.sentence).toMatch(
      /weights of y at -?\d\S* dB only, counted by what they multiply: its largest \(up to 500\) multiply input channels that hardly carry anything \(up to \S+, where others reach \S+\)/,
    );
    expect(finding?.advice).toMatch(/^Set the weights of input channels that carry nothing to zero/);
  });

  test('weights that are rounded away on a silent channel cost nothing', () => {
    const sizes = EVEN.map((_, c) => (c === 0 ? 1 : 1e-6));
    const tiny = (value: number, c: number): number => (c === 0 ? Math.sign(value) * 50 : value * 0.5);
    expect(found(seen(operator, sizes, tiny))).toEqual([]);
  });

  test('the same huge weights are not blamed where their channel carries what the output is made of', () => {
    const loud = seen(operator, EVEN, (value, c) => (c === 0 ? Math.sign(value) * 500 : value));
    expect(found(loud)).toEqual([]);
    expect(loud.output?.sqnr).toBeGreaterThan(40);
  });
});

test('an input of zeros alone leaves the weights to be judged by themselves', () => {
  const zeros = EVEN.map(() => 0);
  expect(seen('Conv', zeros, (value) => value).output).toBeUndefined();
});
