import { describe, expect, test } from '@jest/globals';
import { calibratorFor } from '../../src/calibration/index.js';
import { diagnose, type Evidence, type FindingKind } from '../../src/diagnosis/index.js';
import { bell, evidence, tensor, weights, type Seen } from './evidence.js';

const images = (count: number, each: (i: number) => readonly number[]): Seen => ({
  images: Array.from({ length: count }, (_, i) => each(i)),
});
const normal = (count = 64): Seen => images(count, (i) => bell(256, 1, i + 1));
/** Each image the same size of values: a set that has settled. */
const settled = (values: readonly number[], count = 64): Seen => images(count, () => values);

/** One image holds a value 60 times the spread of all others. */
const outlier = tensor(
  'spike',
  images(64, (i) => (i === 17 ? [...bell(16_383, 1, 18), 60] : bell(16_384, 1, i + 1))),
);

/** Channels of very different size; 8 images of [1, 4, 1, 8]. */
const channels = (sizes: readonly number[]): Seen => ({
  images: Array.from({ length: 8 }, (_, i) => sizes.flatMap((size) => bell(8, size, i + 1))),
  shape: [1, sizes.length, 1, 8],
});
const energy = (...values: number[]): Float64Array => Float64Array.from(values);

interface Case {
  readonly kind: FindingKind;
  readonly when: string;
  readonly given: Partial<Evidence>;
  readonly severity: 'error' | 'warning' | 'info';
  readonly says: RegExp;
  readonly layers?: readonly string[];
}

const FINDS: readonly Case[] = [
  {
    kind: 'nothing-detected',
    when: 'INT8 finds next to nothing',
    given: { detections: { fp32: 866, int8: 2 } },
    severity: 'error',
    says: /finds 2 objects .* where FP32 finds 866/,
  },
  {
    kind: 'range-outlier',
    when: 'one value sets a range, and clipping it helped the whole model',
    given: {
      tensors: [outlier],
      sqnr: 12,
      calibratorTrials: [
        { calibrator: 'percentile 99.99', sqnr: 31 },
        { calibrator: 'mse', sqnr: 28 },
      ],
    },
    severity: 'warning',
    says: /Few values set the range of spike: 99\.99 % .* lie within ±[34]\.\d+, the range goes to ±60 .*with percentile 99\.99 the head's SQNR goes from 12\.0 dB to 31\.0 dB/,
    layers: ['conv of spike'],
  },
  {
    kind: 'range-outlier',
    when: 'one value sets a range, but clipping it did not help the whole model',
    given: { tensors: [outlier], sqnr: 30, calibratorTrials: [{ calibrator: 'mse', sqnr: 25 }] },
    severity: 'info',
    says: /goes from 30\.0 dB to 25\.0 dB/,
  },
  {
    kind: 'range-outlier',
    when: 'a range is set by one image whose place is known',
    given: {
      tensors: [{ ...outlier, name: '/b0/act/Mul_output_0' }],
      peaks: new Map([
        [
          17,
          {
            name: '300017.jpg',
            geometry: { scaleX: 0.5, scaleY: 0.5, padX: 0, padY: 0, originalWidth: 128, originalHeight: 128 },
          },
        ],
      ]),
    },
    severity: 'warning',
    says: /largest value being 60 in 300017\.jpg around x \d+…127, y 0…127/,
  },
  {
    kind: 'range-outlier',
    when: 'a tail is so heavy that no range serves',
    given: {
      tensors: [
        tensor(
          'tail',
          images(1, () =>
            Array.from({ length: 1 << 18 }, (_, k) => ((k + 0.5) / (1 << 18)) ** (-1 / 2.1) - 1),
          ),
        ),
      ],
    },
    severity: 'warning',
    says: /No range serves tail: half of its values lie within/,
    layers: ['conv of tail'],
  },
  {
    kind: 'saturation',
    when: 'the calibrator clips far too early',
    given: {
      tensors: [tensor('cut', normal(), { amax: 0.8 })],
      calibrator: 'entropy',
      sqnr: 8,
      calibratorTrials: [{ calibrator: 'mse', sqnr: 22 }],
    },
    severity: 'error',
    says: /entropy clips 4\d\.\d % of the values of cut at ±0\.8.*with mse the head's SQNR goes from 8\.0 dB to 22\.0 dB/,
    layers: ['conv of cut'],
  },
  {
    kind: 'unequal-channels',
    when: 'strong weights lift channels that INT8 rounds away',
    given: {
      tensors: [tensor('wide', channels([100, 1, 1, 1]), { layers: ['depthwise'] })],
      weights: [weights('depthwise', 'wide', { amax: 11, inputEnergy: energy(0.0001, 100, 100, 100) })],
    },
    severity: 'warning',
    says: /depthwise reads wide, whose channels reach from \S+ to \S+ under one scale.*3 of 4 channels have fewer than 8 INT8 steps.*One scale for all costs 40 dB/,
    layers: ['depthwise'],
  },
  {
    kind: 'dead-channels',
    when: 'a channel is 0 on every image',
    given: { tensors: [tensor('half', channels([1, 0, 1, 0]))] },
    severity: 'info',
    says: /2 of 4 channels of half are 0 on every calibration image/,
  },
  {
    kind: 'dead-channels',
    when: 'a whole tensor is 0, so that its range is made up',
    given: { tensors: [tensor('off', channels([0, 0]))] },
    severity: 'warning',
    says: /All 2 channels of off are 0/,
  },
  {
    kind: 'weight-range',
    when: 'output channels of very different size share one scale',
    given: {
      weights: [
        weights('deconv', 'x', { perChannel: false, sqnr: 12, amax: 50, channelAmax: energy(50, 0.1, 0.2) }),
      ],
    },
    severity: 'warning',
    says: /weights of deconv at 12\.0 dB only: its output channels reach from 0\.1 to 50 and share one scale/,
    layers: ['deconv'],
  },
  {
    kind: 'one-sided-range',
    when: "SiLU's negative side is smaller than half a step",
    given: { tensors: [tensor('silu', settled([-0.278, 0, 1, 5, 138]))] },
    severity: 'warning',
    says: /negative side of SiLU \(down to −0\.278\) rounds to 0 in silu/,
    layers: ['conv of silu'],
  },
  {
    kind: 'one-sided-range',
    when: 'codes below zero are hardly used and the others do not suffice',
    given: { tensors: [tensor('silu', settled([...Array<number>(20_000).fill(0.3), -0.27, 60], 2))] },
    severity: 'info',
    says: /1 tensor with next to nothing below zero, .* keep less than 18 dB: silu\./,
  },
  {
    kind: 'fp16-overflow',
    when: 'a layer in FP16 reads what FP16 cannot hold',
    given: {
      tensors: [tensor('big', settled([-1, 70_000]), { layers: ['a'] })],
      floatLayers: [{ name: 'head', activations: ['big'] }],
    },
    severity: 'error',
    says: /big reaches 70000; FP16 ends at 65504.*head would run in FP16/,
    layers: ['head', 'a'],
  },
  {
    kind: 'fp16-overflow',
    when: 'weights are beyond FP16',
    given: { weights: [weights('huge', 'x', { amax: 1e5 })] },
    severity: 'warning',
    says: /the weights of huge reaches 100000/,
    layers: ['huge'],
  },
  {
    kind: 'few-calibration-images',
    when: 'there are few images',
    given: {
      calibrationImages: 8,
      tensors: [
        tensor(
          'x',
          images(8, (i) => [-(i + 1), i + 1]),
        ),
      ],
    },
    severity: 'warning',
    says: /Only 8 calibration images.*From 4 to 8 of them the largest values rose by 11\.1 %/,
  },
  {
    kind: 'growing-ranges',
    when: 'ranges still grow with the last images',
    given: {
      calibrationImages: 64,
      tensors: [
        tensor(
          'x',
          images(64, (i) => [-(1.2 ** i), 1]),
        ),
      ],
    },
    severity: 'warning',
    says: /not settled with 64 calibration images\. From 32 to 64/,
  },
  {
    kind: 'range-outlier',
    when: 'ranges grow because of one image',
    given: {
      calibrationImages: 64,
      calibrationNames: Array.from({ length: 64 }, (_, i) => `${i}.jpg`),
      tensors: [
        tensor(
          'x',
          images(64, (i) => bell(256, i === 5 ? 2 : 1, i + 1)),
        ),
      ],
    },
    severity: 'warning',
    says: /One calibration image, 5\.jpg, alone sets the range of 1 of 1 tensors/,
  },
  {
    kind: 'one-sided-calibration',
    when: 'a tenth of the tensors reaches further, and the lighting is the same',
    given: {
      tensors: Array.from({ length: 10 }, (_, k) => tensor(`x${k}`, normal())),
      validation: new Map(
        Array.from({ length: 10 }, (_, k) => [
          `x${k}`,
          tensor(
            `x${k}`,
            images(64, (i) => bell(256, k === 0 ? 2 : 1, i + 1)),
          ).calibration,
        ]),
      ),
    },
    severity: 'warning',
    says: /1 of 10 tensors reach more than a quarter further/,
  },
  {
    kind: 'one-sided-calibration',
    when: 'tensors reach further on validation, and it is brighter there',
    given: {
      tensors: [tensor('x', normal())],
      validation: new Map([
        [
          'x',
          tensor(
            'x',
            images(64, (i) => bell(256, 2, i + 1)),
          ).calibration,
        ],
      ]),
      pixels: {
        calibration: { mean: [60, 60, 60], brightness: 60 },
        validation: { mean: [130, 130, 130], brightness: 130 },
      },
    },
    severity: 'error',
    says: /1 of 1 tensors reach more than a quarter further on validation.*mean brightness of 60 .* of 130: the lighting differs/,
    layers: ['conv of x'],
  },
  {
    kind: 'preprocessing',
    when: 'the calibration images have red and blue swapped',
    given: {
      pixels: {
        calibration: { mean: [90, 110, 125], brightness: 108 },
        validation: { mean: [124, 111, 92], brightness: 109 },
      },
    },
    severity: 'warning',
    says: /Red and blue look swapped/,
  },
];

describe('each rule finds', () => {
  test.each(FINDS)('$kind when $when', ({ kind, given, severity, says, layers }) => {
    const found = diagnose(evidence(given)).filter((one) => one.kind === kind);
    expect(found.map((one) => one.severity)).toContain(severity);
    const finding = found.find((one) => one.severity === severity);
    expect(finding?.sentence).toMatch(says);
    expect(finding?.advice).toMatch(/\.$/);
    if (layers !== undefined) expect(finding?.layers).toEqual(layers);
    for (const value of Object.values(finding?.evidence ?? {})) expect(Number.isFinite(value)).toBe(true);
  });
});

interface Quiet {
  readonly when: string;
  readonly given: Partial<Evidence>;
}

const SILENT: readonly Quiet[] = [
  {
    when: 'SiLU leaves codes unused, but INT8 is fine all the same',
    given: { tensors: [tensor('silu', settled([-0.278, 0, 1, 5, 9]))] },
  },
  { when: 'nothing is wrong', given: { tensors: [tensor('x', normal())] } },
  { when: 'FP32 detects nothing either', given: { detections: { fp32: 0, int8: 0 } } },
  { when: 'INT8 finds half of the objects', given: { detections: { fp32: 100, int8: 50 } } },
  {
    when: 'the calibrator has clipped the outlier already',
    given: {
      tensors: [{ ...outlier, ownAmax: calibratorFor('mse').range(outlier.calibration).amax, amax: 9 }],
    },
  },
  {
    when: 'weak channels meet weak weights',
    given: {
      tensors: [tensor('wide', channels([100, 1, 1, 1]), { layers: ['depthwise'] })],
      weights: [weights('depthwise', 'wide', { inputEnergy: energy(1, 1, 1, 1) })],
    },
  },
  {
    when: 'a float layer reads the unequal channels',
    given: {
      tensors: [tensor('wide', channels([100, 1, 1, 1]), { layers: ['other'] })],
      weights: [weights('depthwise', 'wide', { inputEnergy: energy(0.0001, 100, 100, 100) })],
    },
  },
  {
    when: 'a value is the largest that FP16 holds',
    given: { tensors: [tensor('big', settled([-65504, 65504]))] },
  },
  {
    when: 'two photos more or less are brighter',
    given: {
      pixels: {
        calibration: { mean: [100, 100, 100], brightness: 100 },
        validation: { mean: [120, 120, 120], brightness: 120 },
      },
    },
  },
  {
    when: 'both sets are bluish',
    given: {
      pixels: {
        calibration: { mean: [90, 110, 125], brightness: 108 },
        validation: { mean: [95, 111, 121], brightness: 109 },
      },
    },
  },
];

test.each(SILENT)('says nothing when $when', ({ given }) => {
  expect(diagnose(evidence(given))).toEqual([]);
});

test('errors come first', () => {
  const order = diagnose(
    evidence({
      tensors: [tensor('half', channels([1, 0, 1, 0]))],
      weights: [weights('deconv', 'x', { sqnr: 12 })],
      detections: { fp32: 9, int8: 0 },
    }),
  ).map(({ severity }) => severity);
  expect(order).toEqual(['error', 'warning', 'info']);
});
