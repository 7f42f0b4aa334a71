/** A file that came with its scales: nothing that this run calibrates with has set them. */
import { describe, expect, test } from '@jest/globals';
import { diagnose } from '../../src/diagnosis/index.js';
import { bell, evidence, statisticsOf, tensor } from './evidence.js';

const images = (each: (i: number) => readonly number[], count = 64) => ({
  images: Array.from({ length: count }, (_, i) => each(i)),
});
const cut = tensor(
  'cut',
  images((i) => bell(256, 1, i + 1)),
  { amax: 0.8 },
);
const wide = tensor(
  'silu',
  images(() => [-0.278, 0, 1, 5, 138]),
);

test("a scale that clips too early is told as the model's own", () => {
  const given = { tensors: [cut], calibrator: "the model's own scale", sqnr: 8 };
  const [found] = diagnose(evidence({ ...given, ownScales: true }));
  expect(found).toMatchObject({ kind: 'saturation', severity: 'warning', layers: ['conv of cut'] });
  expect(found?.sentence).toMatch(/^The model's own scale clips 4\d\.\d % of the values of cut at ±0\.8/);
});

test.each([
  ['saturation', cut],
  ['one-sided-range', wide],
])('%s: no setting of this run is advised', (kind, one) => {
  const advice = (ownScales: boolean): string | undefined =>
    diagnose(evidence({ tensors: [one], ownScales })).find((finding) => finding.kind === kind)?.advice;
  expect(advice(false)).toMatch(/calibration\.calibrator/);
  expect(advice(true)).toMatch(/the tool that quantized the model/);
  expect(advice(true)).not.toMatch(/calibration\./);
});

test('that images are few, or ranges still grow, is told where they set ranges', () => {
  const growing = tensor(
    'x',
    images((i) => [-(1.2 ** i), 1], 8),
  );
  const kinds = (ownScales: boolean): string[] =>
    diagnose(evidence({ calibrationImages: 8, tensors: [growing], ownScales })).map(({ kind }) => kind);
  expect(kinds(false)).toContain('few-calibration-images');
  expect(kinds(true)).not.toContain('few-calibration-images');
});

describe('scales that do not cover what validation shows', () => {
  const [near, far] = [1, 3].map((sigma) => images((i) => bell(64, sigma, i + 1)));
  const given = (amax: number, validation = far) => {
    const tensors = ['a', 'b', 'c'].map((name) => tensor(name, near!, { amax }));
    const shown = new Map(tensors.map(({ name }) => [name, statisticsOf(name, validation!).statistics]));
    return diagnose(evidence({ tensors, validation: shown, ownScales: true })).filter(
      ({ kind }) => kind === 'one-sided-calibration',
    );
  };

  test('are told as such, and no calibration images are asked for', () => {
    const [found] = given(4);
    expect(found).toMatchObject({
      severity: 'error',
      subject: 'a',
      layers: ['conv of a', 'conv of b', 'conv of c'],
    });
    expect(found?.sentence).toMatch(
      /^The scales that came with the model do not cover what the validation images show: 3 of 3 tensors .*worst is a, \d.* against ±4\.$/,
    );
    expect(found?.advice).toMatch(/^Quantize the model again, in the tool that made this file/);
    expect(found?.advice).not.toMatch(/Add calibration images/);
  });

  test.each([
    ['cover it', 30, far],
    // Clipped on every set alike: that is saturation.
    ['are as small for the calibration images', 1, near],
  ])('but not where they %s', (_, amax, validation) => expect(given(amax, validation)).toEqual([]));
});

test('a scale far beyond all values is not called an outlier of theirs', () => {
  const one = tensor(
    'x',
    images((i) => bell(64, 1, i + 1)),
    { amax: 512 },
  );
  const [found] = diagnose(
    evidence({ tensors: [one], ownScales: true, calibrator: "the model's own scale" }),
  );
  expect(found?.sentence).toMatch(
    /^The model's own scale of x goes to ±512, where the largest value on the calibration images is \d/,
  );
});

test('boxes and scores under one scale: the tool that made the file is told what to leave out', () => {
  const graph = evidence().graph;
  const join = graph.nodes.find(({ name }) => name === '/Concat_9')!;
  const calibration = new Map(
    join.inputs.map((name, i) => [
      name,
      statisticsOf(
        name,
        images(() => [0, i < 2 ? 300 : 0.99]),
      ).statistics,
    ]),
  );
  const scales = [
    {
      tensor: join.outputs[0]!,
      kind: 'activation' as const,
      axis: undefined,
      scale: Float32Array.of(4),
      layers: [],
    },
  ];
  const adviceOf = (ownScales: boolean): string | undefined =>
    diagnose(evidence({ scales, calibration, validation: calibration, ownScales })).find(
      ({ kind }) => kind === 'shared-scale',
    )?.advice;
  expect(adviceOf(true)).toMatch(/^Quantize the model again, .*nodes_to_exclude/);
  expect(adviceOf(false)).toMatch(/quantization\.operators: tensorrt/);
});
