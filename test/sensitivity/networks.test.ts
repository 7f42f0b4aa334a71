import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  createOnnxRuntimeEngine,
  type Engine,
  type Power,
  type ProbeProgram,
} from '../../src/engine/index.js';
import { quantize } from '../../src/quantization/index.js';
import { boundaryOf } from '../../src/sensitivity/boundary.js';
import { Networks, type Replaced } from '../../src/sensitivity/networks.js';
import { cutRegions } from '../../src/sensitivity/regions.js';
import type { StoredSweepInput } from '../../src/sensitivity/index.js';
import { inputOf, outlierChannel, sharedScale } from './nets.js';

const MIB = 2 ** 20;

let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntimeEngine({ threads: 1, batch: 1 });
});
afterAll(() => engine.close());

/** The float network, and each layer in INT8 by itself. */
async function programOf(input: StoredSweepInput, budget: number) {
  const { model, graph, layers, ranges, scope, reference } = input;
  const { heads } = reference;
  const regions = cutRegions(graph, layers, input.work, new Set(heads));
  const networks = new Networks(
    { model, regions, boundary: await boundaryOf(input, regions), wanted: heads },
    budget,
  );
  const plan = (names: readonly string[]) =>
    quantize(
      model,
      {
        version: 1,
        operators: scope,
        default: 'fp32',
        layers: Object.fromEntries(names.map((name) => [name, 'int8'])),
      },
      ranges,
    ).proto;
  const float = networks.network(plan([]));
  const replaced = layers.map(({ name }) => networks.replaced(float, plan([name])));
  return { networks, regions, float, replaced, steps: replaced.map((one) => networks.steps(float, one)) };
}

describe('what lies behind a change', () => {
  test('runs as one model, the same for all candidates of a part', async () => {
    const { regions, replaced, steps, networks, float } = await programOf(
      await inputOf(engine, outlierChannel(3), { names: ['a'] }),
      MIB,
    );
    for (const [i, own] of steps.entries()) {
      const { region, model } = (replaced[i] as readonly Replaced[])[0] as Replaced;
      const behind = regions.length - 1 - region;
      expect(own[0]).toBe(model);
      expect(own.slice(1)).toEqual(
        behind === 0 ? [] : behind === 1 ? [float.plain.at(-1)] : [expect.any(Number)],
      );
      if (behind > 1) expect(float.plain).not.toContain(own[1]);
    }
    expect(networks.inputs).toEqual(['x']);
  });

  test('runs part by part where there is no memory for more', async () => {
    const { regions, replaced, steps, float } = await programOf(
      await inputOf(engine, outlierChannel(3), { names: ['a'] }),
      0,
    );
    for (const [i, own] of steps.entries()) {
      const { region } = (replaced[i] as readonly Replaced[])[0] as Replaced;
      expect(own).toHaveLength(regions.length - region);
      expect(own.slice(1)).toEqual(float.plain.slice(region + 1));
    }
  });

  test('takes no more memory than it may', async () => {
    const input = await inputOf(engine, outlierChannel(3), { names: ['a'] });
    const [none, some, all] = await Promise.all(
      [0, 6000, MIB].map(async (budget) => {
        const { networks } = await programOf(input, budget);
        return networks.models.reduce((sum, { bytes }) => sum + bytes.length, 0);
      }),
    );
    expect(some as number).toBeGreaterThan(none as number);
    expect((some as number) - (none as number)).toBeLessThan(6000 + 2000);
    expect(all as number).toBeGreaterThan(some as number);
  });

  test.each([
    ['a chain', outlierChannel(3)],
    ['branches that meet', sharedScale(3)],
  ])('gives the same whether in one or part by part: %s', async (_what, planted) => {
    const input = await inputOf(engine, planted, { names: ['a', 'b'] });
    const measured = async (budget: number): Promise<(readonly Power[])[]> => {
      const { networks, float, steps } = await programOf(input, budget);
      const program: ProbeProgram = {
        models: networks.models,
        inputs: networks.inputs,
        bases: [{ plain: float.plain, observing: float.plain }],
        cases: steps.map((own) => ({ base: 0, steps: own, local: undefined })),
        heads: input.reference.heads,
        outputs: [],
        observed: [],
      };
      const probe = await (engine.probe as NonNullable<Engine['probe']>)(program);
      const seen: (readonly Power[])[] = [];
      await probe.run(
        input.feed,
        () => false,
        () => [...steps.keys()],
        (_image, { cases }) => seen.push(...cases.map(({ heads }) => heads)),
      );
      await probe.release();
      return seen;
    };
    const whole = await measured(MIB);
    expect(whole.flat().every(({ noise }) => noise > 0)).toBe(true);
    expect(await measured(0)).toEqual(whole);
    expect(await measured(6000)).toEqual(whole);
  });
});
