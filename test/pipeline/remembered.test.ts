import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DetectionTable } from '../../src/dataset/index.js';
import { encodeModel, readModel } from '../../src/onnx/index.js';
import { detect, modelOf } from '../../src/pipeline/detect.js';
import { feedOf, type Bench } from '../../src/pipeline/prepare.js';
import { detectKnown } from '../../src/pipeline/remembered.js';
import { withBench } from '../../src/pipeline/run.js';
import { loadSettings } from '../../src/settings/index.js';

const IMAGES = 14;
const LIVE = 8;

let folder: string;
let said: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'remembered-'));
  await cp('fixtures/signs/val', join(folder, 'val'), { recursive: true });
  await cp('fixtures/signs/val.json', join(folder, 'val.json'));
  await cp('fixtures/signs/models/signs-v10.onnx', join(folder, 'model.onnx'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Run {
  readonly table: DetectionTable;
  readonly ran: number;
  readonly remembered: boolean;
  /** Measured without any memory. */
  readonly plain: DetectionTable;
  readonly files: readonly string[];
}

/** Detects on a bench of its own, as another process would; counts the images that are run. */
async function run(more = '', thresholds = 'mAP50: { min: 0.1 }'): Promise<Run> {
  said = [];
  const file = join(folder, 'settings.yml');
  await writeFile(
    file,
    `version: 1
model: model.onnx
validation: { images: val, annotations: val.json, limit: ${IMAGES} }
calibration: { images: val }
gate: { thresholds: { ${thresholds} } }
cache: { folder: cache }
${more}`,
  );
  const progress = {
    phase: (title: string) => said.push(title),
    update: () => undefined,
    end: () => undefined,
  };
  const context = { signal: new AbortController().signal, out: folder, progress };
  return withBench(await loadSettings(file), context, async (bench: Bench) => {
    const session = await bench.engine.load(modelOf(bench, 'FP32', bench.bytes));
    let ran = 0;
    const counting = {
      ...session,
      latency: () => session.latency(),
      release: () => session.release(),
      run: (...[feed, ...rest]: Parameters<typeof session.run>) => {
        ran += feed.count;
        return session.run(feed, ...rest);
      },
    };
    const { detections: table, remembered } = await detectKnown(bench, counting, 'FP32', bench.bytes);
    const plain = await detect(bench, session, 'FP32', feedOf(bench, bench.validation));
    return { table, remembered, ran, plain, files: bench.validation.records.map(({ file }) => file) };
  });
}

const NIGHT = 'preprocessing: { pad: 90 }';

describe('detections of a former run', () => {
  // Steps of one story: each begins with what those before left behind.
  const expectRun = async (ran: number, ...how: Parameters<typeof run>): Promise<void> => {
    const result = await run(...how);
    expect(result.table).toEqual(result.plain);
    expect(result.ran).toBe(ran);
    expect(result.remembered).toBe(ran === LIVE);
  };
  test('are none at first, and then all but the few that are compared', async () => {
    await expectRun(IMAGES);
    await expectRun(LIVE);
    expect(said).toContainEqual(expect.stringContaining(`resumed, ${IMAGES} of ${IMAGES} images known`));
  });

  test('do not hold for an image that changed, and for it alone', async () => {
    const { files } = await run();
    const [a, b] = files.slice(-2) as [string, string];
    const [contentA, contentB] = [await readFile(a), await readFile(b)];
    await writeFile(a, contentB);
    await writeFile(b, contentA);
    // Contents count, not names: both are known, each under the other's.
    await expectRun(LIVE);
    await writeFile(b, await readFile(files[0] as string));
    await rm(join(folder, 'cache'), { recursive: true });
    await expectRun(IMAGES);
    await writeFile(a, contentA);
    await expectRun(LIVE + 1);
    await expectRun(LIVE);
  });

  test.each([
    ['preprocessing', NIGHT],
    ['decoder', 'decoder: { confidence: 0.3 }'],
    ['batch', 'engine: { batch: 2 }'],
  ])('do not hold for another %s', async (_what, more) => {
    await expectRun(IMAGES, more);
    await expectRun(LIVE, more);
  });

  test('do not hold for a model with one other weight', async () => {
    const file = join(folder, 'model.onnx');
    const before = await readFile(file);
    const model = await readModel(file);
    const weight = model.proto.graph?.initializer.find(({ rawData }) => rawData.length > 1000);
    const bytes = weight?.rawData as Uint8Array;
    bytes[3] = (bytes[3] as number) ^ 1;
    await writeFile(file, encodeModel(model.proto));
    await expectRun(IMAGES);
    await writeFile(file, before);
    await expectRun(LIVE);
  });

  test('are all measured again when latency is judged', async () => {
    await expectRun(LIVE);
    await expectRun(IMAGES, '', 'latencyMs: { max: 1000 }');
  });

  test('that do not hold although nothing says so are found out by the ones that are run', async () => {
    const cache = join(folder, 'cache');
    for (const name of await readdir(cache)) {
      const path = join(cache, name);
      const [header, ...lines] = (await readFile(path, 'utf8')).trimEnd().split('\n');
      // Records with the detections of their neighbours, checks in order.
      const records = lines.map((line) => JSON.parse(line.slice(17)) as [string, string]);
      const wrong = records.map(([key], i) => {
        const record = JSON.stringify([key, (records[(i + 1) % records.length] as [string, string])[1]]);
        return `${createHash('sha256').update(record).digest('hex').slice(0, 16)} ${record}`;
      });
      await writeFile(path, [header, ...wrong, ''].join('\n'));
    }
    await expectRun(IMAGES);
    expect(said).toContainEqual(expect.stringContaining('does not hold any more'));
    await expectRun(LIVE);
  });
});
