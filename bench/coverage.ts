/**
 * Shows by simulation how far the interval of a drop can be trusted: how often it covers the true drop, how often a
 * limit of one point raises a false alarm or misses a fall, at several numbers of images.
 *
 * node bench/run.mjs coverage [--trials 200] [--large 40] [--resamples 400]
 *
 * An image has a difficulty that its objects share. FP32 finds an object with a chance and a box error that follow the
 * difficulty; INT8 sees the same objects with a disturbance of score and box whose strength sets the true drop, which
 * is measured on 40,000 images of its own.
 */
import { parseArgs } from 'node:util';
import type { DetectionTable, GroundTruth } from '../src/dataset/index.js';
import { parseCoco, parseDetections } from '../src/dataset/index.js';
import { evaluateCoco, mulberry32, pairedBootstrap, type IntervalMethod } from '../src/evaluation/index.js';

const CLASSES = 4;
const LIMIT = 0.01;
const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    trials: { ...text, default: '200' },
    large: { ...text, default: '40' },
    resamples: { ...text, default: '400' },
  },
});

interface Sample {
  readonly truth: GroundTruth;
  readonly reference: DetectionTable;
  readonly candidate: DetectionTable;
}

/** Draws a set of images with both detectors' findings. */
function draw(images: number, strength: number, seed: number): Sample {
  const random = mulberry32(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const annotations: object[] = [];
  const before: object[] = [];
  const after: object[] = [];
  const found = (
    into: object[],
    image: number,
    category: number,
    box: readonly number[],
    score: number,
  ): void =>
    void into.push({ image_id: image, category_id: category, bbox: box, score: 1 / (1 + Math.exp(-score)) });
  for (let image = 0; image < images; image++) {
    const difficulty = normal();
    const objects = 1 + Math.floor(random() * 6);
    for (let i = 0; i < objects; i++) {
      const category = 1 + Math.floor(random() * CLASSES);
      const box = [random() * 400, random() * 400, 30 + random() * 90, 30 + random() * 90] as const;
      annotations.push({
        id: annotations.length + 1,
        image_id: image,
        category_id: category,
        bbox: box,
        area: box[2] * box[3],
        iscrowd: 0,
      });
      const logit = 1.5 - difficulty + normal();
      const error = 0.04 * Math.exp(0.5 * difficulty + 0.4 * normal());
      const shifts = [normal(), normal(), normal(), normal()];
      const boxWith = (size: number, more: readonly number[]): number[] =>
        box.map((side, k) => {
          const length = k % 2 === 0 ? box[2] : box[3];
          const moved =
            side + length * (size * (shifts[k] as number) + strength * 0.03 * (more[k] as number));
          return k < 2 ? moved : Math.max(1, moved);
        });
      if (random() < 0.95) found(before, image, category, boxWith(error, [0, 0, 0, 0]), logit);
      if (random() < 0.95 - 0.02 * strength)
        found(after, image, category, boxWith(error, shifts.map(normal)), logit + 0.4 * strength * normal());
    }
    for (let i = Math.floor(random() * 5); i > 0; i--) {
      const category = 1 + Math.floor(random() * CLASSES);
      const box = [random() * 400, random() * 400, 30 + random() * 90, 30 + random() * 90];
      const logit = -2.5 + difficulty + normal();
      found(before, image, category, box, logit);
      found(after, image, category, box, logit + 0.4 * strength * normal());
    }
  }
  const truth = parseCoco(
    {
      images: Array.from({ length: images }, (_, id) => ({
        id,
        file_name: `${id}.jpg`,
        width: 640,
        height: 640,
      })),
      categories: Array.from({ length: CLASSES }, (_, id) => ({ id: id + 1, name: `class ${id + 1}` })),
      annotations,
    },
    'gt.json',
    '',
  );
  const table = (rows: object[]): DetectionTable => parseDetections(rows, 'dt.json', truth);
  return { truth, reference: table(before), candidate: table(after) };
}

const MANY = 40_000;
const dropOf = ({ truth, reference, candidate }: Sample): number =>
  evaluateCoco(truth, reference).stats.AP - evaluateCoco(truth, candidate).stats.AP;

/** The strength at which the true drop is what is wanted, by bisection on a very large set. */
function strengthFor(drop: number): { readonly strength: number; readonly truly: number } {
  let [low, high] = [0, 3];
  for (let i = 0; i < 9; i++) {
    const middle = (low + high) / 2;
    if (dropOf(draw(MANY / 4, middle, 12345)) < drop) low = middle;
    else high = middle;
  }
  const strength = (low + high) / 2;
  return { strength, truly: dropOf(draw(MANY, strength, 987654)) };
}

const percent = (count: number, of: number): string => `${((100 * count) / of).toFixed(0)} %`;
console.log(
  '| true drop | images | trials | covered (BCa) | covered (percentile) | pass | fail | inconclusive |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
for (const wanted of [0, 0.005, 0.01, 0.02]) {
  const { strength, truly } = strengthFor(wanted);
  for (const images of [100, 500, 5000]) {
    const trials = Number(images === 5000 ? values.large : values.trials);
    const covered: Record<IntervalMethod, number> = { bca: 0, percentile: 0 };
    const verdicts = { pass: 0, fail: 0, inconclusive: 0 };
    for (let trial = 0; trial < trials; trial++) {
      const sample = draw(images, strength, 1000 * images + trial);
      for (const method of ['bca', 'percentile'] as const) {
        const { low, high } = pairedBootstrap({
          ...sample,
          resamples: Number(values.resamples),
          confidence: 0.95,
          seed: trial,
          method,
        }).map;
        if (low <= truly && truly <= high) covered[method]++;
        if (method === 'bca') verdicts[high <= LIMIT ? 'pass' : low > LIMIT ? 'fail' : 'inconclusive']++;
      }
    }
    console.log(
      `| ${(100 * truly).toFixed(2)} points | ${images} | ${trials} | ${percent(covered.bca, trials)} | ${percent(covered.percentile, trials)} | ${percent(verdicts.pass, trials)} | ${percent(verdicts.fail, trials)} | ${percent(verdicts.inconclusive, trials)} |`,
    );
  }
}
