/** A file that came with its scales: nothing that this run calibrates with has set them. */
import { expect, test } from '@jest/globals';
import { diagnose } from '../../src/diagnosis/index.js';
import { bell, evidence, tensor } from './evidence.js';

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
