import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createOnnxRuntimeEngine,
  type Engine,
  type Probe,
  type ProbeProgram,
} from '../../src/engine/index.js';
import { Interrupted } from '../../src/faults/index.js';
import { encodeModel, parseModel, type Model } from '../../src/onnx/index.js';
import { sweepStored, type StoredSweepInput, type SweepRow } from '../../src/sensitivity/index.js';
import { openStore } from '../../src/store/index.js';
import { inputOf, outlierChannel, type Planted } from './nets.js';

const IMAGES = 10;
const planted = outlierChannel(3);

let engine: Engine;
let folder: string;
beforeAll(async () => {
  engine = await createOnnxRuntimeEngine({ threads: 1, batch: 1 });
});
afterAll(() => engine.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'resume-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Change {
  /** Names of the images' contents. */
  readonly images?: readonly string[];
  readonly identity?: string;
  readonly model?: Model;
  readonly change?: (input: StoredSweepInput) => StoredSweepInput;
  readonly stopAfter?: number;
}

const names = (except: Readonly<Record<number, string>> = {}): string[] =>
  Array.from({ length: IMAGES }, (_, i) => except[i] ?? `image ${i}`);

interface Swept {
  readonly rows: readonly SweepRow[];
  /** Images and cases that the engine ran. */
  readonly images: number;
  readonly cases: number;
  readonly known: readonly number[];
}

/** Sweeps as a new process would. An image is what its name says: the seed of its pixels comes of it. */
async function run({
  images = names(),
  identity = 'a',
  model,
  change,
  stopAfter,
}: Change = {}): Promise<Swept> {
  const counts = { images: 0, cases: 0 };
  const known: number[] = [];
  const stop = new AbortController();
  const counting: Engine = {
    ...engine,
    load: (...args) => engine.load(...args),
    collect: (...args) => engine.collect(...args),
    close: () => engine.close(),
    probe: async (program: ProbeProgram): Promise<Probe> => {
      const probe = await (engine.probe as NonNullable<Engine['probe']>)(program);
      return {
        release: () => probe.release(),
        run: (feed, observed, casesOf, onImage, options) =>
          probe.run(
            feed,
            observed,
            casesOf,
            (image, result) => {
              counts.images++;
              counts.cases += result.cases.length;
              onImage(image, result);
              if (counts.images === stopAfter) stop.abort();
            },
            options,
          ),
      };
    },
  };
  const store = await openStore(folder, { maxBytes: 1e8, onTrouble: () => undefined });
  const subject: Planted = model === undefined ? planted : { ...planted, model };
  const input = await inputOf(engine, subject, { names: images });
  const whole: StoredSweepInput = {
    ...input,
    engine: counting,
    questions: ['off', 'weights', 'activations'],
    explained: 3,
    signal: stop.signal,
    memory: { store, identity, images },
    onKnown: (count) => known.push(count),
  };
  const rows = await sweepStored(change?.(whole) ?? whole);
  return { rows, ...counts, known };
}

/** The same without any memory. */
async function fresh(how: Change = {}): Promise<readonly SweepRow[]> {
  const kept = folder;
  folder = await mkdtemp(join(tmpdir(), 'fresh-'));
  try {
    return (await run(how)).rows;
  } finally {
    await rm(folder, { recursive: true, force: true });
    folder = kept;
  }
}

function withModel(edit: (proto: Model['proto']) => void): Model {
  const copy = parseModel(encodeModel(planted.model.proto), planted.model.name);
  edit(copy.proto);
  return copy;
}

/** Doubles the range of the tensor that the layer reads. */
const widen =
  (name: string) =>
  (input: StoredSweepInput): StoredSweepInput => {
    const tensor = input.layers.find((layer) => layer.name === name)?.activations[0] as string;
    const range = input.ranges.get(tensor);
    if (range === undefined) throw new Error(`${tensor} has no range`);
    return { ...input, ranges: new Map(input.ranges).set(tensor, { ...range, amax: 2 * range.amax }) };
  };

describe('a sweep that was made before', () => {
  test('is not made again', async () => {
    const first = await run();
    expect(first.cases).toBeGreaterThan(IMAGES * 7);
    const second = await run();
    expect(second).toEqual({ ...first, images: 0, cases: 0, known: second.known });
    expect(second.known).toEqual([expect.any(Number), 3 * (8 + 4 + 4)]);
  });

  test.each([1, 3, 7, 12])('goes on where it was interrupted, after %i images', async (stopAfter) => {
    const whole = await fresh();
    await expect(run({ stopAfter })).rejects.toBeInstanceOf(Interrupted);
    const second = await run();
    expect(second.rows).toEqual(whole);
    // Ranking and explaining look at 18 images in all.
    expect(second.images).toBe(IMAGES + 8 - stopAfter);
  });

  test('measures anew what one image makes, when it changes', async () => {
    await run();
    const images = names({ 6: 'another' });
    const second = await run({ images });
    expect(second.rows).toEqual(await fresh({ images }));
    expect(second.images).toBe(2);
  });

  test('knows images that come in another order', async () => {
    await run();
    // Within those that are looked at alike.
    const images = names({ 1: 'image 2', 2: 'image 1' });
    const second = await run({ images });
    expect(second.rows).toEqual(await fresh({ images }));
    expect(second.images).toBe(0);
  });

  test('measures anew what holds a range, when it changes', async () => {
    const first = await run();
    const second = await run({ change: widen('c5') });
    expect(second.rows).toEqual(await fresh({ change: widen('c5') }));
    const of = (rows: readonly SweepRow[]) =>
      Object.fromEntries(rows.map(({ layer, sqnr }) => [layer.name, sqnr]));
    expect(of(second.rows)).toEqual({ ...of(first.rows), c5: expect.any(Number) });
    expect(of(second.rows).c5).not.toBe(of(first.rows).c5);
    // In the ranking c5 alone: of what explains it all that is in INT8 elsewhere, too.
    expect(second.cases).toBeLessThan(first.cases / 2);
    expect(second.cases).toBeGreaterThanOrEqual(IMAGES / 2);
  });

  test.each([
    ['a weight', (proto: Model['proto']) => flip(proto, 'w4')],
    ['a weight of the head', (proto: Model['proto']) => flip(proto, 'whead')],
    [
      'an attribute',
      (proto: Model['proto']) => {
        const attribute = proto.graph?.node.find(({ opType }) => opType === 'LeakyRelu')?.attribute[0];
        if (attribute !== undefined) attribute.f = 0.2;
      },
    ],
  ])('is made again whole for another network: %s', async (_what, edit) => {
    const first = await run();
    const model = withModel(edit);
    const second = await run({ model });
    expect(second.rows).toEqual(await fresh({ model }));
    expect(second.rows).not.toEqual(first.rows);
    expect(second.images).toBe(IMAGES + 8);
    expect(second.known).toEqual([0, 0]);
  });

  test('is made again whole with another decoder, engine, machine or program', async () => {
    await run();
    expect((await run({ identity: 'b' })).images).toBe(IMAGES + 8);
  });

  test('measures anew just what is damaged on disk', async () => {
    const first = await run();
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const lines = (await readFile(path, 'utf8')).split('\n');
      lines[5] = (lines[5] as string).replace(/[A-Z]{2}/, 'xx');
      await writeFile(path, lines.join('\n').slice(0, -40));
    }
    const second = await run();
    expect(second.rows).toEqual(first.rows);
    expect(second.images).toBeGreaterThan(0);
    expect(second.images).toBeLessThanOrEqual(2);
  });
});

/** Changes the last bit of a weight that counts. */
function flip(proto: Model['proto'], name: string): void {
  const tensor = proto.graph?.initializer.find((one) => one.name === name);
  if (tensor === undefined) throw new Error(`there is no ${name}`);
  const bytes = Uint8Array.from(tensor.rawData);
  bytes[2] = (bytes[2] as number) ^ 0x40;
  tensor.rawData = bytes;
}
