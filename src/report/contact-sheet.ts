import { percent } from './numbers.js';
import type { AuditSection } from './types.js';

/** Most images, pairs and kinds that are shown. */
const DOMINATING = 6;
const PAIRS = 5;
const KINDS = 6;
const BLANK = 4;

/** An image of the sheet, with what is to be known of it. */
export interface SheetImage {
  readonly set: 'calibration' | 'validation';
  readonly name: string;
  readonly words: string;
}

/** Images that belong together, with what they show in a sentence. */
export interface SheetGroup {
  readonly kind: 'missing' | 'dominating' | 'copies' | 'overlap' | 'blank';
  readonly title: string;
  readonly sentence: string;
  /** `pairs`: two and two are the same. */
  readonly layout: 'single' | 'pairs';
  readonly images: readonly SheetImage[];
}

/** The images of an audit that are worth looking at: those that dominate, repeat, or show what calibration lacks. */
export function contactSheet(audit: AuditSection): readonly SheetGroup[] {
  const { dominating, duplicates, overlap, gaps } = audit;
  const groups: readonly SheetGroup[] = [
    ...gaps.slice(0, KINDS).map(({ kind, validation, calibration, examples = [] }): SheetGroup => ({
      kind: 'missing',
      title: kind,
      sentence: `${validation} validation images, ${calibration} in calibration`,
      layout: 'single',
      images: examples.map((name) => ({ set: 'validation', name, words: '' })),
    })),
    {
      kind: 'dominating',
      title: 'Images that ranges hang on',
      sentence:
        'Without the image, so many tensors would lose more than a fifth of their range. Where it is nothing that production shows, drop it; else add more like it.',
      layout: 'single',
      images: dominating
        .slice(0, DOMINATING)
        .map(({ name, tensors }) => ({ set: 'calibration', name, words: `${percent(tensors)} of tensors` })),
    },
    {
      kind: 'copies',
      title: 'Images that repeat another',
      sentence: 'A copy adds nothing and weighs on averages: one of each pair can go.',
      layout: 'pairs',
      images: pairsOf(duplicates, 'calibration'),
    },
    {
      kind: 'overlap',
      title: 'Calibration images in the validation set',
      sentence: 'What is calibrated on must not be validated on: mAP looks better than it will be.',
      layout: 'pairs',
      images: pairsOf(overlap, 'validation'),
    },
    {
      kind: 'blank',
      title: 'Blank images',
      sentence: 'One colour without anything in it: drop them.',
      layout: 'single',
      images: (audit.checks.find(({ metric }) => metric === 'blank')?.images ?? [])
        .slice(0, BLANK)
        .map((name) => ({ set: 'calibration', name, words: '' })),
    },
  ];
  return groups.filter(({ images }) => images.length > 0);
}

function pairsOf(pairs: AuditSection['duplicates'], second: SheetImage['set']): readonly SheetImage[] {
  return pairs.slice(0, PAIRS).flatMap(({ first, second: other, exact }): SheetImage[] => [
    { set: 'calibration', name: first, words: 'calibration' },
    { set: second, name: other, words: `${second}, ${exact ? 'the same file' : 'nearly the same'}` },
  ]);
}
