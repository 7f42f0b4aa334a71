import { describe, expect, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { encodeModel, exposeOutputs, readModel } from '../../src/onnx/index.js';
import type { Report } from '../../src/report/index.js';
import { create } from '@bufbuild/protobuf';
import { StringStringEntryProtoSchema } from '../../src/onnx/generated/onnx_pb.js';
import { modelOf } from '../quantization/graphs.js';
import { makeProject, runDist, withFolder } from './child.js';

interface BadInput {
  readonly name: string;
  readonly change?: (settings: string) => string;
  readonly spoil?: (folder: string) => Promise<void>;
  readonly says: RegExp;
}

const truth =
  (edit: (coco: { images: object[]; annotations: object[]; categories: { name: string }[] }) => void) =>
  async (folder: string) => {
    const coco = JSON.parse(await readFile('fixtures/signs/val.json', 'utf8')) as Parameters<typeof edit>[0];
    edit(coco);
    await writeFile(join(folder, 'val.json'), JSON.stringify(coco));
  };
const ownTruth = (settings: string) => settings.replace(/annotations: .*/, 'annotations: val.json');

const BAD: readonly BadInput[] = [
  {
    name: 'a missing model',
    change: (s) => s.replace('model.onnx', 'gone.onnx'),
    says: /int8-gate\.yml:2:8 model: there is no file .*gone\.onnx/,
  },
  {
    name: 'a truncated model',
    spoil: async (folder) =>
      writeFile(
        join(folder, 'model.onnx'),
        (await readFile(join(folder, 'model.onnx'))).subarray(0, 1_000_000),
      ),
    says: /model\.onnx: is no ONNX model, or is cut short/,
  },
  {
    name: 'a file that is no ONNX',
    spoil: (folder) => writeFile(join(folder, 'model.onnx'), '<!DOCTYPE html>'),
    says: /model\.onnx: is no ONNX model/,
  },
  {
    name: 'a pointer of Git LFS',
    spoil: (folder) => writeFile(join(folder, 'model.onnx'), 'version https://git-lfs.github.com/spec/v1\n'),
    says: /model\.onnx: is a pointer of Git LFS.*\n.*git lfs pull.*lfs: true/,
  },
  {
    name: 'annotations without a box',
    change: ownTruth,
    spoil: truth((coco) => (coco.annotations = [])),
    says: /int8-gate\.yml:\d+:\d+ validation\.annotations: .*val\.json lists \d+ images and no box/,
  },
  {
    name: 'a model quantized dynamically',
    spoil: (folder) => cp('test/lint/golden/dynamic.onnx', join(folder, 'model.onnx')),
    says: /model\.onnx, node .*: the model is quantized already \(last written by onnx\.quantize 0\.1\.0\): it contains DynamicQuantizeLinear, of dynamic quantization/,
  },
  {
    name: 'a model of integer operators',
    spoil: (folder) => cp('test/lint/golden/operators.onnx', join(folder, 'model.onnx')),
    says: /model\.onnx, node .*: the model is quantized already .*: it contains QLinearConv, an integer operator/,
  },
  {
    name: 'a weight that is no number',
    spoil: async (folder) => {
      const { proto } = await readModel(join(folder, 'model.onnx'));
      const weights = proto.graph?.initializer.find(({ dims }) => dims.length === 4);
      weights?.rawData.fill(255, 40, 44);
      await writeFile(join(folder, 'model.onnx'), encodeModel(proto));
    },
    says: /weights .* of \/.*Conv: 1 of \d+ values is not finite; element 10 is NaN/,
  },
  {
    name: 'a model without a layer that INT8 speeds up',
    spoil: (folder) =>
      writeFile(
        join(folder, 'model.onnx'),
        encodeModel(
          modelOf({ inputs: { images: [1, 3, 8, 8] }, outputs: ['y'], nodes: ['y = Relu(images)'] }).proto,
        ),
      ),
    says: /model\.onnx: has nothing to quantize: no Conv, ConvTranspose, Gemm or MatMul among its operators \(Relu\)/,
  },
  {
    name: 'weights in a file of their own that is missing',
    spoil: async (folder) => {
      const { proto } = await readModel(join(folder, 'model.onnx'));
      const weights = proto.graph?.initializer.find(({ dims }) => dims.length === 4);
      if (weights === undefined) throw new Error('no weights');
      weights.rawData = new Uint8Array();
      weights.dataLocation = 1;
      weights.externalData = [create(StringStringEntryProtoSchema, { key: 'location', value: 'gone.bin' })];
      await writeFile(join(folder, 'model.onnx'), encodeModel(proto));
    },
    says: /model\.onnx, external data gone\.bin: the file of weights is missing/,
  },
  {
    name: 'an image that is none',
    spoil: (folder) => writeFile(join(folder, 'calib', '300000.jpg'), 'no jpeg'),
    says: /300000\.jpg: is no image that can be read|is no JPEG/,
  },
  {
    name: 'an empty calibration folder',
    change: (s) => s.replace('images: calib', 'images: empty'),
    spoil: async (folder) => void (await mkdir(join(folder, 'empty'))),
    says: /empty: holds no image/,
  },
  {
    name: 'an annotation for a missing image',
    change: ownTruth,
    spoil: truth((coco) =>
      coco.annotations.push({
        id: 9999,
        image_id: 77,
        category_id: 1,
        bbox: [0, 0, 9, 9],
        area: 81,
        iscrowd: 0,
      }),
    ),
    says: /annotations\[\d+\].*image_id/,
  },
  {
    name: 'a category that the model does not know',
    change: ownTruth,
    spoil: truth((coco) => {
      (coco.categories[0] as { name: string }).name = 'zeppelin';
    }),
    says: /no class called "zeppelin"/,
  },
  {
    name: 'a decoder that does not fit',
    change: (s) => `${s}decoder: { format: yolox }\n`,
    says: /output0: float32\[\?, 100, 6\].*do not have the layout of yolox/,
  },
  {
    name: 'a model that answers NaN',
    change: (s) => `${s}preprocessing: { scale: 1.0e+38 }\n`,
    says: /FP32, \d+\.jpg, output output0: the model answers (NaN|Infinity)/,
  },
  {
    name: 'an unknown threshold',
    change: (s) => s.replace('mAP50-95', 'mAP50-96'),
    says: /int8-gate\.yml:11:5 gate\.thresholds\.mAP50-96: unknown key, did you mean "mAP50-95"\?/,
  },
  {
    name: 'a plan with an unknown layer',
    change: (s) => `${s}quantization: { plan: plan.json }\n`,
    spoil: (folder) =>
      writeFile(
        join(folder, 'plan.json'),
        '{"version":1,"operators":"tensorrt","default":"int8","layers":{"/b0/conv/Con":"fp16"}}',
      ),
    says: /Did you mean "\/b0\/conv\/Conv"/,
  },
];

describe('bad input ends with status 2, one clear message and no report', () => {
  test.each(BAD)('$name', async ({ change, spoil, says }) => {
    await withFolder(async (folder) => {
      await makeProject(folder, change);
      await spoil?.(folder);
      const { status, stdout, stderr } = await runDist('cli.js', ['run', '--out', 'report'], { cwd: folder });
      expect(stderr).toMatch(says);
      expect(stderr).not.toMatch(/\n\s+at /);
      expect(status).toBe(2);
      expect(stdout).toBe('');
      expect(existsSync(join(folder, 'report', 'report.json'))).toBe(false);
    });
  });

  test('an output folder that cannot be written', () =>
    withFolder(async (folder) => {
      await makeProject(folder);
      await writeFile(join(folder, 'taken'), '');
      const { status, stderr } = await runDist('cli.js', ['run', '--out', 'taken/report'], { cwd: folder });
      expect(stderr).toMatch(/taken\/report: the report cannot be written there/);
      expect(status).toBe(2);
    }));

  test('a folder that holds something else is not overwritten', () =>
    withFolder(async (folder) => {
      await makeProject(folder);
      const { status, stderr } = await runDist('cli.js', ['run', '--out', 'calib'], { cwd: folder });
      expect(stderr).toMatch(/calib: holds files that are not a report/);
      expect(status).toBe(2);
      expect(await readdir(join(folder, 'calib'))).toHaveLength(8);
    }));
});

describe('int8-gate run', () => {
  test('takes calibration images of other sizes and outputs that nobody reads, and says which output it read', () =>
    withFolder(async (folder) => {
      await makeProject(folder);
      await cp('fixtures/signs/calib/300001.jpg', join(folder, 'calib', 'a.jpg'));
      await sharp('fixtures/signs/calib/300001.jpg')
        .resize(417, 100)
        .toFile(join(folder, 'calib', 'wide.png'));
      const { proto } = await readModel(join(folder, 'model.onnx'));
      await writeFile(
        join(folder, 'model.onnx'),
        encodeModel(exposeOutputs(proto, ['/b4/cv2/act/Mul_output_0', '/b0/conv/Conv_output_0'])),
      );
      const { status, stdout, stderr } = await runDist('cli.js', ['run', '--json'], { cwd: folder });
      expect(stderr).not.toMatch(/int8-gate:/);
      expect(status).toBe(0);
      const report = JSON.parse(stdout) as Report;
      expect(report.decoder.why.join()).toMatch(/nobody reads \/b4\/cv2\/act\/Mul_output_0, \/b0\/conv/);
      expect(report.data.calibration.images).toBe(10);
      expect(report.variants.fp32.stats.AP).toBeGreaterThan(0.8);
    }));

  test('passes, prints the table and writes the report; --json prints the report alone', () =>
    withFolder(async (folder) => {
      await makeProject(folder);
      const { status, stdout } = await runDist('cli.js', ['run'], { cwd: folder });
      expect(status).toBe(0);
      expect(stdout).toMatch(/FP32 +0\.\d{3}/);
      expect(stdout).toMatch(/PASS/);
      const written: unknown = JSON.parse(
        await readFile(join(folder, 'int8-gate-report', 'report.json'), 'utf8'),
      );
      expect(written).toMatchObject({ schema: 'int8-gate/report', version: 1, verdict: { kind: 'pass' } });
      const json = await runDist('cli.js', ['run', '--json'], { cwd: folder });
      expect(JSON.parse(json.stdout)).toMatchObject({ schema: 'int8-gate/report' });
    }));

  test('a threshold that does not hold ends with status 1 and a report', () =>
    withFolder(async (folder) => {
      await makeProject(folder, (s) => s.replace('min: 0.5', 'min: 0.999'));
      const { status, stdout } = await runDist('cli.js', ['run'], { cwd: folder });
      expect(status).toBe(1);
      expect(stdout).toMatch(/FAIL/);
      expect(existsSync(join(folder, 'int8-gate-report', 'report.json'))).toBe(true);
    }));

  test('Ctrl-C ends with status 130 and leaves nothing half written', () =>
    withFolder(async (folder) => {
      await makeProject(folder, (s) => s.replace('limit: 12', 'limit: 200'));
      const { status, stderr } = await runDist('cli.js', ['run'], {
        cwd: folder,
        interruptAt: /Evaluating FP32/,
      });
      expect(stderr).toMatch(/interrupted/);
      expect(status).toBe(130);
      expect(existsSync(join(folder, 'int8-gate-report', 'report.json'))).toBe(false);
      expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    }));
});

describe('the other commands', () => {
  test(
    'init writes settings that run takes',
    () =>
      withFolder(async (folder) => {
        await makeProject(folder);
        const args = [
          'init',
          '--config',
          'made.yml',
          '--images',
          join(process.cwd(), 'fixtures/signs/val'),
          '--annotations',
          join(process.cwd(), 'fixtures/signs/val.json'),
        ];
        const { status, stdout } = await runDist('cli.js', args, { cwd: folder });
        expect(stdout).toMatch(/decoder yolov10/);
        expect(status).toBe(0);
        const text = await readFile(join(folder, 'made.yml'), 'utf8');
        await writeFile(
          join(folder, 'made.yml'),
          text
            .replace('annotations:', 'limit: 4\n  annotations:')
            .concat('sensitivity: { enabled: false }\n'),
        );
        const ran = await runDist('cli.js', ['run', '--config', 'made.yml'], { cwd: folder });
        expect([0, 1]).toContain(ran.status);
        expect((await runDist('cli.js', args, { cwd: folder })).stderr).toMatch(/made\.yml: exists already/);
      }),
    300_000,
  );

  test('doctor names what is here', async () => {
    const { status, stdout } = await runDist('cli.js', ['doctor', '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual(
      expect.arrayContaining([expect.objectContaining({ what: 'onnxruntime-node', state: 'ok' })]),
    );
  });

  test('evaluate reads COCO files by itself; --json faults are JSON', () =>
    withFolder(async (folder) => {
      const coco = JSON.parse(await readFile('fixtures/signs/val.json', 'utf8')) as {
        annotations: { image_id: number; category_id: number; bbox: number[] }[];
      };
      const perfect = coco.annotations.map(({ image_id, category_id, bbox }) => ({
        image_id,
        category_id,
        bbox,
        score: 0.9,
      }));
      await writeFile(join(folder, 'dt.json'), JSON.stringify(perfect));
      const args = ['evaluate', '--ground-truth', 'fixtures/signs/val.json', '--json', '--detections'];
      const good = await runDist('cli.js', [...args, join(folder, 'dt.json')]);
      expect((JSON.parse(good.stdout) as { AP: number }).AP).toBeCloseTo(1, 9);
      await writeFile(join(folder, 'dt.json'), JSON.stringify([{ ...perfect[0], score: 'high' }]));
      const bad = await runDist('cli.js', [...args, join(folder, 'dt.json')]);
      expect(bad.status).toBe(2);
      expect(JSON.parse(bad.stdout)).toMatchObject({ error: { exitStatus: 2 } });
    }));
});
