import { describe, expect, test } from '@jest/globals';
import type { TensorStatistics } from '../../src/calibration/index.js';
import {
  fitPlan,
  formatPlan,
  parsePlan,
  planRanges,
  resolvePlan,
  type Layer,
  type PlanNetwork,
  type PrecisionPlan,
} from '../../src/quantization/index.js';

const layer = (name: string, ...activations: string[]): Layer => ({
  name,
  opType: 'Conv',
  nodes: [0],
  depth: 0,
  macs: 1,
  parameters: 1,
  activations,
  head: false,
});
const plan = (part: Partial<PrecisionPlan> = {}): PrecisionPlan => ({
  version: 1,
  operators: 'tensorrt',
  default: 'int8',
  layers: {},
  ...part,
});

describe('a plan file', () => {
  test('comes back as it was written', () => {
    const full = plan({
      comment: 'by hand',
      model: 'abc',
      calibrator: 'percentile:99.999',
      layers: { conv1: 'fp16', 'head*': 'fp32' },
      calibrators: { conv2: 'entropy', conv3: 'percentile:99.99' },
      network: { conv1: '01', conv2: '02' },
    });
    expect(parsePlan(formatPlan(full), 'plan.json')).toEqual(full);
    expect(parsePlan(formatPlan(plan()), 'plan.json')).toEqual(plan());
  });

  test.each([
    [{ calibrators: { conv1: 'entropi' } }, 'plan.json calibrators["conv1"]'],
    [{ calibrators: { conv1: 'minmax:3' } }, 'plan.json calibrators["conv1"]'],
    [{ calibrators: { conv1: 'percentile:101' } }, 'plan.json calibrators["conv1"]'],
    [{ calibrators: ['conv1'] }, 'plan.json calibrators'],
    [{ calibrators: { conv1: 3 } }, 'plan.json calibrators'],
    [{ network: 'all' }, 'plan.json network'],
    [{ calibrator: 1 }, 'plan.json calibrator'],
    [{ model: {} }, 'plan.json model'],
  ])('%j is refused by name', (part, where) =>
    expect(() => parsePlan(JSON.stringify({ ...plan(), ...part }), 'plan.json')).toThrow(where),
  );

  test('that gives a calibrator to a layer that is not there is refused', () =>
    expect(() => resolvePlan(plan({ calibrators: { conf1: 'mse' } }), [layer('conv1')])).toThrow(
      'no layer of the model is called "conf1"',
    ));
});

describe('ranges of a plan', () => {
  const seen = (name: string, max: number): TensorStatistics => ({
    name,
    count: 4,
    min: -1,
    max,
    zeros: 0,
    nonFinite: 0,
    images: 1,
    minByImage: Float32Array.of(-1),
    maxByImage: Float32Array.of(max),
    limit: 64,
    bins: new Float64Array(16384),
    shape: [1, 4],
  });
  const statistics = new Map([
    ['x', seen('x', 40)],
    ['y', seen('y', 50)],
  ]);
  const range = { amax: 8, min: -1, max: 40, calibrator: 'entropy' };
  const ranges = new Map([
    ['x', range],
    ['y', range],
  ]);
  const layers = [layer('conv0', 'x'), layer('conv1', 'y'), layer('conv2', 'y')];
  const amax = (calibrators: Record<string, string>) =>
    [...planRanges(plan({ calibrators }), layers, ranges, statistics)].map(([, { amax: one }]) => one);

  test.each([
    ['none', {}, [8, 8]],
    ['one layer', { conv0: 'minmax' }, [40, 8]],
    ['one of two readers', { conv1: 'minmax' }, [8, 50]],
    ['a pattern', { 'conv*': 'minmax' }, [40, 50]],
    ['two readers, two wishes: the later layer', { conv1: 'minmax', conv2: 'average' }, [8, 50]],
  ])('%s', (_what, calibrators, expected) => expect(amax(calibrators)).toEqual(expected));
});

describe('a plan held against the network', () => {
  const network = (names: readonly (readonly [string, string])[], structure = 'same'): PlanNetwork => ({
    structure,
    calibrator: 'minmax',
    layers: names.map(([name, own]) => ({ name, structure: own })),
  });
  const made = plan({
    model: 'same',
    calibrator: 'minmax',
    layers: { conv1: 'fp16', 'head*': 'fp16' },
    calibrators: { conv2: 'entropy' },
    network: { conv0: 'A', conv1: 'B', conv2: 'B', head1: 'C' },
  });
  const own = Object.entries(made.network ?? {});

  test('that it was made for: as it is', () =>
    expect(fitPlan(made, network(own))).toEqual({ plan: made, age: undefined }));

  test('a plan by hand is left as it is', () => {
    const byHand = plan({ layers: { conf1: 'fp16' } });
    expect(fitPlan(byHand, network(own))).toEqual({ plan: byHand, age: undefined });
  });

  test('renumbered: layers are followed by their place, alike ones too', () => {
    const { plan: fitted, age } = fitPlan(
      made,
      network([
        ['n0', 'A'],
        ['n1', 'B'],
        ['n2', 'B'],
        ['n3', 'C'],
      ]),
    );
    expect(fitted.layers).toEqual({ n1: 'fp16', n3: 'fp16' });
    expect(fitted.calibrators).toEqual({ n2: 'entropy' });
    expect(age).toMatchObject({ structure: false, gone: [], fresh: [] });
    expect(age?.renamed).toContainEqual({ from: 'conv1', to: 'n1' });
  });

  test('changed: one of a kind is followed, what two could be is gone', () => {
    const { plan: fitted, age } = fitPlan(
      made,
      network(
        [
          ['conv0', 'A'],
          ['x1', 'B'],
          ['x2', 'B'],
          ['tail', 'C'],
        ],
        'other',
      ),
    );
    expect(fitted.layers).toEqual({ tail: 'fp16' });
    expect(fitted.calibrators).toEqual({});
    expect(age).toEqual({
      structure: true,
      gone: ['conv1', 'conv2'],
      fresh: ['x1', 'x2'],
      renamed: [{ from: 'head1', to: 'tail' }],
      calibrator: undefined,
    });
  });

  test('new layers are named', () =>
    expect(fitPlan(made, network([...own, ['conv9', 'D']], 'other')).age).toMatchObject({
      gone: [],
      fresh: ['conv9'],
    }));

  test('another structure with the same layers', () =>
    expect(fitPlan(made, network(own, 'other')).age).toMatchObject({ structure: true, gone: [], fresh: [] }));

  test('another calibrator', () =>
    expect(fitPlan({ ...made, calibrator: 'entropy' }, network(own)).age).toMatchObject({
      calibrator: { from: 'entropy', to: 'minmax' },
    }));

  test('a name that neither network knows stays, so that it is refused as misspelt', () => {
    const { plan: fitted } = fitPlan(plan({ ...made, layers: { conf1: 'fp16' } }), network(own));
    expect(fitted.layers).toEqual({ conf1: 'fp16' });
  });
});
