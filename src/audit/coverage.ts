import { short } from '../words/index.js';
import type { Gap } from './types.js';

/** Parts of equal size that validation is cut into. */
const PARTS = 5;
const PART_WORDS = ['lowest', 'second', 'middle', 'fourth', 'highest'] as const;
/** Calibration must have less than this share of what it would have if it were drawn from validation … */
const LACKING = 0.25;
/** … and so few by chance less often than this. Dozens of kinds are looked at. */
const CHANCE = 1e-4;
/** Fewer validation images of a kind than this say nothing. */
const FEW = 5;

/** Validation images named as examples of a kind. */
const EXAMPLES = 4;

/** A number of every image: NaN where an image has none. */
export interface Attribute {
  readonly name: string;
  readonly unit: string;
  readonly validation: readonly number[];
  readonly calibration: readonly number[];
}

/** Whether an image shows a class. */
export interface ClassPresence {
  readonly name: string;
  /** Images that show it, and images in all. */
  readonly validation: { readonly shown: number; readonly of: number; readonly examples?: readonly string[] };
  readonly calibration: { readonly shown: number; readonly of: number };
}

/**
 * Kinds of images that validation has and calibration lacks: each fifth of validation by each attribute, and each class.
 * A kind counts as lacking when calibration has less than a quarter of what a draw from validation would give it, and
 * chance would give so few in less than 1 of 10,000 cases (binomial).
 * @param names - of the validation images, in the order of the attributes; without them a gap has no examples
 */
export function findGaps(
  attributes: readonly Attribute[],
  classes: readonly ClassPresence[],
  names: readonly string[] = [],
): readonly Gap[] {
  return [...attributes.flatMap((one) => gapsOf(one, names)), ...classes.flatMap(classGap)];
}

function gapsOf(
  { name, unit, validation, calibration }: Attribute,
  names: readonly string[],
): readonly Gap[] {
  const sorted = validation.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const known = calibration.filter((value) => !Number.isNaN(value));
  if (sorted.length < PARTS * FEW || known.length === 0) return [];
  const edges = Array.from({ length: PARTS + 1 }, (_, i) =>
    i === PARTS
      ? Infinity
      : i === 0
        ? -Infinity
        : (sorted[Math.floor((i * sorted.length) / PARTS)] as number),
  );
  return PART_WORDS.flatMap((words, i): Gap[] => {
    const [from, to] = [edges[i] as number, edges[i + 1] as number];
    const inside = (value: number): boolean => value >= from && value < to;
    const here = sorted.filter(inside);
    const there = known.filter(inside).length;
    if (here.length < FEW || !lacks(there, known.length, here.length / sorted.length)) return [];
    const kind = `${name} ${short(here[0] as number)}…${short(here.at(-1) as number)}${unit} (the ${words} fifth)`;
    const examples = spread(names.filter((_, image) => inside(validation[image] ?? NaN)));
    return [{ attribute: name, kind, validation: here.length, calibration: there, examples }];
  });
}

function classGap({ name, validation, calibration }: ClassPresence): readonly Gap[] {
  if (validation.shown < FEW || !lacks(calibration.shown, calibration.of, validation.shown / validation.of))
    return [];
  return [
    {
      attribute: 'class',
      kind: `class ${name}`,
      validation: validation.shown,
      calibration: calibration.shown,
      examples: spread(validation.examples ?? []),
    },
  ];
}

/** A few of the names, from all over the list. */
function spread(names: readonly string[]): string[] {
  const count = Math.min(EXAMPLES, names.length);
  return Array.from({ length: count }, (_, i) => names[Math.floor((i * names.length) / count)] as string);
}

/** Whether `count` of `total` is surely and clearly less than the share asks for. */
function lacks(count: number, total: number, share: number): boolean {
  return count < LACKING * share * total && atMost(count, total, share) < CHANCE;
}

/** P(X ≤ k) of a binomial with n draws of probability p, from logarithms. */
function atMost(k: number, n: number, p: number): number {
  if (p >= 1) return k >= n ? 1 : 0;
  let logarithm = n * Math.log1p(-p);
  let sum = Math.exp(logarithm);
  for (let i = 1; i <= k; i++) {
    logarithm += Math.log((n - i + 1) / i) + Math.log(p) - Math.log1p(-p);
    sum += Math.exp(logarithm);
  }
  return sum;
}
