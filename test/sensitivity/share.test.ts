import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createOnnxRuntimeEngine, type Engine } from '../../src/engine/index.js';
import { sweepShare, sweepStored, type StoredSweepInput } from '../../src/sensitivity/index.js';
import { Recording, joinRecords, mine } from '../../src/shards/index.js';
import { inputOf, outlierChannel } from './nets.js';

const IMAGES = Array.from({ length: 10 }, (_, i) => `image ${i}`);
const planted = outlierChannel(3);

let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntimeEngine({ threads: 1, batch: 1 });
});
afterAll(() => engine.close());

async function input(store?: Recording): Promise<StoredSweepInput> {
  return {
    ...(await inputOf(engine, planted, { names: IMAGES })),
    questions: ['off', 'weights', 'activations'],
    explained: 3,
    ...(store !== undefined && { memory: { store, identity: 'a', images: IMAGES } }),
  };
}

const shared = { onDiffering: () => undefined };

describe('a ranking whose images were measured in shares', () => {
  test.each([1, 2, 3, 7, 12])(
    'is the ranking of one run, and measures nothing anew: %i shares',
    async (count) => {
      const parts = [];
      for (let index = 1; index <= count; index++) {
        const store = new Recording(shared);
        await sweepShare(await input(store), (image) => mine({ index, count }, image));
        parts.push(store.records);
      }
      const probes: number[] = [];
      const known: (readonly number[])[] = [];
      const whole = await input(new Recording(shared, joinRecords(parts)));
      const counting: Engine = {
        ...engine,
        load: (...args) => engine.load(...args),
        collect: (...args) => engine.collect(...args),
        close: () => engine.close(),
        probe: (program) => {
          probes.push(program.cases.length);
          return (engine.probe as NonNullable<Engine['probe']>)(program);
        },
      };
      const rows = await sweepStored({ ...whole, engine: counting, onKnown: (...one) => known.push(one) });
      expect(rows).toEqual(await sweepStored(await input()));
      const [ranking] = known as [readonly [number, number]];
      expect(ranking[0]).toBe(ranking[1]);
      // The sessions of the ranking are not even made; what explains it depends on all images and is asked here.
      expect(probes).toHaveLength(1);
    },
  );

  test('with a share missing it is measured, and comes out the same', async () => {
    const store = new Recording(shared);
    await sweepShare(await input(store), (image) => image % 2 === 0);
    expect(await sweepStored(await input(new Recording(shared, store.records)))).toEqual(
      await sweepStored(await input()),
    );
  });
});
