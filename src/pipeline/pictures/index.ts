/** What report.html draws beyond the numbers: curves, distributions, histograms, images. */
import { thumbnail } from '../../dataset/index.js';
import type { PictureSections, WorstImage } from '../../report/index.js';
import type { Measured } from '../measure.js';
import type { Bench } from '../prepare.js';
import { quantizedTensors } from '../evidence.js';
import type { Basis, Variant } from '../run.js';
import { curvesOf } from './curves.js';
import { CONFIDENT, distributionsOf } from './distributions.js';
import { histogramsOf } from './histograms.js';
import { boxesOf, lossesOf } from './worst-images.js';

/** Longer side of a thumbnail, pixels. */
const SIDE = 360;
/** A thumbnail above this many bytes is left out: the report stays small. */
const BYTES = 70_000;

/** Everything that is there to be drawn of what was measured. */
export async function pictures(
  basis: Basis,
  int8: Variant,
  mixed: Variant | undefined,
): Promise<PictureSections> {
  const { bench, fp32 } = basis;
  const variants = [
    { variant: 'fp32' as const, ...fp32 },
    { variant: 'int8' as const, ...int8.measured },
    ...(mixed === undefined || mixed === int8 ? [] : [{ variant: 'mixed' as const, ...mixed.measured }]),
  ];
  return {
    curves: curvesOf(variants),
    distributions: distributionsOf(variants),
    histograms: histogramsOf(quantizedTensors(basis, int8), bench.settings.calibration),
    worstImages: await worstImages(bench, fp32, int8.measured),
  };
}

async function worstImages(
  bench: Bench,
  fp32: Measured,
  int8: Measured,
): Promise<NonNullable<PictureSections['worstImages']>> {
  const losses = lossesOf(bench.truth.images.length, fp32.evaluation, int8.evaluation);
  const images: WorstImage[] = [];
  for (const { image, lost, added } of losses.slice(0, bench.settings.report.images)) {
    const record = bench.truth.images[image] as (typeof bench.truth.images)[number];
    const { jpeg, width, height } = await thumbnail(record.file, { side: SIDE, exif: bench.spec.exif });
    const boxes = boxesOf(bench.truth, fp32.detections, int8.detections, image);
    images.push({
      name: record.name,
      width,
      height,
      objects: boxes.truth.length,
      lost,
      added,
      ...boxes,
      ...(jpeg.length <= BYTES && { thumbnail: Buffer.from(jpeg).toString('base64') }),
    });
  }
  return { affected: losses.length, score: CONFIDENT, images };
}
