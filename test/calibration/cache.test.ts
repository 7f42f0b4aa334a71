import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import {
  formatCalibrationCache,
  parseCalibrationCache,
  rangesFromCache,
  type TensorRange,
  type TensorStatistics,
} from '../../src/calibration/index.js';
import { InputFault } from '../../src/faults/index.js';

const problems = (run: () => unknown): string[] => {
  try {
    run();
    return [];
  } catch (error) {
    if (!(error instanceof InputFault)) throw error;
    return error.problems.map(({ where, what }) => `${where}: ${what}`);
  }
};
const range = (amax: number, calibrator = 'minmax'): TensorRange => ({ amax, min: 0, max: amax, calibrator });

describe('a calibration cache', () => {
  test('of TensorRT is read: header, scales, zeros without digits', () => {
    const text = readFileSync('test/calibration/golden/signs-v10.entropy2.cache', 'utf8');
    const { version, algorithm, scales } = parseCalibrationCache(text, 'x.cache');
    expect([version, algorithm, scales.size]).toEqual(['100600', 'EntropyCalibration2', 329]);
    expect(scales.get('/TopK_output_0')).toBe(0);
    expect(scales.get('images')).toBeCloseTo(2016.5 / 2048 / 127, 8);
  });

  test('of TensorRT is written again as it was', () => {
    const text = readFileSync('test/calibration/golden/signs-v10.minmax.cache', 'utf8');
    const { scales } = parseCalibrationCache(text, 'x.cache');
    const ranges = new Map([...scales].map(([name, scale]) => [name, range(scale * 127)]));
    expect(formatCalibrationCache(ranges)).toBe(text);
  });

  test('keeps every float32 scale and every name', () => {
    const scale = fc.float({ min: 0, noNaN: true, noDefaultInfinity: true, max: 2 ** 100 });
    const name = fc.string({ minLength: 1 }).filter((one) => !/[\r\n]/.test(one) && one.trim() === one);
    fc.assert(
      fc.property(fc.dictionary(name, scale), (wanted) => {
        const text = formatCalibrationCache(
          new Map(Object.entries(wanted).map(([key, one]) => [key, range(one * 127)])),
        );
        expect(Object.fromEntries(parseCalibrationCache(text, 'x').scales)).toEqual(
          Object.fromEntries(Object.entries(wanted)),
        );
      }),
    );
  });

  test('is named after the calibrator where TensorRT has it, else after its default', () => {
    const header = (calibrator: string) =>
      formatCalibrationCache(new Map([['x', range(1, calibrator)]])).split('\n')[0];
    expect(['minmax', 'entropy', 'percentile:99.9'].map(header)).toEqual([
      'TRT-100600-MinMaxCalibration',
      'TRT-100600-EntropyCalibration2',
      'TRT-100600-EntropyCalibration2',
    ]);
  });

  test.each<[string, string, string]>([
    ['no header', 'x: 3f800000', 'c:1: is no header of a calibration cache, is "x: 3f800000"'],
    ['an empty file', '', 'c:1: is no header of a calibration cache, is ""'],
    ['a line without separator', 'TRT-1-A\nx 3f800000', 'c:2: has no `: ` between tensor and scale'],
    ['a decimal number', 'TRT-1-A\n\nx: 0.25', 'c:3: has "0.25" for a scale'],
    ['a negative scale', 'TRT-1-A\nx: bf800000', 'c:2: has the scale -1'],
    ['NaN', 'TRT-1-A\nx: 7fc00000', 'c:2: has the scale NaN'],
    ['a tensor twice', 'TRT-1-A\nx: 1\nx: 2', 'c:3: names tensor x a second time'],
  ])('with %s is refused', (_, text, message) =>
    expect(problems(() => parseCalibrationCache(text, 'c'))).toEqual([message]),
  );

  test('gives ranges for the tensors that are quantized, and names those it lacks', () => {
    const cache = parseCalibrationCache('TRT-1-A\nx: 3f800000\ny: 0\nother: 1', 'c');
    const seen = (...names: string[]) =>
      new Map(names.map((name) => [name, { name, min: -3, max: 5 } as TensorStatistics]));
    expect([...rangesFromCache(cache, seen('x', 'y'), 'c')]).toEqual([
      ['x', { amax: 127, min: -3, max: 5, calibrator: 'cache' }],
      ['y', { amax: 0, min: -3, max: 5, calibrator: 'cache' }],
    ]);
    expect(problems(() => rangesFromCache(cache, seen('x', 'z'), 'c'))).toEqual([
      'c: has no scale for tensor z, which is quantized (1 of 2 are missing)',
    ]);
  });
});
