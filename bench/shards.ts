/**
 * What splitting a run costs and saves.
 *
 * `node bench/run.mjs shards`: at the size of COCO's validation set (5,000 images, 300 made-up detections each, FP32 and
 * INT8): writing 1 and 8 shards, reading them, joining, and evaluating; bytes of a shard.
 *
 * `node bench/run.mjs shards SETTINGS [IMAGES[,IMAGES…]] [N]`: runs of the settings on so many images, whole and as N
 * shards (default 4) one after another on this machine: seconds of the whole, of the slowest shard, of merge. Builds
 * nothing: dist/ must be there.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import {
  DetectionBuilder,
  detectionNumbers,
  pushNumbers,
  type DetectionTable,
} from '../src/dataset/index.js';
import {
  Recording,
  joinRecords,
  mine,
  readShard,
  writeShard,
  type ShardHeader,
} from '../src/shards/index.js';
import { packNumbers, unpackNumbers } from '../src/store/index.js';
import { keyOf } from '../src/store/index.js';

const IMAGES = 5000;
const BOXES = 300;

const seconds = async <T>(job: () => T | Promise<T>): Promise<[number, T]> => {
  const start = performance.now();
  const result = await job();
  return [(performance.now() - start) / 1000, result];
};

function header(index: number, count: number): ShardHeader {
  const digest = keyOf('bench');
  return {
    schema: 'int8-gate/shard',
    version: 1,
    shard: { index, count },
    tool: { version: 'bench', program: null },
    engine: { name: 'onnxruntime', version: 'bench' },
    machine: ['bench'],
    digests: { settings: digest, model: digest, validation: digest, calibration: digest, int8: digest },
    evaluated: IMAGES,
    ranked: 0,
  };
}

/** Float32 boxes and scores, as networks give them. */
function madeUp(image: number): DetectionTable {
  let state = image + 1;
  const random = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  const table = new DetectionBuilder();
  for (let i = 0; i < BOXES; i++) {
    const [x, y, w, h, score] = Array.from({ length: 5 }, () => Math.fround(random())) as [
      number,
      number,
      number,
      number,
      number,
    ];
    table.push(0, Math.floor(random() * 80), x * 640, y * 480, w * 200, h * 200, score ** 4);
  }
  return table.finish();
}

async function synthetic(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-shards-'));
  const digests = Array.from({ length: IMAGES }, (_, i) => keyOf(i));
  console.log(`${IMAGES} images, ${BOXES} detections each, two models`);
  for (const count of [1, 8]) {
    const files: string[] = [];
    let slowest = 0;
    let bytes = 0;
    for (let index = 1; index <= count; index++) {
      const store = new Recording({ onDiffering: () => undefined });
      for (const model of ['fp32', 'int8']) {
        const shelf = await store.shelf('detections', keyOf(model));
        digests.forEach((digest, i) => {
          if (mine({ index, count }, i)) shelf.put(digest, packNumbers(detectionNumbers(madeUp(i))));
        });
      }
      const [time, file] = await seconds(() => writeShard(folder, header(index, count), store.records));
      slowest = Math.max(slowest, time);
      bytes = Math.max(bytes, (await stat(file)).size);
      files.push(file);
    }
    const [reading, shards] = await seconds(async () => {
      const read = [];
      for (const file of files) read.push(await readShard(file));
      return read;
    });
    const [joining, records] = await seconds(() => joinRecords(shards.map((one) => one.records)));
    const [ordering, table] = await seconds(() => {
      const builder = new DetectionBuilder();
      const values = records.get(`detections-${keyOf('int8')}`);
      digests.forEach((digest, i) =>
        pushNumbers(builder, i, unpackNumbers(values?.get(digest)) as Float64Array),
      );
      return builder.finish();
    });
    console.log(
      `n = ${count}: write ${slowest.toFixed(1)} s a shard, ${(bytes / 2 ** 20).toFixed(1)} MiB each; ` +
        `read all ${reading.toFixed(1)} s, join ${joining.toFixed(2)} s, ` +
        `one model's ${table.count} detections in order ${ordering.toFixed(1)} s; ` +
        `memory ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB`,
    );
    await Promise.all(files.map((file) => rm(file)));
  }
  await rm(folder, { recursive: true });
}

async function measured(settings: string, sizes: readonly number[], count: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-shards-'));
  const text = await readFile(settings, 'utf8');
  const cli = (...args: string[]): number => {
    const start = performance.now();
    const { status, stderr } = spawnSync(process.execPath, [resolve('dist/cli.js'), ...args], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    if (status === null || status > 1) throw new Error(`${args.join(' ')}: ${stderr}`);
    return (performance.now() - start) / 1000;
  };
  console.log('images  whole s  slowest shard s  merge s  shard+merge  ratio');
  for (const images of sizes) {
    // Beside the settings, whose paths are relative to it.
    const file = join(dirname(resolve(settings)), `.bench-${process.pid}-${basename(settings)}`);
    await writeFile(
      file,
      `${text.replace(/^( +)limit:.*\n/m, '').replace(/^validation:\n( +)/m, `validation:\n$1limit: ${images}\n$1`)}\ncache: { enabled: false }\n`,
    );
    try {
      const out = (name: string): string => join(folder, `${images}-${name}`);
      const whole = cli('run', '-c', file, '-o', out('whole'));
      const shards = Array.from({ length: count }, (_, i) =>
        cli('run', '-c', file, '--shard', `${i + 1}/${count}`, '-o', join(out('shards'), String(i + 1))),
      );
      const merge = cli('merge', '-c', file, out('shards'), '-o', out('merged'));
      const split = Math.max(...shards) + merge;
      console.log(
        [images, whole, Math.max(...shards), merge, split, whole / split]
          .map((one, i) =>
            (i === 0 ? String(one) : one.toFixed(1)).padStart([6, 8, 16, 8, 12, 6][i] as number),
          )
          .join(' '),
      );
    } finally {
      await rm(file, { force: true });
    }
  }
  await rm(folder, { recursive: true });
}

const [settings, sizes = '50,100,200', count = '4'] = process.argv.slice(2);
if (settings === undefined) await synthetic();
else await measured(settings, sizes.split(',').map(Number), Number(count));
