/** The wrong preprocessing: FP32 with another does better, and what else is found rests on the wrong input. */
import { expect, test } from '@jest/globals';
import { diagnose } from '../../src/diagnosis/index.js';
import type { FoundComparison } from '../../src/evaluation/index.js';
import { evidence, tensor, weights } from './evidence.js';

/** FP32 with the colours swapped. */
const bgr = (before: number, after: number, found: Partial<FoundComparison> = {}) => ({
  change: 'color: bgr',
  before,
  after,
  images: 32,
  found: { before, after, objects: 297, z: 0, ...found },
});

test.each([
  [
    'mAP rises much',
    bgr(0.21, 0.44),
    /with color: bgr FP32 itself rises from 0\.210 to 0\.440 mAP50-95 on 32/,
  ],
  [
    // Measured: YOLOX-nano, which wants BGR, on 32 photos in RGB.
    'mAP rises little, but objects get surely higher scores',
    bgr(0.276, 0.304, { before: 0.234, after: 0.277, z: 3.4 }),
    /the 297 objects there are found with a mean score of 0\.277 instead of 0\.234\.$/,
  ],
])('is told when %s', (_, trial, says) => {
  const [found, ...others] = diagnose(evidence({ preprocessingTrials: [trial] }));
  expect(found).toMatchObject({
    kind: 'preprocessing',
    severity: 'error',
    subject: 'preprocessing.color: bgr',
  });
  expect(found?.sentence).toMatch(says);
  expect(found?.advice).toMatch(/^Set preprocessing: \{ color: bgr \}/);
  for (const value of Object.values(found?.evidence ?? {})) expect(Number.isFinite(value)).toBe(true);
  expect(others).toEqual([]);
});

test.each([
  ['it is better by luck', bgr(0.44, 0.46, { before: 0.3, after: 0.34, z: 2.5 })],
  ['objects get surely higher scores, but hardly so', bgr(0.44, 0.46, { before: 0.3, after: 0.32, z: 5 })],
  [
    'objects get higher scores, and mAP falls all the same',
    bgr(0.44, 0.43, { before: 0.3, after: 0.4, z: 5 }),
  ],
  ['it is worse, as it should be', bgr(0.304, 0.276, { before: 0.277, after: 0.234, z: -3.4 })],
])('is not told when %s', (_, trial) => {
  expect(diagnose(evidence({ preprocessingTrials: [trial] }))).toEqual([]);
});

test('with it, what rests on activations is no cause of its own', () => {
  const half = tensor('half', {
    images: Array.from({ length: 64 }, () => [1, 0, 1, 0]),
    shape: [1, 4, 1, 1],
  });
  const given = {
    tensors: [half],
    weights: [weights('deconv', 'x', { sqnr: 12 })],
    detections: { fp32: 9, int8: 0 },
  };
  const grave = (trials: readonly ReturnType<typeof bgr>[]) => {
    const said = diagnose(evidence({ ...given, preprocessingTrials: trials }));
    expect(said.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['weight-range', 'dead-channels']));
    return said.filter(({ severity }) => severity !== 'info').map(({ kind }) => kind);
  };
  expect(grave([bgr(0.01, 0.9)])).toEqual(['nothing-detected', 'preprocessing']);
  expect(grave([])).toEqual(['nothing-detected', 'weight-range']);
});
