import { DetectionBuilder, detectionNumbers, pushNumbers, type DetectionTable } from '../dataset/index.js';
import type { LoadedModel } from '../engine/index.js';
import { NO_STORE, packNumbers, unpackNumbers } from '../store/index.js';
import { detect } from './detect.js';
import { detectionShelf, imageDigest } from './keys.js';
import { feedOf, type Bench } from './prepare.js';

/** Images that are run although their detections are known: they tell whether what is kept still holds, and the latency. */
const LIVE = 8;

/** Detections, and whether a former run had made all of them. */
export interface Known {
  readonly detections: DetectionTable;
  readonly remembered: boolean;
}

/**
 * Detections on the whole validation set, those of a former run where nothing that they depend on changed. The first
 * images are run in any case and compared. A latency that is judged is measured on all images.
 */
export async function detectKnown(
  bench: Bench,
  session: LoadedModel,
  name: string,
  bytes: Uint8Array,
): Promise<Known> {
  const { store, validation, settings } = bench;
  if (store === NO_STORE)
    return {
      detections: await detect(bench, session, name, feedOf(bench, validation)),
      remembered: false,
    };
  const shelf = await detectionShelf(bench, bytes);
  const all = Array.from({ length: validation.count }, (_, i) => i);
  const digests: (string | undefined)[] = [];
  for (const record of validation.records) digests.push(await imageDigest(record, validation.spec));
  const fresh = new Map<number, Float64Array>();
  const keep =
    (indexes: readonly number[]) =>
    (i: number, table: DetectionTable): void => {
      const image = indexes[i] as number;
      const numbers = detectionNumbers(table);
      fresh.set(image, numbers);
      const [digest, text] = [digests[image], packNumbers(numbers)];
      if (digest !== undefined && shelf.get(digest) !== text) shelf.put(digest, text);
    };
  const run = (indexes: readonly number[]): Promise<unknown> =>
    indexes.length === 0
      ? Promise.resolve()
      : detect(
          bench,
          session,
          name,
          feedOf(bench, validation, indexes),
          keep(indexes),
          (i) => indexes[i] as number,
        );
  const known = new Map(
    all.flatMap((i) => {
      const numbers = unpackNumbers(shelf.get(digests[i] ?? ''));
      return numbers === undefined ? [] : [[i, numbers] as const];
    }),
  );
  const { shared } = store;
  const judgesLatency = settings.gate.thresholds.latencyMs !== undefined && shared === undefined;
  const live = judgesLatency ? all : all.slice(0, LIVE);
  const missing = all.filter((i) => !known.has(i));
  if (known.size > 0 && live.length < all.length)
    bench.context.progress.phase(
      `Evaluating ${name}: ${shared === undefined ? 'resumed' : 'from shards'}, ${known.size} of ${all.length} images known`,
    );
  await run([...new Set([...live, ...missing])].sort((a, b) => a - b));
  const differing = [...fresh].find(([i, numbers]) => {
    const before = known.get(i);
    return before !== undefined && packNumbers(before) !== packNumbers(numbers);
  });
  if (differing !== undefined && shared !== undefined) {
    shared.onDiffering(name, bench.truth.images[differing[0]]?.name ?? '');
    // All of an image is of one machine, whichever it was.
    for (const i of known.keys()) fresh.delete(i);
  } else if (differing !== undefined) {
    bench.context.progress.phase(`Evaluating ${name}: what was kept does not hold any more, all images anew`);
    await run(all.filter((i) => !fresh.has(i)));
  }
  const table = new DetectionBuilder();
  for (const i of all) pushNumbers(table, i, (fresh.get(i) ?? known.get(i)) as Float64Array);
  // What the shards of this very run measured is no memory of a former one.
  const remembered =
    shared === undefined && missing.length === 0 && differing === undefined && live.length < all.length;
  return { detections: table.finish(), remembered };
}
