import { describe, expect, test } from '@jest/globals';
import { stalePlan } from '../../src/pipeline/file-findings.js';

describe('a committed plan', () => {
  const bench = (plan?: string) => ({
    settings: { quantization: { plan } },
    model: { name: 'signs.onnx', structure: 'now' },
  });
  const of = (model?: string) => ({ default: 'int8', ...(model !== undefined && { model }) }) as const;

  test.each([
    ['of this network', bench('a/plan.json'), of('now')],
    ['written by hand, for any network', bench('a/plan.json'), of()],
    ['that is none: the default', bench(), of('before')],
  ])('%s is not stale', (_what, where, plan) => expect(stalePlan(where, plan)).toEqual([]));

  test('of another network is, and says what to do', () => {
    const [finding, ...more] = stalePlan(bench('a/plan.json'), of('before'));
    expect(more).toEqual([]);
    expect(finding).toMatchObject({ kind: 'stale-plan', severity: 'warning', subject: 'plan.json' });
    expect(finding?.sentence).toContain('another structure than signs.onnx');
    expect(finding?.advice).toContain('commit the plan.json');
  });
});
