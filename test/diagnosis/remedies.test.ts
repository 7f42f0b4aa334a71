/** Remedies are advised by what they did to the whole model where they were tried, and not where they did nothing. */
import { describe, expect, test } from '@jest/globals';
import {
  diagnose,
  findAlone,
  findIdle,
  floatRemedies,
  type Evidence,
  type Finding,
  type FindingKind,
} from '../../src/diagnosis/index.js';
import { bell, evidence, tensor, weights, type Seen } from './evidence.js';

const energy = (...values: number[]): Float64Array => Float64Array.from(values);
const channels = (sizes: readonly number[]): Seen => ({
  images: Array.from({ length: 8 }, (_, i) => sizes.flatMap((size) => bell(8, size, i + 1))),
  shape: [1, sizes.length, 1, 8],
});
const settled = (values: readonly number[], count = 64): Seen => ({
  images: Array.from({ length: count }, () => values),
});
/** Weights that are kept well, of which the large ones multiply a channel that reaches 0.001 where others reach 9. */
const idle = weights('depthwise', 'x', {
  sqnr: 40,
  amax: 500,
  output: { sqnr: 3, atLargest: 0.001, reach: 9 },
});

const KEEPS: readonly (readonly [FindingKind, Partial<Evidence>, layer: string])[] = [
  [
    'unequal-channels',
    {
      tensors: [tensor('wide', channels([100, 1, 1, 1]), { layers: ['depthwise'] })],
      weights: [weights('depthwise', 'wide', { amax: 11, inputEnergy: energy(0.0001, 100, 100, 100) })],
    },
    'depthwise',
  ],
  [
    'range-outlier',
    {
      tensors: [
        tensor('tail', {
          images: [Array.from({ length: 1 << 18 }, (_, k) => ((k + 0.5) / (1 << 18)) ** (-1 / 2.1) - 1)],
        }),
      ],
    },
    'conv of tail',
  ],
  ['weight-range', { weights: [weights('deconv', 'x', { perChannel: false, sqnr: 12 })] }, 'deconv'],
  ['one-sided-range', { tensors: [tensor('silu', settled([-0.278, 0, 1, 5, 138]))] }, 'conv of silu'],
  [
    'one-sided-range',
    { tensors: [tensor('coarse', settled([...Array<number>(20_000).fill(0.3), -0.27, 60], 2))] },
    'conv of coarse',
  ],
];

const findingOf = (given: Partial<Evidence>, kind: FindingKind): Finding => {
  const found = diagnose(evidence(given)).filter(
    (one) => one.kind === kind && /float|INT8|mse/.test(one.advice),
  );
  expect(found).toHaveLength(1);
  return found[0] as Finding;
};

describe.each(KEEPS)('%s', (kind, given, layer) => {
  test('names the layers that are worth a trial in float', () => {
    expect(floatRemedies(evidence(given))).toEqual([[layer]]);
    expect(findingOf(given, kind).sentence).not.toMatch(/Tried/);
  });

  test('advises float where it helped', () => {
    const before = findingOf(given, kind);
    const after = findingOf({ ...given, sqnr: 12, floatTrials: [{ layers: [layer], sqnr: 20.5 }] }, kind);
    expect(after.sentence).toBe(
      `${before.sentence} Tried: with ${layer} in float the head's SQNR goes from 12.0 dB to 20.5 dB.`,
    );
    expect([after.advice, after.severity]).toEqual([before.advice, before.severity]);
    expect(after.evidence).toMatchObject({ modelSqnr: 12, modelSqnrTried: 20.5 });
  });

  test('advises against float where it did not help', () => {
    const given12 = { ...given, sqnr: 12, calibratorTrials: [{ calibrator: 'mse', sqnr: 12.1 }] };
    const { sentence, advice, severity } = findingOf(
      { ...given12, floatTrials: [{ layers: [layer], sqnr: 12.6 }] },
      kind,
    );
    expect(sentence).toMatch(/goes from 12\.0 dB to 12\.6 dB\./);
    expect(advice).toMatch(
      new RegExp(`^Leave ${layer} in INT8 for now: in float it wins the whole model next`),
    );
    expect(severity).toBe('info');
  });

  test('takes no trial of other layers for its own', () => {
    const { sentence } = findingOf({ ...given, floatTrials: [{ layers: ['other'], sqnr: 30 }] }, kind);
    expect(sentence).not.toMatch(/Tried/);
  });
});

test('where all is well no trial is asked for', () => {
  const tensors = [tensor('x', { images: Array.from({ length: 64 }, (_, i) => bell(256, 1, i + 1)) })];
  const given = evidence({ tensors, weights: [weights('conv', 'x')] });
  expect(floatRemedies(given)).toEqual([]);
  expect(findAlone(given)).toBeUndefined();
  expect(findIdle(given)).toBeUndefined();
});

describe('a wide one-sided range', () => {
  const given = {
    tensors: [tensor('silu', settled([-0.278, 0, 1, 5, 138]))],
    sqnr: 12,
    floatTrials: [{ layers: ['conv of silu'], sqnr: 12.2 }],
  };

  test.each([
    [15, 'warning', 'Set calibration.calibrator to mse.'],
    [12.3, 'info', expect.stringMatching(/^Leave conv of silu in INT8/)],
  ])('clipping is advised by what it did: to %d dB', (sqnr, severity, advice) => {
    const found = findingOf({ ...given, calibratorTrials: [{ calibrator: 'mse', sqnr }] }, 'one-sided-range');
    expect(found).toMatchObject({ severity, advice });
    expect(found.sentence).toMatch(/Tried on the whole model: with mse the head's SQNR goes from 12\.0 dB/);
  });
});

describe('weights that multiply next to nothing', () => {
  const given = { weights: [idle], sqnr: 3, floatTrials: [{ layers: ['depthwise'], sqnr: 22 }] };
  const told = (part: Partial<Evidence>) =>
    diagnose(evidence({ ...given, ...part })).find(({ kind }) => kind === 'weight-range') as Finding;

  test('are the ones that the trial sets to zero', () => {
    expect(findIdle({ weights: [weights('other', 'x'), idle] })).toBe(idle);
    expect(findIdle({ weights: [weights('poor', 'x', { sqnr: 12 })] })).toBeUndefined();
  });

  test.each([
    ['most of all', 25, /^Set the weights .* to zero before the export\. Or keep depthwise in float/],
    [
      'nearly as much as float',
      15,
      /^Keep depthwise in float .*; to keep INT8, set the weights .* to zero before/,
    ],
    ['far less than float', 5, /^Keep depthwise in float \(quantization\.keepFloat\), or train/],
    [
      'nothing, since they break what the layer gives',
      -2,
      /^Keep depthwise in float \(quantization\.keepFloat\), or train/,
    ],
  ])('zeros win %s', (_, sqnr, says) => {
    const { sentence, advice } = told({ silenceTrial: { layer: 'depthwise', sqnr } });
    expect(sentence).toContain(
      ` from 3.0 dB to 22.0 dB. Tried: with the weights of those channels at 0 it goes to ${sqnr.toFixed(1)} dB.`,
    );
    expect(advice).toMatch(says);
  });
});

describe('one image that sets ranges', () => {
  const given: Partial<Evidence> = {
    calibrationImages: 64,
    calibrationNames: Array.from({ length: 64 }, (_, i) => `${i}.jpg`),
    tensors: [
      tensor('x', { images: Array.from({ length: 64 }, (_, i) => bell(256, i === 5 ? 2 : 1, i + 1)) }),
    ],
    sqnr: 15,
    calibratorTrials: [{ calibrator: 'mse', sqnr: 15.2 }],
  };
  const told = (sqnr: number): Finding =>
    diagnose(evidence({ ...given, imageTrial: { image: 5, sqnr } })).find(
      ({ subject }) => subject === '5.jpg',
    ) as Finding;

  test('is the one that the trial leaves out', () => {
    expect(findAlone(evidence(given))?.image).toBe(5);
    expect(findAlone({ ...evidence(given), ownScales: true })).toBeUndefined();
  });

  test.each([
    [
      19,
      /^Look at it: if production shows no such picture, take it out of the calibration images; else add more like it\.$/,
    ],
    [15.3, /taking it out wins the whole model next to nothing\.$/],
  ])('is advised to be taken out by what that did: to %d dB', (sqnr, advice) => {
    const finding = told(sqnr);
    expect(finding.sentence).toContain(
      ` Tried: without it the head's SQNR goes from 15.0 dB to ${sqnr.toFixed(1)} dB.`,
    );
    expect(finding.advice).toMatch(advice);
  });
});
