import { describe, expect, test } from '@jest/globals';
import { mulberry32 } from '../../src/evaluation/index.js';
import { paretoFront } from '../../src/sensitivity/index.js';
import { LAYERS, QUIET, loud, searchIn, sorted, type World } from './search-world.js';

describe('the search finds the cheapest plan that passes', () => {
  const cases: readonly [what: string, world: World, kept: readonly string[], full: number][] = [
    ['nothing to do', { allowed: 1 }, [], 1],
    ['one culprit', { noise: loud('conv7'), allowed: 0.1 }, ['conv7'], 2],
    [
      'two that do not stand together',
      { noise: loud('conv0', 'conv39'), allowed: 0.1 },
      ['conv0', 'conv39'],
      6,
    ],
    [
      'five all over the network',
      { noise: loud('conv3', 'conv11', 'conv12', 'conv27', 'conv38'), allowed: 0.1 },
      ['conv3', 'conv11', 'conv12', 'conv27', 'conv38'],
      12,
    ],
    [
      'a culprit that the ranking holds for harmless',
      { noise: loud('conv4', 'conv30'), believed: { conv30: 1e-7 }, allowed: 0.1 },
      ['conv4', 'conv30'],
      8,
    ],
    [
      'harmless layers that the ranking puts first',
      { noise: loud('conv20'), believed: { conv1: 2, conv2: 2, conv3: 2, conv20: 0.5 }, allowed: 0.1 },
      ['conv20'],
      10,
    ],
    [
      'noise that only arises together: one of the pair will do',
      { together: [{ layers: ['conv5', 'conv25'], noise: 1 }], allowed: 0.1 },
      ['conv5'],
      8,
    ],
    [
      'a dear culprit and a cheap one, either of which will do: the cheap one',
      {
        macs: (i) => (i === 8 ? 30 : 1),
        noise: { conv8: 0.5, conv9: 0.4 },
        allowed: 0.55,
      },
      ['conv9'],
      4,
    ],
    [
      'two cheap layers instead of a dear one',
      {
        macs: (i) => (i === 8 ? 60 : 1),
        noise: { conv8: 0.8, conv9: 0.4, conv10: 0.4 },
        allowed: 0.9,
      },
      ['conv10', 'conv9'],
      6,
    ],
    [
      'post-processing, which the SQNR of the head does not see',
      { noise: loud('conv7'), behind: ['conv33', 'conv35', 'conv37', 'conv39'], allowed: 0.1 },
      ['conv7', 'conv33', 'conv35', 'conv37', 'conv39'],
      12,
    ],
    [
      'a group, switched as one',
      {
        noise: loud('conv3', 'conv8'),
        groups: [['conv3', 'conv8']],
        allowed: 0.1,
      },
      ['conv3', 'conv8'],
      2,
    ],
  ];

  test.each(cases)('%s', async (_what, world, kept, full) => {
    const found = await searchIn(world);
    expect(found).toMatchObject({ passes: true, ended: 'cheapest', blame: [] });
    expect(sorted(found.kept)).toEqual(sorted(kept));
    expect(found.best.outcome?.passes).toBe(true);
    expect(found.tried.length).toBe(found.evaluations.full);
    expect(found.evaluations.full).toBeLessThanOrEqual(full);
  });

  test.each(cases)('%s, with the whole set alone to go by', async (_what, world) => {
    const found = await searchIn({ ...world, subset: false });
    expect(found.passes).toBe(true);
    expect(found.evaluations).toMatchObject({ subset: 0, cached: 0 });
    expect(found.evaluations.full).toBeLessThanOrEqual(26);
  });

  test('in 200 networks with 1 to 6 culprits anywhere and a ranking that errs by 10 dB, all culprits and no other layer', async () => {
    const wrong: string[] = [];
    let [most, subset] = [0, 0];
    for (let seed = 1; seed <= 200; seed++) {
      const random = mulberry32(seed);
      const count = 1 + Math.floor(6 * random());
      const culprits = new Set<string>();
      while (culprits.size < count) culprits.add(`conv${Math.floor(LAYERS * random())}`);
      const noise = Object.fromEntries([...culprits].map((name) => [name, 0.5 + random()]));
      const believed = Object.fromEntries(
        Array.from({ length: LAYERS }, (_, i) => `conv${i}`).map((name) => [
          name,
          (noise[name] ?? QUIET) * 10 ** (2 * random() - 1),
        ]),
      );
      const found = await searchIn({ noise, believed, allowed: 0.2 });
      most = Math.max(most, found.evaluations.full);
      subset = Math.max(subset, found.evaluations.subset);
      if (sorted(found.kept).join() !== sorted([...culprits]).join())
        wrong.push(`${seed}: ${found.kept.join(' ')} instead of ${[...culprits].join(' ')}`);
    }
    expect(wrong).toEqual([]);
    expect(most).toBeLessThanOrEqual(14);
    expect(subset).toBeLessThanOrEqual(100);
  });
});

describe('a search never loses to greedy', () => {
  const allowed = 0.2;
  /** Noise in every layer, from next to none to much; work that differs by a hundred; a ranking and a subset that err. */
  const worldOf = (seed: number): World & { readonly macs: (i: number) => number } => {
    const random = mulberry32(seed);
    const each = (of: (i: number) => number): Record<string, number> =>
      Object.fromEntries(Array.from({ length: LAYERS }, (_, i) => [`conv${i}`, of(i)]));
    const noise = each(() => 10 ** (-3.5 + 3 * random()));
    const erring = (dB: number): Record<string, number> =>
      each((i) => (noise[`conv${i}`] as number) * 10 ** ((dB / 10) * (2 * random() - 1)));
    const macs = Array.from({ length: LAYERS }, () => 10 ** (2 * random()));
    return { noise, believed: erring(3), steered: erring(2), macs: (i) => macs[i] as number, allowed };
  };
  /** The worst layer of the ranking in float, one more at a time until it passes: share of work in float, evaluations. */
  const greedyIn = ({ noise = {}, believed = {}, macs = () => 1 }: World): readonly [number, number] => {
    const order = Object.keys(noise).sort((a, b) => (believed[b] as number) - (believed[a] as number));
    const sum = (names: readonly string[], of: (name: string) => number): number =>
      names.reduce((total, name) => total + of(name), 0);
    const work = (name: string): number => macs(Number(name.slice(4)));
    let k = 0;
    while (sum(order.slice(k), (name) => noise[name] as number) > allowed) k++;
    return [sum(order.slice(0, k), work) / sum(order, work), k + 1];
  };

  test('in 60 networks whose every layer hurts a little; its plans cost a fifth less in the middle, in fewer evaluations', async () => {
    const dearer: string[] = [];
    const ratios: number[] = [];
    let [full, greedyFull] = [0, 0];
    for (let seed = 1; seed <= 60; seed++) {
      const world = worldOf(seed);
      const found = await searchIn(world);
      const [cost, evaluations] = greedyIn(world);
      if (!found.passes || found.best.price.cost > cost + 1e-9)
        dearer.push(`${seed}: ${found.best.price.cost} instead of ${cost}`);
      if (cost > 0) ratios.push(found.best.price.cost / cost);
      full += found.evaluations.full;
      greedyFull += evaluations;
    }
    expect(dearer).toEqual([]);
    ratios.sort((a, b) => a - b);
    expect(ratios[ratios.length >> 1]).toBeLessThan(0.83);
    expect(full).toBeLessThan(greedyFull);
  });
});

describe('post-processing that INT8 ruins', () => {
  const behind = ['conv31', 'conv33', 'conv34', 'conv36', 'conv39'];
  const world = { behind, hidden: ['conv33', 'conv34', 'conv36'], noise: loud('conv7'), allowed: 0.1 };
  const options = { behind: new Set(behind), calibrators: ['entropy'] };

  test('goes to float as a whole, at once, though single layers of it show nothing', async () => {
    const found = await searchIn({ ...world, noise: {} }, options);
    expect(found.passes).toBe(true);
    expect(sorted(found.kept)).toEqual(behind);
    expect(found.evaluations.full).toBe(2);
    expect(found.evaluations.subset).toBeLessThan(40);
  });

  test('beside what else is at fault', async () => {
    const found = await searchIn(world, options);
    expect(found.passes).toBe(true);
    expect(sorted(found.kept)).toEqual(sorted([...behind, 'conv7']));
    expect(found.evaluations.full).toBeLessThan(6);
  });

  test('is tried layer by layer where not all of it may be float', async () => {
    const found = await searchIn(world, { ...options, maxFloatLayers: 3 });
    expect(found).toMatchObject({ passes: false, ended: 'float-layers' });
    expect(found.kept.length).toBeLessThanOrEqual(3);
    expect(found.blame).not.toEqual([]);
  });

  test('that does no harm stays in INT8', async () => {
    const found = await searchIn({ noise: loud('conv7'), allowed: 0.1 }, options);
    expect(found.kept).toEqual(['conv7']);
  });
});

describe('other calibrators', () => {
  const world = { noise: loud('conv7', 'conv9'), calibrated: { conv7: 0.01 }, allowed: 0.1 };

  test('come before float, for they cost nothing', async () => {
    const found = await searchIn(
      { ...world, calibrated: { conv7: 0.01, conv9: 0.01 } },
      { calibrators: ['entropy'] },
    );
    expect(found).toMatchObject({ passes: true, kept: [] });
    expect(found.best.plan.calibrators).toEqual({ conv7: 'entropy', conv9: 'entropy' });
    expect(found.best.price.cost).toBe(0);
  });

  test('stay where float is needed beside them, and none is left on a layer in float', async () => {
    const found = await searchIn(world, { calibrators: ['entropy'] });
    expect(found).toMatchObject({ passes: true, kept: ['conv9'] });
    expect(found.best.plan.calibrators).toEqual({ conv7: 'entropy' });
  });

  test('are left alone where they gain nothing', async () => {
    const found = await searchIn({ ...world, calibrated: { conv7: 1.2 } }, { calibrators: ['entropy'] });
    expect(sorted(found.kept)).toEqual(['conv7', 'conv9']);
    expect(found.best.plan.calibrators).toBeUndefined();
  });
});

describe('budgets', () => {
  const world = { noise: loud('conv1', 'conv2', 'conv3'), allowed: 0.1 };

  test.each([
    ['enough layers', { maxFloatLayers: 3 }, true, 'cheapest', 3],
    ['too few layers', { maxFloatLayers: 2 }, false, 'float-layers', 2],
    ['no layer', { maxFloatLayers: 0 }, false, 'float-layers', 0],
    ['enough work in float', { minInt8Share: 0.92 }, true, 'cheapest', 3],
    ['too little', { minInt8Share: 0.94 }, false, 'int8-share', 2],
  ] as const)('%s', async (_what, options, passes, ended, kept) => {
    const found = await searchIn(world, options);
    expect(found).toMatchObject({ passes, ended });
    expect(found.kept.length).toBe(kept);
    // What would be needed beside.
    if (!passes) expect(found.blame).toContain('conv3');
  });

  test('time ends it with the best that was found', async () => {
    let left = 2;
    const found = await searchIn({ ...world, subset: false }, { expired: () => left-- <= 0 });
    expect(found).toMatchObject({ ended: 'minutes', passes: false });
    expect(found.evaluations.full).toBe(3);
    const generous = await searchIn({ ...world, subset: false }, { expired: () => false });
    expect(generous).toMatchObject({ ended: 'cheapest', passes: true });
  });

  test('a plan that passed when time ended is given', async () => {
    const before = await searchIn({ ...world, subset: false });
    const first = before.points.findIndex(({ outcome }) => outcome?.passes === true);
    let left = first;
    const found = await searchIn({ ...world, subset: false }, { expired: () => left-- <= 0 });
    expect(found).toMatchObject({ ended: 'minutes', passes: true });
  });
});

describe('when nothing passes', () => {
  const world: World = {
    noise: loud('conv5', 'conv6'),
    allowed: -1,
  };

  test('the best is given, and the layers that hurt most in it', async () => {
    const found = await searchIn({ ...world }, { maxFloatLayers: 1 });
    expect(found).toMatchObject({ passes: false, ended: 'float-layers' });
    expect(found.kept.length).toBe(1);
    expect(['conv5', 'conv6']).toContain(found.blame[0]);
    expect(found.blame).not.toContain(found.kept[0]);
  });

  test('not even with everything in float: no layer is to blame', async () => {
    const found = await searchIn(world);
    expect(found).toMatchObject({ passes: false, ended: 'none-passes', blame: [] });
    expect(found.kept.length).toBe(LAYERS);
  });
});

describe('what is told beside the best plan', () => {
  test('two dearer plans, measured on the whole set, where they are asked for', async () => {
    const world = { noise: { ...loud('conv7'), conv9: 0.05, conv11: 0.04 }, allowed: 0.1 };
    const { best, alternatives } = await searchIn(world, { alternatives: true });
    expect(alternatives.map(({ draft }) => sorted(draft.float.flat()))).toEqual([
      ['conv7', 'conv9'],
      ['conv11', 'conv7', 'conv9'],
    ]);
    for (const one of alternatives) {
      expect(one.price.cost).toBeGreaterThan(best.price.cost);
      expect(one.outcome?.passes).toBe(true);
    }
  });

  test('the curve holds what no measured plan beats in cost and accuracy; estimates are never on it', async () => {
    const { points } = await searchIn({ noise: loud('conv0', 'conv39', 'conv20'), allowed: 0.1 });
    const front = paretoFront(points);
    expect(front.size).toBeGreaterThan(1);
    for (const one of points)
      if (one.outcome === undefined) expect(front.has(one)).toBe(false);
      else
        expect(front.has(one)).toBe(
          !points.some(
            ({ outcome, price }) =>
              outcome !== undefined &&
              price.cost <= one.price.cost &&
              outcome.score >= (one.outcome?.score ?? 0) &&
              (price.cost < one.price.cost || outcome.score > (one.outcome?.score ?? 0)),
          ),
        );
  });

  test('no plan is measured twice', async () => {
    const { tried } = await searchIn({
      noise: loud('conv3', 'conv11', 'conv30'),
      allowed: 0.1,
      subset: false,
    });
    const keys = tried.map(({ layers }) => sorted(Object.keys(layers)).join());
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('a search that is made again goes the same way, and measures nothing', async () => {
    const world = { noise: loud('conv3', 'conv11', 'conv30', 'conv31'), allowed: 0.1 };
    const first = await searchIn(world);
    const again = await searchIn({ ...world, cached: true });
    expect(again.points.map(({ plan }) => plan)).toEqual(first.points.map(({ plan }) => plan));
    expect(first.evaluations.cached).toBe(0);
    const { full, subset } = first.evaluations;
    expect(again.evaluations).toEqual({ full: 0, subset: 0, cached: full + subset });
  });

  test('Ctrl-C stops it', async () => {
    const abort = new AbortController();
    abort.abort();
    await expect(searchIn({ allowed: 1 }, { signal: abort.signal })).rejects.toThrow('interrupted');
  });
});
