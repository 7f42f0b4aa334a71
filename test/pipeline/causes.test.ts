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
  /** What cameras make of every scene, of calibration and validation. */
  readonly paint?: Pixels;
  readonly add?: (folder: string) => Promise<void>;
  /** Severity and kind of all findings but those that are `info`, and words of their sentences. */
  readonly finds: readonly (readonly [finding: string, says: RegExp])[];
}

async function findingsOf({
  settings = '',
  calibration = '',
  images = 'calib',
  plant,
  paint,
  add,
}: Scenario) {
  return withFolder(async (folder) => {
    const { proto } = await readModel(join(SIGNS, 'models', 'signs-v10.onnx'));
    plant?.(proto.graph as GraphProto);
    await writeFile(join(folder, 'model.onnx'), encodeModel(proto));
    await repaint(join(SIGNS, images), join(folder, 'calib'), paint, 3);
    if (paint !== undefined) await repaint(join(SIGNS, 'val'), join(folder, 'val'), paint);
    await add?.(join(folder, 'calib'));
    await writeFile(
      join(folder, 'int8-gate.yml'),
      `version: 1
model: model.onnx
validation: { images: ${paint === undefined ? join(SIGNS, 'val') : 'val'}, annotations: ${join(SIGNS, 'val.json')}, limit: 24 }
calibration: { images: calib, ${calibration} }
gate: { candidate: int8, thresholds: { mAP50-95: { min: 0 } }, resamples: 100 }
sensitivity: { enabled: false, images: 24 }
report: { keepModels: false, images: 0, audit: false }
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

type Pixels = (data: Buffer) => void;

/** Images from one folder to another, their pixels (RGB, 8 bits) changed. */
async function repaint(from: string, to: string, change: Pixels | undefined, every = 1): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of (await readdir(from)).sort().filter((_, i) => i % every === 0)) {
    if (change === undefined) {
      await cp(join(from, name), join(to, name));
      continue;
    }
    const { data, info } = await sharp(join(from, name)).raw().toBuffer({ resolveWithObject: true });
    change(data);
    await sharp(data, { raw: { ...info, channels: 3 } })
      .jpeg({ quality: 95, chromaSubsampling: '4:4:4' })
      .toFile(join(to, name));
  }
}

/** All signs are known by their shape: to make the order of colours matter, red keeps the picture and blue loses it. */
const redOnly: Pixels = (data) => {
  for (let i = 2; i < data.length; i += 3) data[i] = 40;
};
const swapped: Pixels = (data) => {
  for (let i = 0; i < data.length; i += 3)
    [data[i], data[i + 2]] = [data[i + 2] as number, data[i] as number];
};
const faint: Pixels = (data) => {
  for (let i = 0; i < data.length; i++) data[i] = 114 + ((data[i] as number) - 114) / 10;
};

/** A detector that looks at red alone. */
function readRed(graph: GraphProto): void {
  edit(graph, FIRST, (values, [outputs = 0]) => {
    for (let o = 0; o < outputs; o++)
      for (let k = 0; k < 9; k++) {
        const at = o * 27 + k;
        values[at] = (values[at] as number) + (values[at + 9] as number) + (values[at + 18] as number);
        values.fill(0, at + 9, at + 10).fill(0, at + 18, at + 19);
      }
  });
}

/** Black and white pixels by chance: nothing that a camera sees. */
async function addNoise(folder: string, seed = 1): Promise<void> {
  const [width, height] = [192, 192];
  let state = seed;
  const pixels = Uint8Array.from({ length: width * height * 3 }, () => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return (state >> 16) & 1 ? 255 : 0;
  });
  await sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(join(folder, seed === 1 ? 'noise.png' : `noise-${seed}.png`));
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
    when: 'red and blue are swapped on the way into the model',
    settings: 'preprocessing: { color: bgr }',
    paint: redOnly,
    plant: readRed,
    finds: [['error preprocessing', /with color: rgb FP32 itself rises from 0\.[0-2]\d+ to 0\.[5-9]/]],
  },
  {
    when: 'the calibration images were saved with red and blue swapped',
    paint: redOnly,
    plant: readRed,
    add: (folder) => repaint(folder, folder, swapped),
    finds: [['warning preprocessing', /^Red and blue look swapped in the calibration images/]],
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
    add: (folder) => addNoise(folder),
    finds: [
      [
        'warning range-outlier',
        /^One calibration image, noise\.png, alone sets the range of \d+ of \d+ tensors.* Tried: without it the head's SQNR goes from 1\d\.\d dB to [12]\d\.\d dB\./,
      ],
    ],
  },
  {
    when: 'two calibration images are unlike all others',
    add: async (folder) => {
      await repaint(folder, folder, faint);
      await addNoise(folder, 1);
      await addNoise(folder, 2);
    },
    finds: [
      ['warning growing-ranges', /^The ranges are not settled with 45 calibration images\. From 22 to 45 of/],
    ],
  },
  {
    when: 'weights are huge on an input channel that carries next to nothing',
    plant: (graph) => lift(graph, 1e-4),
    finds: [
      [
        'warning weight-range',
        /^INT8 keeps the weights of \/b1\/conv\/Conv at .* dB only, counted by what they multiply: its largest \(up to \d+\) multiply input channels that hardly carry anything.* Tried: with \/b1\/conv\/Conv in float the head's SQNR goes from \d\.\d dB to 2\d\.\d dB\. Tried: with the weights of those channels at 0 it goes to -?\d+\.\d dB\./,
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
      [
        'error shared-scale',
        /joins boxes .* and scores .*: every one of the scores rounds to 0.* Tried: with quantization\.operators: tensorrt mAP50-95 on 24 validation images goes from 0\.000 to 0\.[89]/,
      ],
      ['error nothing-detected', /where FP32 finds/],
    ],
  },
  {
    when: 'one channel is 100,000 times as large as the others',
    plant: (graph) => lift(graph, 1e5),
    finds: [
      ['warning fp16-overflow', /^\/b0\/act\/Mul_output_0 reaches \d+; FP16 ends at 65504/],
      [
        'warning unequal-channels',
        /^\/b1\/conv\/Conv reads \/b0\/act\/Mul_output_0, .*15 of 16 channels.* Tried: with \/b1\/conv\/Conv in float the head's SQNR goes from \d\.\d dB to 2\d\.\d dB/,
      ],
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
