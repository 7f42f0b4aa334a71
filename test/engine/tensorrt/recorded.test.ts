import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { pickImages } from '../../../src/dataset/index.js';
import {
  createTensorRtEngine,
  type HostTensor,
  type LoadedModel,
  type Runner,
  type TensorRtEngine,
} from '../../../src/engine/index.js';
import { evaluateCoco, outputDistances } from '../../../src/evaluation/index.js';
import { detect, measure, modelOf } from '../../../src/pipeline/measure.js';
import { feedOf, prepare, type Bench } from '../../../src/pipeline/prepare.js';
import { loadSettings } from '../../../src/settings/index.js';

// What real engines of signs-v10 answered on an H100 (TensorRT 10.6 and 8.6), through the code that judges them.
let folder = '';
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'int8-gate-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

async function benchOf(limit?: number): Promise<Bench> {
  const signs = resolve('fixtures/signs');
  const path = join(folder, `${limit ?? 'all'}.yml`);
  await writeFile(
    path,
    `version: 1
model: ${signs}/models/signs-v10.onnx
validation: { images: ${signs}/val, annotations: ${signs}/val.json${limit === undefined ? '' : `, limit: ${limit}`} }
calibration: { images: ${signs}/calib }
gate: { thresholds: { mAP50-95: { maxDrop: 0.02 } } }
`,
  );
  return prepare(await loadSettings(path), {
    signal: new AbortController().signal,
    out: folder,
    progress: { phase: () => undefined, update: () => undefined, end: () => undefined },
  });
}

describe.each([
  ['TensorRT 10.6', 'signs10-run'],
  ['TensorRT 8.6', 'signs10-trt86'],
])('the FP32 and the FP16 engine of %s, by the transcript of their worker', (_library, transcript) => {
  let bench: Bench;
  let engine: TensorRtEngine;
  let simulated: Awaited<ReturnType<typeof measure>>;
  beforeAll(async () => {
    bench = await benchOf(40);
    simulated = await measure(bench, 'FP32', bench.bytes, 0);
    process.env.TRANSCRIPT = `test/engine/tensorrt/engines/${transcript}.transcript.gz`;
    engine = await createTensorRtEngine({
      python: process.execPath,
      script: 'test/engine/tensorrt/replay-worker.mjs',
      gpu: 0,
      batch: 20,
      optimizationLevel: 1,
      workspaceMiB: undefined,
      cache: join(folder, transcript),
      workspace: undefined,
      timeoutMs: 60_000,
      dla: undefined,
    });
  });
  afterAll(async () => {
    delete process.env.TRANSCRIPT;
    await engine.close();
  });

  test.each([
    ['fp32', { mAP: 0.0002, score: 0.0001 }],
    ['fp16', { mAP: 0.005, score: 0.02 }],
  ] as const)('%s detects what the embedded engine detects, and tells its times', async (precision, most) => {
    const session = await engine.load({ ...modelOf(bench, precision, bench.bytes), precision });
    const detections = await detect(bench, session, precision, feedOf(bench, bench.validation));
    const details = await session.details();
    await session.release();

    const { stats } = evaluateCoco(bench.truth, detections);
    const distances = outputDistances(simulated.detections, detections);
    expect(Math.abs(stats.AP - simulated.evaluation.stats.AP)).toBeLessThanOrEqual(most.mAP);
    expect(distances).toMatchObject({ detectionRatio: 1, unmatched: 0 });
    expect(Math.abs(distances.scoreShift)).toBeLessThan(most.score);
    expect(distances.boxShift).toBeLessThan(most.score);
    const { layers, ...told } = details;
    expect({
      mAP: Number(stats.AP.toFixed(4)),
      told,
      layers: layers?.length,
      int8: layers?.filter((layer) => layer.precision === 'int8').length,
      fp16: layers?.filter((layer) => layer.precision === 'fp16').length,
    }).toMatchSnapshot();
  });
});

describe('engines that run in INT8, by what they answered', () => {
  let bench: Bench;
  let fp32: ReturnType<typeof evaluateCoco>;
  const first = Array.from({ length: 100 }, (_, i) => i);
  beforeAll(async () => {
    bench = await benchOf();
    const session = await bench.engine.load(modelOf(bench, 'FP32', bench.bytes));
    const found = await detect(bench, session, 'FP32', feedOf(bench, bench.validation, first));
    await session.release();
    fp32 = evaluateCoco(pickImages(bench.truth, first), found);
  });

  test.each(['weak', 'strong', 'implicit'])('%s', async (flavour) => {
    const session = answering(bench.engine, `test/engine/tensorrt/engines/signs10-${flavour}.outputs.gz`);
    const found = await detect(bench, await session, flavour, feedOf(bench, bench.validation, first));
    const { stats } = evaluateCoco(pickImages(bench.truth, first), found);
    expect({ mAP: stats.AP.toFixed(4), found: found.count }).toMatchSnapshot();
    expect(fp32.stats.AP - stats.AP).toBeLessThan(0.02);
  });

  /** A model that answers what was recorded. */
  async function answering(engine: Runner, path: string): Promise<LoadedModel> {
    const bytes = gunzipSync(await readFile(path));
    const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const size = all.length / first.length;
    const spec = await engine.load(modelOf(bench, 'FP32', bench.bytes));
    return {
      inputs: spec.inputs,
      outputs: spec.outputs,
      async run(feed, onOutput) {
        for (let i = 0; i < feed.count; i++) {
          await feed.image(i);
          const data = all.subarray(i * size, (i + 1) * size);
          onOutput(
            i,
            new Map<string, HostTensor>([['output0', { type: 'float32', data, dims: [1, 100, 6] }]]),
          );
        }
      },
      latency: () => undefined,
      release: () => spec.release(),
    };
  }
});
