/**
 * Causes in the signs detector, each planted in its weights, images or settings, through the whole job as a user runs it;
 * and none of them where all is well. Made-up numbers for single rules are in test/diagnosis.
 */
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import sharp from 'sharp';
import type { GraphProto } from '../../src/onnx/generated/onnx_pb.js';
import { encodeModel, floatsToTensor, readModel, tensorToFloats } from '../../src/onnx/index.js';
import type { Report } from '../../src/report/index.js';
import { SIGNS, runDist, withFolder } from '../commands/child.js';

interface Scenario {
  readonly when: string;
  readonly settings?: string;
  readonly calibration?: string;
  readonly images?: string;
  readonly plant?: (graph: GraphProto) => void;
  readonly add?: (folder: string) => Promise<void>;
  /** Severity and kind of all findings but those that are `info`, and words of their sentences. */
  readonly finds: readonly (readonly [finding: string, says: RegExp])[];
}

async function findingsOf({ settings = '', calibration = '', images = 'calib', plant, add }: Scenario) {
  return withFolder(async (folder) => {
    const { proto } = await readModel(join(SIGNS, 'models', 'signs-v10.onnx'));
    plant?.(proto.graph as GraphProto);
    await writeFile(join(folder, 'model.onnx'), encodeModel(proto));
    await mkdir(join(folder, 'calib'));
    const all = (await readdir(join(SIGNS, images))).sort().filter((_, i) => i % 3 === 0);
    for (const name of all) await cp(join(SIGNS, images, name), join(folder, 'calib', name));
    await add?.(join(folder, 'calib'));
    await writeFile(
      join(folder, 'int8-gate.yml'),
      `version: 1
model: model.onnx
validation: { images: ${join(SIGNS, 'val')}, annotations: ${join(SIGNS, 'val.json')}, limit: 24 }
calibration: { images: calib, ${calibration} }
gate: { candidate: int8, thresholds: { mAP50-95: { min: 0 } }, resamples: 100 }
sensitivity: { enabled: false, images: 24 }
report: { keepModels: false }
${settings.includes('quantization') ? settings : `quantization: { biasCorrection: off, equalization: off }\n${settings}`}
`,
    );
    const { stdout, stderr } = await runDist('cli.js', ['run', '--json'], { cwd: folder });
    if (stdout === '') throw new Error(stderr);
    return (JSON.parse(stdout) as Report).findings;
  });
}

function edit(graph: GraphProto, name: string, change: (values: Float32Array, dims: number[]) => void): void {
  const at = graph.initializer.findIndex((tensor) => tensor.name === name);
  const tensor = graph.initializer[at];
  if (tensor === undefined) throw new Error(`no weights ${name}`);
  const [values, dims] = [tensorToFloats(tensor), tensor.dims.map(Number)];
  change(values, dims);
  graph.initializer[at] = floatsToTensor(name, dims, values);
}

const [FIRST, FIRST_BIAS, SECOND] = ['onnx::Conv_1158', 'onnx::Conv_1159', 'onnx::Conv_1161'];

/** Channel 0 behind the first convolution grows, and the second divides it again: FP32 answers nearly the same. */
function lift(graph: GraphProto, factor: number): void {
  edit(graph, FIRST, (values) => {
    for (let i = 0; i < 27; i++) values[i] = (values[i] as number) * factor;
  });
  edit(graph, FIRST_BIAS, (values) => {
    values[0] = (values[0] as number) * factor;
  });
  edit(graph, SECOND, (values, [outputs = 0, inputs = 0]) => {
    for (let o = 0; o < outputs; o++)
      for (let i = 0; i < 9; i++)
        values[o * inputs * 9 + i] = (values[o * inputs * 9 + i] as number) / factor;
  });
}

/** Black and white pixels by chance: nothing that a camera sees. */
async function addNoise(folder: string): Promise<void> {
  const [width, height] = [192, 192];
  let state = 1;
  const pixels = Uint8Array.from({ length: width * height * 3 }, () => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return (state >> 16) & 1 ? 255 : 0;
  });
  await sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(join(folder, 'noise.png'));
}

const SCENARIOS: readonly Scenario[] = [
  { when: 'all is well', finds: [] },
  {
    when: 'pixels are not divided by 255',
    settings: 'preprocessing: { resize: letterbox, scale: 1 }',
    finds: [
      ['error preprocessing', /with scale: 0\.00392156862745098 FP32 itself rises from 0\.0\d+ to 0\.9/],
    ],
  },
  {
    when: 'calibration shows nights alone',
    images: 'calib-night',
    finds: [
      [
        'error one-sided-calibration',
        /brightness of \d\d \(0…255\), validation images of 1\d\d: the lighting/,
      ],
    ],
  },
  {
    when: 'there are eight calibration images',
    calibration: 'count: 8',
    finds: [['warning few-calibration-images', /^Only 8 calibration images.* rose by/]],
  },
  {
    when: 'one calibration image is noise',
    add: addNoise,
    finds: [
      [
        'warning range-outlier',
        /^One calibration image, noise\.png, alone sets the range of \d+ of \d+ tensors/,
      ],
    ],
  },
  {
    when: 'the calibrator clips a tenth of all values',
    calibration: 'calibrator: percentile, percentile: 90',
    finds: [
      ['error nothing-detected', /where FP32 finds/],
      ['error saturation', /^percentile 90 clips 10 % of the values of .*Tried on the whole model/],
    ],
  },
  {
    when: 'everything is quantized, boxes and scores under one scale',
    settings: 'quantization: { operators: all, biasCorrection: off, equalization: off }',
    finds: [
      ['error shared-scale', /joins boxes .* and scores .*: every one of the scores rounds to 0/],
      ['error nothing-detected', /where FP32 finds/],
    ],
  },
  {
    when: 'one channel is 100,000 times as large as the others',
    plant: (graph) => lift(graph, 1e5),
    finds: [
      ['warning fp16-overflow', /^\/b0\/act\/Mul_output_0 reaches \d+; FP16 ends at 65504/],
      ['warning unequal-channels', /^\/b1\/conv\/Conv reads \/b0\/act\/Mul_output_0, .*15 of 16 channels/],
      [
        'warning one-sided-range',
        /negative side of SiLU \(down to −0\.278\) rounds to 0 in \/b0\/act\/Mul_output_0/,
      ],
    ],
  },
  {
    when: 'two channels are dead',
    plant: (graph) => {
      edit(graph, FIRST, (values) => values.fill(0, 0, 54));
      edit(graph, FIRST_BIAS, (values) => values.fill(0, 0, 2));
    },
    finds: [
      ['info dead-channels', /^2 of 16 channels of \/b0\/act\/Mul_output_0 are 0 on every calibration image/],
    ],
  },
];

/** What would be a false alarm where all is well. */
const grave = (findings: Report['findings']) =>
  findings.filter(({ severity, kind }) => severity !== 'info' || kind === 'dead-channels');

test.each(SCENARIOS)('when $when', async (scenario) => {
  const findings = await findingsOf(scenario);
  const said = grave(findings).map(({ severity, kind }) => `${severity} ${kind}`);
  if (scenario.finds.length === 0) expect(said).toEqual([]);
  for (const [finding, says] of scenario.finds) {
    const found = findings.filter(({ severity, kind }) => `${severity} ${kind}` === finding);
    expect(said).toContain(finding);
    expect(found.map(({ sentence }) => sentence).join('\n')).toMatch(new RegExp(says.source, 'm'));
  }
});
