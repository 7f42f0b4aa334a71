/**
 * node bench/run.mjs planted [first seed] [networks]
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

const [first = 3001, count = 20] = process.argv.slice(2).map(Number);
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
const header = ['plant', 'truly the worst', ...IMAGES.map((n) => `first on ${n} images`)];
console.log(`| ${header.join(' | ')} | of those truly the worst, first on ${IMAGES.at(-1)} |`);
console.log(`|${' --- |'.repeat(header.length + 1)}`);
for (const [what, make] of plants) {
  const hits = new Map<number, Set<number>>([...IMAGES, TRUTH].map((n) => [n, new Set()]));
  for (let seed = first; seed < first + count; seed++) {
    const planted = make(seed);
    for (const [n, seen] of hits) {
      const names = Array.from({ length: n }, (_, i) => `${n === TRUTH ? 'truth ' : ''}${seed}, ${i}`);
      const [worst] = await sweepStored(await inputOf(engine, planted, { names }));
      if (worst?.layer.name === planted.culprit) seen.add(seed);
    }
  }
  const truly = hits.get(TRUTH) as Set<number>;
  const found = [...truly].filter((seed) => hits.get(IMAGES.at(-1) as number)?.has(seed)).length;
  const of = (n: number): string => `${hits.get(n)?.size} of ${count}`;
  console.log(`| ${[what, of(TRUTH), ...IMAGES.map(of), `${found} of ${truly.size}`].join(' | ')} |`);
}
await engine.close();
