/**
 * Shows by simulation how far the interval of a drop can be trusted: how often it covers the true drop, how often a
 * limit of one point raises a false alarm or misses a fall, at several numbers of images; and, of many classes, how often
 * one at least raises a false alarm.
 *
 * node bench/run.mjs coverage [--drops 0,0.005,0.01,0.02] [--images 100,500,5000] [--trials 300] [--resamples 400]
 * node bench/run.mjs coverage --classes 80 [--drops 0.01] [--images 1000] [--trials 300] [--resamples 1000]
 *
 * An image has a difficulty that its objects share. FP32 finds an object with a chance and a box error that follow the
 * difficulty; INT8 sees the same objects with a disturbance of score and box whose strength sets the true drop, which
 * is the mean over 10 sets of 40,000 images of their own (all classes are alike).
 */
import { parseArgs } from 'node:util';
import type { DetectionTable, GroundTruth } from '../src/dataset/index.js';
import { parseCoco, parseDetections } from '../src/dataset/index.js';
import { drawDrops, intervalsOf } from '../src/evaluation/bootstrap.js';
import { evaluateCoco, mulberry32, type ClassDrop, type IntervalMethod } from '../src/evaluation/index.js';

const LIMIT = 0.01;
const CONFIDENCE = 0.95;
const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    drops: { ...text, default: '0,0.005,0.01,0.02' },
    images: { ...text, default: '100,500,5000' },
    trials: { ...text, default: '300' },
    resamples: { ...text, default: '400' },
    classes: { ...text, default: '4' },
  },
});
const numbers = (list: string): number[] => list.split(',').map(Number);
const CLASSES = Number(values.classes);
const trials = Number(values.trials);
const resamples = Number(values.resamples);

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
const SETS = 10;
const dropOf = ({ truth, reference, candidate }: Sample): number =>
  evaluateCoco(truth, reference).stats.AP - evaluateCoco(truth, candidate).stats.AP;

interface Truth {
  readonly strength: number;
  readonly drop: number;
  readonly error: number;
}

/** The strength at which the true drop is about what is wanted, by bisection, and what the drop then truly is. */
function strengthFor(wanted: number): Truth {
  let [low, high] = [0, 3];
  for (let i = 0; i < 9; i++) {
    const middle = (low + high) / 2;
    if (dropOf(draw(MANY / 4, middle, 12345)) < wanted) low = middle;
    else high = middle;
  }
  const strength = (low + high) / 2;
  const found = Array.from({ length: SETS }, (_, i) => dropOf(draw(MANY, strength, 987654 + i)));
  const drop = found.reduce((sum, one) => sum + one, 0) / SETS;
  const variance = found.reduce((sum, one) => sum + (one - drop) ** 2, 0) / (SETS - 1);
  return { strength, drop, error: Math.sqrt(variance / SETS) };
}

const percent = (count: number): string => `${((100 * count) / trials).toFixed(1)} %`;
const points = ({ drop, error }: Truth): string =>
  `${(100 * drop).toFixed(2)} ± ${(100 * error).toFixed(2)} points`;

/** One figure, both methods from the same resamples. */
function judgeMean(truth: Truth, images: number): string {
  const covered: Record<IntervalMethod, number> = { bca: 0, percentile: 0 };
  const verdicts = { pass: 0, fail: 0, inconclusive: 0 };
  for (let trial = 0; trial < trials; trial++) {
    const sample = draw(images, truth.strength, 1000 * images + trial);
    const drawn = drawDrops({ ...sample, resamples, confidence: CONFIDENCE, seed: trial });
    for (const method of ['bca', 'percentile'] as const) {
      const { low, high } = intervalsOf(drawn, { confidence: CONFIDENCE, method }).map;
      if (low <= truth.drop && truth.drop <= high) covered[method]++;
      if (method === 'bca') verdicts[high <= LIMIT ? 'pass' : low > LIMIT ? 'fail' : 'inconclusive']++;
    }
  }
  const { pass, fail, inconclusive } = verdicts;
  return `| ${[points(truth), images, trials, ...[covered.bca, covered.percentile, pass, fail, inconclusive].map(percent)].join(' | ')} |`;
}

/** Many classes, each with a drop that is just the limit: any that fails is a false alarm. */
function judgeClasses(truth: Truth, images: number): string {
  const [alone, together] = [
    { alarms: 0, covered: 0 },
    { alarms: 0, covered: 0 },
  ];
  for (let trial = 0; trial < trials; trial++) {
    const sample = draw(images, truth.strength, 1000 * images + trial);
    const drawn = drawDrops({ ...sample, resamples, confidence: CONFIDENCE, seed: trial });
    const judged = intervalsOf(drawn, { confidence: CONFIDENCE, minBoxes: 20 }).perClass.filter(
      (one): one is ClassDrop => one?.together !== undefined,
    );
    const own = judged.map(({ low, high }) => [low, high] as const);
    const joint = judged.map((one) => one.together as readonly [number, number]);
    for (const [into, list] of [
      [alone, own],
      [together, joint],
    ] as const) {
      if (list.some(([low]) => low > truth.drop)) into.alarms++;
      if (list.every(([low, high]) => low <= truth.drop && truth.drop <= high)) into.covered++;
    }
  }
  return `| ${[points(truth), CLASSES, images, trials, ...[alone.alarms, together.alarms, alone.covered, together.covered].map(percent)].join(' | ')} |`;
}

const many = CLASSES > 4;
console.log(
  many
    ? '| true drop of each class | classes | images | trials | false alarm, each by itself | false alarm, together | all covered, each by itself | all covered, together |'
    : '| true drop | images | trials | covered (BCa) | covered (percentile) | pass | fail | inconclusive |',
);
console.log(`|${' --- |'.repeat(8)}`);
for (const wanted of numbers(values.drops)) {
  const truth = strengthFor(wanted);
  for (const images of numbers(values.images))
    console.log(many ? judgeClasses(truth, images) : judgeMean(truth, images));
}
