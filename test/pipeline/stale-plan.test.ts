import { describe, expect, test } from '@jest/globals';
import { stalePlan } from '../../src/pipeline/committed-plan.js';
import type { PlanAge } from '../../src/quantization/index.js';

describe('a committed plan', () => {
  const bench = (plan?: string) => ({ settings: { quantization: { plan } }, model: { name: 'signs.onnx' } });
  const age = (part: Partial<PlanAge>): PlanAge => ({
    structure: false,
    gone: [],
    fresh: [],
    renamed: [],
    calibrator: undefined,
    ...part,
  });
  const say = (part: Partial<PlanAge>) => stalePlan(bench('a/plan.json'), { default: 'int8' }, age(part));

  test.each([
    ['that fits', bench('a/plan.json'), undefined],
    ['that is none: the default', bench(), age({ structure: true })],
  ])('%s is not stale', (_what, where, how) =>
    expect(stalePlan(where, { default: 'int8' }, how)).toEqual([]),
  );

  test.each([
    ['of another structure', { structure: true }, 'signs.onnx has another structure than the network'],
    ['whose layer is gone', { structure: true, gone: ['conv3'] }, 'it speaks of conv3, which is gone'],
    [
      'that lacks new layers',
      { structure: true, fresh: ['a', 'b'] },
      'a, b are new, run in INT8, and nobody has ranked them',
    ],
    [
      'that many layers are new to',
      { structure: true, fresh: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] },
      'a, b, c, d, e and 2 more are new',
    ],
    [
      'of another calibrator',
      { calibrator: { from: 'entropy', to: 'minmax' } },
      'found with the calibrator entropy, and the settings have minmax',
    ],
  ])('%s is, and says what to do', (_what, part, words) => {
    const [finding, ...more] = say(part);
    expect(more).toEqual([]);
    expect(finding).toMatchObject({ kind: 'stale-plan', severity: 'warning', subject: 'plan.json' });
    expect(finding?.sentence).toContain(words);
    expect(finding?.advice).toContain('int8-gate plan --write');
  });

  test('that only follows new names is told as information', () => {
    const [finding] = say({ renamed: [{ from: 'old', to: 'new' }] });
    expect(finding).toMatchObject({ severity: 'info' });
    expect(finding?.sentence).toContain('it follows old to its new name new');
  });
});
