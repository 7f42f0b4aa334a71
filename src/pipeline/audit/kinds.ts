import type { Attribute, ClassPresence, ImageFeatures } from '../../audit/index.js';
import type { DetectionTable } from '../../dataset/index.js';
import type { Bench } from '../prepare.js';

/** Detections with at least this score count as seen. */
const SEEN = 0.25;

/** What FP32 sees in both sets: the same eye for both, since calibration images have no labels. */
export interface Seen {
  readonly calibration: DetectionTable;
  readonly validation: DetectionTable;
}

/** What images are told apart by, both sets in the order of the features. */
export function attributesOf(
  calibration: readonly ImageFeatures[],
  validation: readonly ImageFeatures[],
  seen: Seen,
): readonly Attribute[] {
  const of = (name: string, unit: string, pick: (image: ImageFeatures) => number): Attribute => ({
    name,
    unit,
    validation: validation.map(pick),
    calibration: calibration.map(pick),
  });
  const pixels = ({ width, height }: ImageFeatures): number => width * height;
  return [
    of('brightness', '', ({ brightness }) => brightness),
    of('contrast', '', ({ contrast }) => contrast),
    of('colour', '', ({ colour }) => colour),
    of('aspect ratio', '', ({ width, height }) => width / height),
    {
      name: 'object size',
      unit: ' of the image',
      validation: objectSizes(seen.validation, validation.map(pixels)),
      calibration: objectSizes(seen.calibration, calibration.map(pixels)),
    },
  ];
}

/** Side of the median object, as a share of the image's, by image; NaN where nothing is seen. */
function objectSizes(
  { count, image, score, bbox }: DetectionTable,
  pixels: readonly number[],
): readonly number[] {
  const sides: number[][] = pixels.map(() => []);
  for (let k = 0; k < count; k++)
    if ((score[k] as number) >= SEEN) {
      const at = image[k] as number;
      sides[at]?.push(
        Math.sqrt(((bbox[4 * k + 2] as number) * (bbox[4 * k + 3] as number)) / (pixels[at] as number)),
      );
    }
  return sides.map((all) => all.sort((a, b) => a - b)[all.length >> 1] ?? NaN);
}

/** Which images of both sets show each class. */
export function classesOf(
  { calibration, validation }: Seen,
  { truth, calibrationRecords }: Bench,
): readonly ClassPresence[] {
  const shownIn = ({ count, image, score, category }: DetectionTable): readonly Set<number>[] => {
    const images = truth.categories.map(() => new Set<number>());
    for (let k = 0; k < count; k++)
      if ((score[k] as number) >= SEEN) images[category[k] as number]?.add(image[k] as number);
    return images;
  };
  const [before, now] = [shownIn(calibration), shownIn(validation)];
  return truth.categories.map(({ name }, i) => {
    const shown = [...(now[i] as Set<number>)].sort((a, b) => a - b);
    return {
      name,
      validation: {
        shown: shown.length,
        of: truth.images.length,
        examples: shown.flatMap((at) => truth.images[at]?.name ?? []),
      },
      calibration: { shown: (before[i] as Set<number>).size, of: calibrationRecords.length },
    };
  });
}
