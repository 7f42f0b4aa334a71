import { describe, expect, test } from '@jest/globals';
import { blockBar, depthLines, depthMarkdown } from '../../src/report/blocks.js';
import type { LayerRow } from '../../src/report/index.js';
import { sample } from './full-report.js';

test.each([
  [0, ''],
  [1 / 64, '▏'],
  [0.5, '████'],
  [0.99, '███████▉'],
  [1, '████████'],
  [7, '████████'],
  [-1, ''],
])('a bar of %p of 8 characters is %p', (share, bar) => expect(blockBar(share, 8)).toBe(bar));

describe('sensitivity along the network', () => {
  const rows = (...sqnr: readonly (number | null)[]): LayerRow[] =>
    sqnr.map((one, i) => ({
      ...sample.sensitivity!.layers[0]!,
      rank: i + 1,
      depth: i,
      sqnr: one,
      precision: 'int8',
    }));
  const float = (list: readonly LayerRow[], ...at: readonly number[]): LayerRow[] =>
    list.map((row, i) => (at.includes(i) ? { ...row, precision: 'fp16' } : row));

  test.each([
    {
      name: 'the worst is highest, 60 dB and more lie at the bottom',
      layers: rows(20, 40, 60, 90),
      chart: '█▄▁▁',
      float: '',
    },
    { name: 'a layer without effect is blank', layers: rows(20, null, 60), chart: '█ ▁', float: '' },
    { name: 'float layers are marked', layers: float(rows(20, 40, 60), 0, 2), chart: '█▄▁', float: 'o o' },
    {
      name: 'layers stand in the order of the network',
      layers: rows(60, 20).map((row, i) => ({ ...row, depth: 1 - i })),
      chart: '█▁',
      float: '',
    },
    {
      name: 'where several share a column the worst shows',
      layers: float(rows(60, 60, 60, 60, 20, 60, 60, 60, 60, 60), 9),
      chart: '▁▁█▁▁',
      float: '    o',
    },
  ])('$name', ({ layers, chart, float: marks }) =>
    expect(depthLines(layers, 5)).toMatchObject({ chart, float: marks }),
  );

  test('as Markdown it is a block of one width, with what the ends mean', () =>
    expect(depthMarkdown(float(rows(20, 40, 60), 0), 5)).toBe(
      [
        'Input to output, 20 dB at the top, 60 at the bottom; `o` = float in the plan:',
        '',
        '```text',
        '█▄▁',
        'o',
        '```',
      ].join('\n'),
    ));

  test('nothing is drawn where no layer changed the output', () =>
    expect([depthLines(rows(null, null), 10), depthMarkdown(rows(null), 10)]).toEqual([
      undefined,
      undefined,
    ]));
});
