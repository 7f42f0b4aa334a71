import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { diffLayers, formatDiff, type LayerRow, type Report } from '../../src/report/index.js';

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

describe('two reports', () => {
  test('of the same export differ in nothing', () => {
    expect(diffLayers(base, base)).toEqual([]);
    expect(formatDiff(base, base)).toContain('No layer became more or less sensitive');
  });

  test('of a renumbered export differ in names alone', () => {
    const head = report(
      layer('/0/Conv', 'stem'),
      layer('/1/Conv', 'block'),
      layer('/2/Conv', 'block'),
      layer('/3/Conv', 'neck'),
    );
    const changes = diffLayers(base, head);
    expect(changes.map(({ kind, before, name }) => `${kind} ${before ?? ''} ${name}`)).toEqual([
      'renamed Conv_0 /0/Conv',
      'renamed Conv_4 /1/Conv',
      'renamed Conv_9 /2/Conv',
      'renamed Conv_20 /3/Conv',
    ]);
    expect(formatDiff(base, head)).toContain('4 layers have another name and are otherwise as they were.');
  });

  test('match a layer by name where its structure is another, and tell what is new and gone', () => {
    const head = report(
      layer('Conv_0', 'wider stem'),
      layer('Conv_4', 'block'),
      layer('Conv_20', 'neck'),
      layer('new', 'attention'),
    );
    expect(diffLayers(base, head).map(({ kind, name }) => [kind, name])).toEqual([
      ['added', 'new'],
      ['removed', 'Conv_9'],
    ]);
  });

  test('tell what became more sensitive, with the range that moved and the cause', () => {
    const worse = layer('Conv_5', 'block', {
      sqnr: 12,
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
    expect(formatDiff(base, head).split('\n').slice(-2)).toEqual([
      '~ Conv_5 (was Conv_4): more sensitive, 30.0 → 12.0 dB; int8 → fp16 in the plan; range of its input ×10.00; cause: range of its input',
      '~ Conv_20: less sensitive, 30.0 → 36.0 dB',
    ]);
  });
});
