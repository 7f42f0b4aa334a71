import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { PrecisionPlan } from '../../src/quantization/index.js';
import {
  diffPlans,
  diffReports,
  formatDiff,
  formatPlanDiff,
  movedLayers,
  parseReport,
  type LayerRow,
  type Report,
} from '../../src/report/index.js';

const sample = JSON.parse(readFileSync('test/report/golden/report.json', 'utf8')) as Report;

const layer = (name: string, structure: string, over: Partial<LayerRow> = {}): LayerRow => ({
  rank: 1,
  name,
  opType: 'Conv',
  depth: 0,
  sqnr: 30,
  mapDrop: 0,
  macShare: 0.1,
  parameters: 1,
  precision: 'int8',
  head: false,
  structure,
  weights: `weights of ${structure}`,
  reads: [{ tensor: `${name}/in`, amax: 4, scale: 4 / 127 }],
  ...over,
});

/** A report with these layers along the depth. */
const report = (...layers: readonly LayerRow[]): Report => ({
  ...sample,
  sensitivity: { images: 8, layers: layers.map((one, depth) => ({ ...one, depth })).reverse() },
});

const base = report(
  layer('Conv_0', 'stem'),
  layer('Conv_4', 'block'),
  layer('Conv_9', 'block'),
  layer('Conv_20', 'neck'),
);

describe('two judged plans', () => {
  const planned = (precision: Readonly<Record<string, 'fp16' | 'fp32' | 'int8'>>): Report => ({
    ...sample,
    plan: {
      source: 'committed',
      cost: 0,
      int8Share: 1,
      reformats: 0,
      latencyMs: null,
      costBy: 'macs',
      alternatives: [],
      blame: [],
      layers: Object.entries(precision).map(([name, one]) => ({
        name,
        precision: one,
        macShare: null,
        why: '',
      })),
    },
  });
  const names = new Set(['a', 'b', 'c', 'new']);

  test('differ by the layers that move, whether or not anything was ranked', () =>
    expect(
      movedLayers(
        planned({ a: 'fp16', b: 'fp32', gone: 'fp16', recalibrated: 'int8' }),
        planned({ b: 'fp16', c: 'fp16', a: 'int8' }),
        [],
        names,
      ),
    ).toEqual({ toFloat: ['c'], toInt8: ['a'] }));

  test('are the same where a layer has another name alone', () => {
    const renamed = { kind: 'renamed', before: 'old', name: 'new', opType: 'Conv', precision: {} } as const;
    const changes = [{ ...renamed, rank: [1, 1], sqnr: [1, 1] }];
    expect(movedLayers(planned({ old: 'fp16' }), planned({ new: 'fp16' }), changes, names)).toBeUndefined();
    expect(movedLayers(planned({ old: 'fp16' }), planned({}), changes, names)).toEqual({
      toFloat: [],
      toInt8: ['new'],
    });
  });

  test('cannot be compared with a report that tells of none', () =>
    expect(movedLayers(sample, planned({ a: 'fp16' }), [], names)).toBeUndefined());
});

describe('two reports', () => {
  test('of the same export differ in nothing', () => {
    expect(diffReports(base, base)).toEqual({ layers: [], causes: [] });
    expect(formatDiff(base, base, { width: 80 })).toContain('No layer became more or less sensitive');
  });

  test('of a renumbered export differ in names alone', () => {
    const head = report(
      layer('/0/Conv', 'stem'),
      layer('/1/Conv', 'block'),
      layer('/2/Conv', 'block'),
      layer('/3/Conv', 'neck'),
    );
    const { layers: changes } = diffReports(base, head);
    expect(changes.map(({ kind, before, name }) => `${kind} ${before ?? ''} ${name}`)).toEqual([
      'renamed Conv_0 /0/Conv',
      'renamed Conv_4 /1/Conv',
      'renamed Conv_9 /2/Conv',
      'renamed Conv_20 /3/Conv',
    ]);
    expect(formatDiff(base, head, { width: 80 })).toContain(
      '4 layers have another name and are otherwise as they were.',
    );
  });

  test('match a layer by name where its structure is another, and tell what is new and gone', () => {
    const head = report(
      layer('Conv_0', 'wider stem'),
      layer('Conv_4', 'block'),
      layer('Conv_20', 'neck'),
      layer('new', 'attention'),
    );
    expect(diffReports(base, head).layers.map(({ kind, name }) => [kind, name])).toEqual([
      ['added', 'new'],
      ['removed', 'Conv_9'],
    ]);
  });

  test('tell what became more sensitive, with the range that moved, the plan and the cause', () => {
    const worse = layer('Conv_5', 'block', {
      sqnr: 12,
      rank: 3,
      precision: 'fp16',
      reads: [{ tensor: 'other', amax: 40, scale: 40 / 127 }],
      cause: 'range of its input',
    });
    const head = report(
      layer('Conv_0', 'stem', { sqnr: 30.5 }),
      worse,
      layer('Conv_9', 'block'),
      layer('Conv_20', 'neck', { sqnr: 36 }),
    );
    expect(formatDiff(base, head, { width: 80 }).split('\n').slice(-4)).toEqual([
      '   layer                rank   SQNR dB      range   plan',
      '~  Conv_5 (was Conv_4)  1 → 3  30.0 → 12.0  ×10.00  INT8 → FP16',
      '     range of `Conv_5` grew 10.0×, range of its input',
      '~  Conv_20              1      30.0 → 36.0          INT8',
    ]);
  });
});

/** Another report of the same layers, from other calibration images and so on. */
const changed = (
  over: { digests?: string[]; calibrator?: string; color?: string; version?: string },
  ...layers: readonly LayerRow[]
): Report => {
  const head = report(...layers);
  const { calibration, ...data } = head.data;
  return {
    ...head,
    tool: { ...head.tool, ...(over.version !== undefined && { version: over.version }) },
    preprocessing: {
      ...head.preprocessing,
      spec: { ...head.preprocessing.spec, ...(over.color !== undefined && { color: over.color }) },
    },
    data: {
      ...data,
      calibration: {
        ...calibration,
        ...(over.digests !== undefined && { digests: over.digests }),
        ...(over.calibrator !== undefined && { calibrator: over.calibrator }),
      },
    },
  };
};

describe('the cause of a change', () => {
  const grown = { sqnr: 20, reads: [{ tensor: 'in', amax: 12.4, scale: 12.4 / 127 }] };
  const was = changed(
    { digests: ['a', 'b', 'c'], color: 'rgb', calibrator: 'entropy' },
    layer('stem', 's'),
    layer('conv', 'c'),
  );
  const same = { digests: ['a', 'b', 'c'], color: 'rgb', calibrator: 'entropy' };

  test.each([
    [
      'calibration images',
      { ...same, digests: ['a', 'x', 'y'] },
      {},
      'calibration set changed: 2 images new, 2 images gone, range of `conv` grew 3.1×',
    ],
    [
      'one image there twice',
      { ...same, digests: ['a', 'b', 'c', 'c'] },
      {},
      'calibration set changed: 1 image new, range of `conv` grew 3.1×',
    ],
    [
      'the calibrator',
      { ...same, calibrator: 'minmax' },
      {},
      'calibrator changed: entropy → minmax, range of `conv` grew 3.1×',
    ],
    [
      'preprocessing',
      { ...same, color: 'bgr' },
      {},
      'preprocessing changed: color "rgb" → "bgr", range of `conv` grew 3.1×',
    ],
    ['its weights', same, { weights: 'trained anew' }, 'its weights changed, range of `conv` grew 3.1×'],
    [
      'two things, which cannot be told apart',
      { ...same, calibrator: 'minmax' },
      { weights: 'anew' },
      'its weights changed and calibrator changed: entropy → minmax, range of `conv` grew 3.1×',
    ],
    ['nothing that is known', same, {}, 'range of `conv` grew 3.1×'],
  ])('is %s', (_what, over, weights, cause) => {
    const head = changed(over, layer('stem', 's'), layer('conv', 'c', { ...grown, ...weights }));
    expect(diffReports(was, head).layers.map((one) => one.cause)).toEqual([cause]);
  });

  test('is a layer before it, when its own weights are the same', () => {
    const head = changed(same, layer('stem', 's', { weights: 'anew' }), layer('conv', 'c', grown));
    const { layers, causes } = diffReports(was, head);
    expect(layers[0]?.cause).toBe('layers before it changed, range of `conv` grew 3.1×');
    expect(causes).toEqual(['weights changed in 1 of 2 layers']);
  });

  test('is not sought for a layer that only changed its precision', () => {
    const head = changed(same, layer('stem', 's'), layer('conv', 'c', { precision: 'fp16' }));
    expect(diffReports(was, head).layers[0]).toMatchObject({ precision: { base: 'int8', head: 'fp16' } });
    expect(diffReports(was, head).layers[0]?.cause).toBeUndefined();
  });

  test('of everything may be another version', () => {
    const head = changed({ ...same, version: '9.9.9' }, layer('stem', 's'), layer('conv', 'c'));
    expect(diffReports(was, head).causes).toEqual([`int8-gate: ${was.tool.version} → 9.9.9`]);
  });
});

describe('a report of another version', () => {
  test('may have keys that this one does not know', () => {
    const text = JSON.stringify({ ...sample, invented: 1 });
    expect(parseReport(text, 'report.json')).toEqual(sample);
  });
  test('is refused where it lacks what is compared', () => {
    const rest = { ...sample, variants: undefined };
    expect(() => parseReport(JSON.stringify(rest), 'r.json')).toThrow(
      /r\.json.*must have required property 'variants'/,
    );
  });
});

describe('two plans', () => {
  const plan = (layers: PrecisionPlan['layers'], over: Partial<PrecisionPlan> = {}): PrecisionPlan => ({
    version: 1,
    operators: 'tensorrt',
    default: 'int8',
    layers,
    ...over,
  });

  test.each([
    ['that are the same', plan({ a: 'fp16' }), plan({ a: 'fp16' }), []],
    ['of which one keeps more in float', plan({}), plan({ a: 'fp16' }), ['a int8 fp16']],
    ['of which one keeps less in float', plan({ a: 'fp32' }), plan({}), ['a fp32 int8']],
    [
      'that say the same by pattern',
      plan({ '/head/*': 'fp16' }),
      plan({ '/head/*': 'fp16', '/head/a': 'fp16' }),
      [],
    ],
    [
      'of another scope and default',
      plan({}),
      plan({}, { operators: ['Conv'], default: 'fp16' }),
      ['operators tensorrt Conv', 'default int8 fp16'],
    ],
  ])('%s', (_what, base, head, changes) => {
    expect(diffPlans(base, head).changes.map((one) => `${one.entry} ${one.base} ${one.head}`)).toEqual(
      changes,
    );
  });

  test('tell when they are of two networks', () => {
    expect(diffPlans(plan({}, { model: 'a' }), plan({}, { model: 'b' })).otherModel).toBe(true);
    expect(diffPlans(plan({}), plan({}, { model: 'b' })).otherModel).toBeUndefined();
    expect(formatPlanDiff(plan({ a: 'fp16' }, { model: 'a' }), plan({}, { model: 'b' }))).toBe(
      'Entries in float: 1 → 0\nThe plans were made for networks of another structure.\n~ a: fp16 → int8',
    );
  });
});
