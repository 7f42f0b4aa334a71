import { describe, expect, test } from '@jest/globals';
import { parseCoco } from '../../src/dataset/index.js';
import type { HostTensor } from '../../src/engine/index.js';
import type { Layer, PrecisionPlan } from '../../src/quantization/index.js';
import { SqnrMeter, chooseSubset, rank, searchMixed, type SweepRow } from '../../src/sensitivity/index.js';

const layer = (name: string, depth: number): Layer => ({
  name,
  opType: 'Conv',
  nodes: [depth],
  depth,
  macs: 1,
  parameters: 1,
  activations: [],
  head: false,
});
const layers = Array.from({ length: 20 }, (_, i) => layer(`conv${i}`, i));
const basePlan: PrecisionPlan = { version: 1, operators: 'tensorrt', default: 'int8', layers: {} };

/** A ranking with these layers first. */
const rowsOf = (worst: readonly string[]): readonly SweepRow[] =>
  rank(
    layers.map((one) => ({
      layer: one,
      sqnr: worst.includes(one.name) ? worst.indexOf(one.name) : 50,
      mapDrop: 0,
    })),
  );

const floatLayers = (plan: PrecisionPlan): string[] => Object.keys(plan.layers).sort();

describe('the search for mixed precision', () => {
  /** Passes when all culprits are float. */
  const search = async (ranking: readonly string[], culprits: readonly string[], maxFloatLayers?: number) => {
    let evaluations = 0;
    const found = await searchMixed({
      rows: rowsOf(ranking),
      layers,
      basePlan,
      evaluatePlan: (plan) => {
        evaluations++;
        const left = culprits.filter((name) => plan.layers[name] === undefined);
        return Promise.resolve({ passes: left.length === 0, score: 1 - left.length / 10 });
      },
      ...(maxFloatLayers !== undefined && { maxFloatLayers }),
      signal: new AbortController().signal,
    });
    return { ...found, evaluations };
  };

  test('keeps nothing float when INT8 passes, after one evaluation', async () => {
    expect(await search(['conv3'], [])).toMatchObject({ passes: true, kept: [], evaluations: 1 });
  });

  test.each([
    [['conv7'], ['conv7']],
    [
      ['conv7', 'conv2', 'conv15'],
      ['conv2', 'conv7', 'conv15'],
    ],
  ])('finds the worst of %j', async (ranking, culprits) => {
    const { plan, passes } = await search(ranking, culprits);
    expect(passes).toBe(true);
    expect(floatLayers(plan)).toEqual([...culprits].sort());
  });

  test('gives back what the ranking put too high', async () => {
    const { plan } = await search(['conv9', 'conv1', 'conv4'], ['conv9', 'conv4']);
    expect(floatLayers(plan)).toEqual(['conv4', 'conv9']);
  });

  test('finds layers that do not lie side by side', async () => {
    const { plan } = await search(['conv0', 'conv19'], ['conv0', 'conv19']);
    expect(floatLayers(plan)).toEqual(['conv0', 'conv19']);
  });

  test('switches a group as one, and keeps to the limit on layers', async () => {
    const group = {
      name: 'conv3',
      layers: [layers[3], layers[8]] as Layer[],
      tie: 'concat',
      end: '',
    } as const;
    const detail = { group, images: 1, place: { low: 1, high: 1 } } as unknown as NonNullable<
      SweepRow['detail']
    >;
    const rows = rowsOf(['conv3', 'conv5'])
      .filter(({ layer: one }) => one.name !== 'conv8')
      .map((row) => (row.layer.name === 'conv3' ? { ...row, detail } : row));
    const tried: string[][] = [];
    const run = (maxFloatLayers: number) =>
      searchMixed({
        rows,
        layers,
        basePlan,
        evaluatePlan: (plan) => {
          tried.push(floatLayers(plan));
          return Promise.resolve({ passes: plan.layers.conv8 !== undefined, score: tried.length });
        },
        maxFloatLayers,
        signal: new AbortController().signal,
      });
    expect((await run(2)).kept).toEqual(['conv3', 'conv8']);
    expect(tried).toEqual([[], ['conv3', 'conv8']]);
    expect(await run(1)).toMatchObject({ passes: false, kept: [] });
  });

  test('says so when nothing passes, and gives the best that it found', async () => {
    const found = await search(['conv1', 'conv2'], ['conv1', 'conv2', 'nowhere'], 4);
    expect(found.passes).toBe(false);
    expect(found.kept.slice(0, 2)).toEqual(['conv1', 'conv2']);
    expect(found.tries.map(({ floatLayers: k }) => k)).toEqual([0, 1, 2, 4]);
  });
});

describe('SQNR', () => {
  const heads = ['boxes', 'scores'];
  const reference = {
    heads,
    images: [
      new Map([
        ['boxes', Float32Array.of(100, 200)],
        ['scores', Float32Array.of(0.5, 1)],
      ]),
    ],
  };
  const output = (boxes: number[], scores: number[]): ReadonlyMap<string, HostTensor> =>
    new Map(
      Object.entries({ boxes, scores }).map(([name, values]) => [
        name,
        { type: 'float32', dims: [1, 2], data: Float32Array.from(values) },
      ]),
    );
  const sqnr = (boxes: number[], scores: number[]): number => {
    const meter = new SqnrMeter(reference);
    meter.add(0, output(boxes, scores));
    return meter.sqnr();
  };

  test('is infinite when nothing changed', () => expect(sqnr([100, 200], [0.5, 1])).toBe(Infinity));
  test('weighs scores as much as boxes, though they are small', () =>
    expect(sqnr([100, 200], [0, 0])).toBeCloseTo(10 * Math.log10(2), 9));
  test('is minus infinity for NaN', () => expect(sqnr([NaN, 1], [0, 0])).toBe(-Infinity));
});

describe('the subset', () => {
  const truth = parseCoco(
    {
      images: Array.from({ length: 40 }, (_, i) => ({
        id: i + 1,
        file_name: `${i}.jpg`,
        width: 9,
        height: 9,
      })),
      categories: [
        { id: 1, name: 'common' },
        { id: 2, name: 'rare' },
      ],
      annotations: Array.from({ length: 40 }, (_, i) => ({
        id: i + 1,
        image_id: i + 1,
        category_id: i % 13 === 5 ? 2 : 1,
        bbox: [0, 0, 1, 1],
        area: 1,
        iscrowd: 0,
      })),
    },
    'gt.json',
    '',
  );

  test('is the same for the same seed, ascending, and shows rare classes', () => {
    const subset = chooseSubset(truth, 6, 1);
    expect(subset).toEqual(chooseSubset(truth, 6, 1));
    expect([...subset].sort((a, b) => a - b)).toEqual(subset);
    expect(subset.filter((i) => i % 13 === 5)).toHaveLength(3);
  });

  test('is everything when it may be', () => expect(chooseSubset(truth, 99, 1)).toHaveLength(40));
});
