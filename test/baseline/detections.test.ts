import { gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { readDetections, writeDetections } from '../../src/baseline/index.js';
import { DetectionBuilder } from '../../src/dataset/index.js';

const table = (() => {
  const builder = new DetectionBuilder();
  builder.push(0, 1, 1 / 3, 2.5, 1e-9, 4, 0.1 + 0.2);
  builder.push(7, 0, 0, 0, 640, 640, 1);
  return builder.finish();
})();
const kept = { validation: 'abc', candidate: 'mixed', detections: table } as const;

describe('detections beside a report', () => {
  test('come back as they were, to the last bit', async () => {
    expect(await readDetections(await writeDetections(kept), 'd')).toEqual(kept);
  });

  const edited = async (edit: (value: Record<string, unknown>) => void): Promise<Uint8Array> => {
    const { gunzipSync } = await import('node:zlib');
    const value = JSON.parse(gunzipSync(await writeDetections(kept)).toString()) as Record<string, unknown>;
    edit(value);
    return gzipSync(JSON.stringify(value));
  };
  test.each([
    ['cut short', async () => (await writeDetections(kept)).subarray(0, 60), /cannot be unpacked/],
    ['no gzip', () => Promise.resolve(Buffer.from('{}')), /cannot be unpacked/],
    ['no JSON', () => Promise.resolve(gzipSync('{')), /cannot be unpacked/],
    ['something else', () => Promise.resolve(gzipSync('null')), /holds no detections/],
    [
      'of another version',
      () => edited((value) => (value.version = 2)),
      /holds no detections of this version/,
    ],
    [
      'with a column too short',
      () => edited((value) => (value.count = 3)),
      /columns that do not fit together/,
    ],
    [
      'with a column that is no text',
      () => edited((value) => (value.bbox = [1])),
      /columns that do not fit together/,
    ],
    ['of nobody', () => edited((value) => (value.candidate = 'fp32')), /columns that do not fit together/],
  ])('are refused by name when they are %s', async (_, bytes, says) => {
    await expect(readDetections(await bytes(), 'base/detections.json.gz')).rejects.toThrow(says);
    await expect(readDetections(await bytes(), 'base/detections.json.gz')).rejects.toThrow(
      /^base\/detections/,
    );
  });
});
