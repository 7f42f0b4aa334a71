import { describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputFault } from '../../src/faults/index.js';
import { loadSettings, parseSettings } from '../../src/settings/index.js';

const GOOD = `version: 1
model: model.onnx
validation:
  images: val
  annotations: val.json
calibration:
  images: calib
gate:
  thresholds:
    mAP50-95: { maxDrop: 0.01 }
`;

const messages = (text: string): string[] => {
  try {
    parseSettings(text, '/project/int8-gate.yml');
    return [];
  } catch (error) {
    if (!(error instanceof InputFault)) throw error;
    return error.problems.map(({ where, what }) => `${where}: ${what}`);
  }
};
const replaced = (from: string, to: string): string => {
  expect(GOOD).toContain(from);
  return GOOD.replace(from, to);
};

test('good settings get every default and absolute paths', () => {
  const { settings, place } = parseSettings(GOOD, '/project/int8-gate.yml');
  expect(settings.model).toBe('/project/model.onnx');
  expect(settings.quantization).toEqual({
    operators: 'tensorrt',
    flavour: 'weak',
    biasCorrection: 'auto',
    equalization: 'auto',
    keepFloat: [],
  });
  expect(settings.calibration).toEqual({
    images: '/project/calib',
    calibrator: 'percentile',
    percentile: 99.999,
    batch: 1,
  });
  expect(settings.gate).toMatchObject({
    candidate: 'mixed',
    confidence: 0.95,
    resamples: 1000,
    inconclusive: 'fail',
    seed: 1,
  });
  expect(settings.sensitivity).toEqual({
    enabled: true,
    images: 32,
    calibrators: ['minmax', 'entropy', 'percentile:99.99', 'mse'],
    always: false,
  });
  expect(place('/calibration/images')).toBe('int8-gate.yml:7:11 calibration.images');
});

describe('mistakes', () => {
  test.each<[string, string, string[]]>([
    [
      'a word for a number',
      replaced('images: calib', 'images: calib\n  count: many'),
      ['int8-gate.yml:8:10 calibration.count: must be a positive whole number, is "many"'],
    ],
    [
      'an unknown key',
      replaced('calibration:', 'calibraton:'),
      [
        'int8-gate.yml:1:1 calibration: is missing: The images that ranges are taken from, and how',
        'int8-gate.yml:6:1 calibraton: unknown key, did you mean "calibration"?',
      ],
    ],
    [
      'an unknown key inside',
      replaced('images: calib', 'images: calib\n  calibrater: minmax'),
      ['int8-gate.yml:8:3 calibration.calibrater: unknown key, did you mean "calibrator"?'],
    ],
    [
      'a value that is none of the known',
      replaced('images: calib', 'images: calib\n  calibrator: max'),
      [
        'int8-gate.yml:8:15 calibration.calibrator: must be one of minmax, average, percentile, entropy, mse, best, is "max"',
      ],
    ],
    [
      'a missing section',
      replaced('calibration:\n  images: calib\n', ''),
      ['int8-gate.yml:1:1 calibration: is missing: The images that ranges are taken from, and how'],
    ],
    [
      'an unknown threshold',
      replaced('mAP50-95:', 'mAP:'),
      ['int8-gate.yml:10:5 gate.thresholds.mAP: unknown key, did you mean "mAP50"?'],
    ],
    [
      'no threshold',
      replaced('    mAP50-95: { maxDrop: 0.01 }\n', '    {}\n'),
      [
        'int8-gate.yml:10:5 gate.thresholds: is empty: name at least one limit, for example `mAP50-95: { maxDrop: 0.01 }`',
      ],
    ],
    [
      'a limit that is none',
      replaced('{ maxDrop: 0.01 }', '{ maxDrop: 5 }'),
      [
        'int8-gate.yml:10:26 gate.thresholds.mAP50-95.maxDrop: must be a number at least 0 and at most 1, is 5',
      ],
    ],
    [
      'calibrators that are none',
      `${GOOD}sensitivity: { calibrators: [mse, entropi, 'percentile:0.0', 'percentile:150', 'percentile:9.9.9'] }\n`,
      ['entropi', 'percentile:0.0', 'percentile:150', 'percentile:9.9.9'].map(
        (word, i) =>
          `int8-gate.yml:11:${[35, 44, 62, 80][i]} sensitivity.calibrators[${i + 1}]: must be a text like minmax or average or entropy or mse or percentile:99.99, is "${word}"`,
      ),
    ],
    [
      'a calibrator twice',
      `${GOOD}sensitivity: { calibrators: [mse, mse] }\n`,
      [
        'int8-gate.yml:11:29 sensitivity.calibrators: must be a list in which nothing stands twice, is ["mse","mse"]',
      ],
    ],
    [
      'a section that limits nothing',
      replaced('mAP50-95: { maxDrop: 0.01 }', 'classAP: { minBoxes: 5 }'),
      ['int8-gate.yml:10:14 gate.thresholds.classAP: limits nothing: give min or maxDrop or maxDropRelative'],
    ],
    [
      'a limit that nothing can exceed',
      replaced('mAP50-95: { maxDrop: 0.01 }', 'latencyMs: { max: .inf }'),
      ['int8-gate.yml:10:23 gate.thresholds.latencyMs.max: must be a number, is Infinity'],
    ],
    [
      'a limit that is not a number',
      replaced('mAP50-95: { maxDrop: 0.01 }', 'sqnr: { min: .nan }'),
      ['int8-gate.yml:10:18 gate.thresholds.sqnr.min: must be a number, is NaN'],
    ],
    [
      'a misspelt word where a section or a word may stand',
      `${GOOD}quantization:\n  operators: tensort\n`,
      ['int8-gate.yml:12:14 quantization.operators: must be tensorrt, all or a list, is "tensort"'],
    ],
    [
      'a number where a section may stand',
      `${GOOD}decoder: 5\n`,
      ['int8-gate.yml:11:10 decoder: must be "auto" or a section of keys, is 5'],
    ],
    [
      'a mistake inside the section meant',
      `${GOOD}decoder: { format: yolov10, confidence: 7 }\n`,
      ['int8-gate.yml:11:41 decoder.confidence: must be a number at least 0 and at most 1, is 7'],
    ],
    [
      'several at once, in order of lines',
      replaced('version: 1', 'version: 2').replace('images: calib', 'images: 7'),
      [
        'int8-gate.yml:1:10 version: must be 1, is 2',
        'int8-gate.yml:7:11 calibration.images: must be a text, is 7',
      ],
    ],
    ['a key twice', `${GOOD}model: other.onnx\n`, ['int8-gate.yml:11:1: Map keys must be unique']],
  ])('%s', (_, text, expected) => expect(messages(text)).toEqual(expected));

  test('YAML that does not parse is named with its place', () => {
    expect(messages('version: 1\nmodel: [a, b\n')[0]).toMatch(/^int8-gate\.yml:\d+:\d+: /);
  });

  test('a file that is no text is not quoted', () => {
    expect(messages('\b\u0000model')).toEqual(['int8-gate.yml: is no text file']);
  });

  test('aliases that expand without end are refused', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefgh'.split('').map((key, i) => `${key}: &${key} [${`*${'abcdefg'[i]},`.repeat(9)}]`),
    ].join('\n');
    expect(messages(bomb)).toEqual(['int8-gate.yml: has aliases that expand without end']);
  });

  test('a missing file says how to make one', async () => {
    await expect(loadSettings('no-such.yml')).rejects.toThrow(
      /no-such\.yml: there is no such settings file\n.*int8-gate init/,
    );
  });

  test('a folder is not called a missing file', async () => {
    await expect(loadSettings('src')).rejects.toThrow(/^src: is a folder, expected a settings file/);
  });

  test('inputs that are not there, or are of the other kind, are all named with their places', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'int8-gate-settings-'));
    try {
      await writeFile(join(folder, 'int8-gate.yml'), GOOD);
      await writeFile(join(folder, 'val'), '');
      await mkdir(join(folder, 'model.onnx'));
      await mkdir(join(folder, 'calib'));
      const fault: unknown = await loadSettings(join(folder, 'int8-gate.yml')).catch(
        (error: unknown) => error,
      );
      expect((fault as InputFault).problems.map(({ where, what }) => `${where}: ${what}`)).toEqual([
        `int8-gate.yml:2:8 model: ${folder}/model.onnx is a folder, expected a file`,
        `int8-gate.yml:4:11 validation.images: ${folder}/val is a file, expected a folder`,
        `int8-gate.yml:5:16 validation.annotations: there is no file or folder ${folder}/val.json`,
      ]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('classAP with a limit keeps its default of boxes', () => {
    const text = replaced('mAP50-95: { maxDrop: 0.01 }', 'classAP: { maxDrop: 0.1 }');
    expect(parseSettings(text, '/project/int8-gate.yml').settings.gate.thresholds.classAP).toEqual({
      maxDrop: 0.1,
      minBoxes: 20,
    });
  });
});
