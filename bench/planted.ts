/**
 * node bench/run.mjs planted [first seed] [networks] [part of a plant's name]
 *
 * How often a planted culprit ranks first, on as many images as a run ranks on, and how often it is the worst on 96 other
 * images, which stand for the truth: a network drawn at random may have a layer that is worse than the planted one. Where
 * it is the worst, the ranking should find it.
 */
import { createOnnxRuntimeEngine } from '../src/engine/index.js';
import { sweepStored } from '../src/sensitivity/index.js';
import {
  inputOf,
  loudAttention,
  outlierChannel,
  plainAttention,
  sharedScale,
  sharpAttention,
  spreadAttention,
  type Planted,
} from '../test/sensitivity/nets.js';
import { buildWorker } from './worker.js';

const [first = 3001, count = 20] = process.argv.slice(2, 4).map(Number);
const [, , , , which = ''] = process.argv;
const IMAGES = [4, 16, 32];
const TRUTH = 96;
const plants: readonly (readonly [string, (seed: number) => Planted])[] = [
  ['one outlier channel', outlierChannel],
  ['one scale for two branches', sharedScale],
  ['sharp attention, bounded input', sharpAttention],
  ['sharp attention, a loud channel', loudAttention],
  ['sharp attention, channels differ', spreadAttention],
  ['sharp attention by large weights alone', plainAttention],
];

await buildWorker();
const engine = await createOnnxRuntimeEngine({ threads: 1, batch: 1 });
const RANKED = IMAGES.at(-1) as number;
/** What one ranking says of the planted layer. */
interface Standing {
  readonly first: boolean;
  /** Whether the interval of its place begins at 1. */
  readonly perhaps: boolean;
  /** dB below the best of the others; negative where one of them is worse. */
  readonly lead: number;
}
const standing = async (planted: Planted, names: readonly string[]): Promise<Standing> => {
  const rows = await sweepStored(await inputOf(engine, planted, { names }));
  const own = rows.find(({ layer }) => layer.name === planted.culprit);
  const others = rows.filter((row) => row !== own).map(({ sqnr }) => sqnr);
  if (own === undefined) throw new Error(`${planted.culprit} is not ranked`);
  return {
    first: rows[0] === own,
    perhaps: own.detail?.place.low === 1,
    lead: Math.min(...others) - own.sqnr,
  };
};
const header = ['plant', 'truly the worst', ...IMAGES.map((n) => `first on ${n} images`)];
const last = [
  `of those truly the worst, first on ${RANKED}`,
  'of the others, place begins at 1',
  'their lead, dB',
];
console.log(`| ${[...header, ...last].join(' | ')} |`);
console.log(`|${' --- |'.repeat(header.length + last.length)}`);
for (const [what, make] of plants.filter(([name]) => name.includes(which))) {
  const seen = new Map<number, Standing[]>([...IMAGES, TRUTH].map((n) => [n, []]));
  for (let seed = first; seed < first + count; seed++) {
    const planted = make(seed);
    for (const [n, list] of seen) {
      const names = Array.from({ length: n }, (_, i) => `${n === TRUTH ? 'truth ' : ''}${seed}, ${i}`);
      list.push(await standing(planted, names));
    }
  }
  const of = (n: number): Standing[] => seen.get(n) as Standing[];
  const firsts = (n: number): number => of(n).filter((one) => one.first).length;
  const pairs = of(TRUTH).map((truth, i) => ({ truth, ranked: of(RANKED)[i] as Standing }));
  const truly = pairs.filter(({ truth }) => truth.first);
  const missed = truly.filter(({ ranked }) => !ranked.first);
  const cells = [
    what,
    ...[TRUTH, ...IMAGES].map((n) => `${firsts(n)} of ${count}`),
    `${truly.length - missed.length} of ${truly.length}`,
    `${missed.filter(({ ranked }) => ranked.perhaps).length} of ${missed.length}`,
    missed.map(({ truth }) => truth.lead.toFixed(1)).join(', '),
  ];
  console.log(`| ${cells.join(' | ')} |`);
}
await engine.close();
