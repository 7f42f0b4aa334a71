import type { ClassDrop, Drop } from '../evaluation/index.js';

/** Below this many images a bootstrap gives intervals that are too narrow, so they decide nothing. */
export const FEW_IMAGES = 20;

/** From so few on, a fall is certain enough only where it takes more than half of what was there. */
const VERY_FEW_IMAGES = 5;

/**
 * How much wider an interval from few images is taken. Student's t and the missing degree of freedom ask for 1.6 at 5
 * images and 1.1 at 19; the rest is for what a bootstrap of so few cannot show.
 */
const WIDER = 3;

/** What is known of a drop. */
export interface DropEvidence {
  /** What the drop is from, 0…1. */
  readonly before: number;
  /** Before minus after. */
  readonly drop: number;
  readonly allowed: number;
  readonly interval: Drop | ClassDrop | undefined;
  /** Images of the validation set. */
  readonly images: number;
  /** Classes that are judged at once, where the drop is of one of them. */
  readonly family?: number | undefined;
  /** Of the interval, 0…1. */
  readonly confidence?: number | undefined;
}

/** What follows from it. */
export interface DropDecision {
  readonly kind: 'pass' | 'fail' | 'inconclusive';
  /** Undefined where no interval could be made; the drop itself is held against the limit then. */
  readonly interval: readonly [low: number, high: number] | undefined;
  /** Images that the interval rests on: for a class, those that hold it. */
  readonly images: number;
  /** Inconclusive only because the images are too few: the interval clears the limit. */
  readonly onlyFew: boolean;
  /** About how many of such images would decide. */
  readonly imagesToDecide: number | undefined;
  /** What the reader must know besides the numbers; empty, or sentences with a space in front. */
  readonly words: string;
}

/**
 * Passes when the whole interval clears the limit, fails when the whole interval lies beyond it, and decides nothing when
 * it straddles it or rests on fewer than {@link FEW_IMAGES} images. Of those, a fall fails that is certain all the same:
 * beyond the limit with the interval taken {@link WIDER} times as wide, or of more than half of what was there.
 *
 * Where many classes are judged at once, a class fails only when the interval that holds for all of them together lies
 * beyond the limit: one of 80 would else fail by chance. To pass, its own interval is enough: the gate passes only when
 * every class does, and the chance that all are wrong at once is no larger than that of one (intersection–union test,
 * Berger 1982, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24).
 */
export function decideDrop(evidence: DropEvidence): DropDecision {
  const { drop, allowed, interval } = evidence;
  if (interval === undefined || !Number.isFinite(interval.low) || !Number.isFinite(interval.high))
    return {
      kind: drop <= allowed ? 'pass' : 'fail',
      interval: undefined,
      images: evidence.images,
      onlyFew: false,
      imagesToDecide: undefined,
      words: '',
    };
  const { low, high } = interval;
  const images = 'images' in interval ? interval.images : evidence.images;
  const lowest = lowestOf(evidence);
  const few =
    images < FEW_IMAGES && !(clearOf(evidence, lowest) === 'fail' && isCertain(evidence, lowest, images));
  const clear = clearOf(evidence, lowest);
  const imagesToDecide =
    clear === 'inconclusive'
      ? imagesNeeded(drop, allowed, drop <= allowed ? high - drop : drop - lowest, images)
      : few
        ? FEW_IMAGES
        : undefined;
  return {
    kind: few ? 'inconclusive' : clear,
    interval: [low, high],
    images,
    onlyFew: few && clear === 'pass',
    imagesToDecide,
    words: `${outcomeWords(evidence, clear, lowest, images, imagesToDecide)}${doubt(interval, images, held(evidence), few)}`,
  };
}

function clearOf({ allowed, interval }: DropEvidence, lowest: number): DropDecision['kind'] {
  return (interval?.high ?? NaN) <= allowed ? 'pass' : lowest > allowed ? 'fail' : 'inconclusive';
}

/** Whether a fall from few images leaves no doubt. An interval without width says nothing about its width. */
function isCertain({ before, drop, allowed }: DropEvidence, lowest: number, images: number): boolean {
  const width = drop - lowest;
  return drop > before / 2 || (images >= VERY_FEW_IMAGES && width > 0 && drop - WIDER * width > allowed);
}

/** The low end that a failure needs: of the interval for all classes at once, where there are several. */
function lowestOf({ interval, family = 1 }: DropEvidence): number {
  if (interval === undefined) return NaN;
  const together = 'together' in interval && family > 1 ? interval.together?.[0] : undefined;
  return together !== undefined && Number.isFinite(together)
    ? Math.min(interval.low, together)
    : interval.low;
}

function held({ interval }: DropEvidence): string {
  return interval !== undefined && 'images' in interval ? ' that hold the class' : '';
}

function outcomeWords(
  evidence: DropEvidence,
  clear: DropDecision['kind'],
  lowest: number,
  images: number,
  needed: number | undefined,
): string {
  const { allowed, interval, family = 1, confidence = NaN } = evidence;
  const at = `${Number((100 * confidence).toPrecision(4))} %`;
  const among = family > 1 && interval !== undefined && 'together' in interval;
  if (clear === 'fail')
    return among
      ? ` With ${family} classes judged at once at ${at}, the drop is at least ${lowest.toFixed(3)}.`
      : '';
  if (clear === 'pass') return '';
  const count = `${images} images${held(evidence)} cannot decide it${needed === undefined ? '' : `, about ${needed} would`}.`;
  return among && (interval?.low ?? NaN) > allowed
    ? ` By itself it would fail, but among ${family} classes judged at once at ${at} such a drop can be chance: ${count}`
    : ` The interval straddles the limit: ${count}`;
}

/** What the interval does not say. */
function doubt({ low, high }: Drop, images: number, which: string, few: boolean): string {
  const flat =
    low === high
      ? ` The interval has no width: the resamples of the ${images} images${which} showed no spread, which is not proof that there is none.`
      : '';
  if (few)
    return `${flat} It rests on ${images} images${which}; intervals from fewer than ${FEW_IMAGES} are too narrow to decide.`;
  return images < FEW_IMAGES
    ? `${flat} It rests on only ${images} images${which}, and is too large to be chance all the same.`
    : flat;
}

/** Each side of an interval shrinks with the root of the number of images; only the one across the limit counts. */
function imagesNeeded(drop: number, allowed: number, side: number, images: number): number | undefined {
  const room = Math.abs(allowed - drop);
  if (room === 0) return undefined;
  const needed = Math.max(FEW_IMAGES, Math.ceil((images * (side / room) ** 2) / 50 - 1e-9) * 50);
  return needed > images && needed <= 1e6 ? needed : undefined;
}
