// Time and peak memory of calibration, beside onnxruntime's Percentile calibrator, by number of images:
//   node bench/calibration.mjs MODEL IMAGES ANNOTATIONS VALIDATION_IMAGES [--ours 8,32,128,512] [--peer 8,32 --python PYTHON] [--size 640] [--cap 8192]
// Build first (npm run build). The peer needs onnx, onnxruntime and opencv-python-headless, and about 260 MB an image: beyond
// the cap (MB) it is stopped, and the row says after how many images. A folder with fewer photos than asked for is gone through
// again, each copy under a name of its own. Ours is the whole command, reading and writing models included, without corrections.
import { spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: 'string', default: '640' },
    ours: { type: 'string', default: '8,32,128,512' },
    peer: { type: 'string', default: '' },
    python: { type: 'string', default: 'python3' },
    cap: { type: 'string', default: '8192' },
  },
});
if (positionals.length !== 4)
  throw new Error('expected MODEL IMAGES ANNOTATIONS VALIDATION_IMAGES; see the head of this file');
const [model, source, annotations, validation] = positionals.map((path) => resolve(path));
const cap = Number(values.cap);
const numbers = (list) => list.split(',').filter(Boolean).map(Number);
const folder = await mkdtemp(join(tmpdir(), 'int8-gate-bench-'));
const photos = (await readdir(source)).filter((name) => /\.jpe?g$/i.test(name)).sort();

/** A folder of n photos, which go round where there are fewer. */
async function imagesOf(n) {
  const made = join(folder, `images-${n}`);
  await mkdir(made, { recursive: true });
  for (let i = 0; i < n; i++) {
    const photo = photos[i % photos.length];
    await copyFile(join(source, photo), join(made, `${String(i).padStart(6, '0')}${extname(photo)}`));
  }
  return made;
}

/** Kernel ticks of processor time, a hundredth of a second each on Linux. */
const TICK = 0.01;

/**
 * Runs a program: seconds, its processor's seconds and the peak of its resident memory in MB, as Linux keeps them. It is
 * killed once it holds more than the cap. `seen`: images that it says are done, each `image` line with its memory then.
 */
async function timed(command, args) {
  const started = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let [peak, busy, stopped] = [0, 0, false];
  const growth = [];
  child.stdout.on('data', (data) => {
    for (const [, mb] of String(data).matchAll(/^image (\d+)$/gm)) growth.push(Number(mb));
  });
  const look = setInterval(async () => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
    const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8').catch(() => '');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    busy = Math.max(busy, (Number(fields[11]) + Number(fields[12])) * TICK || 0);
    if (peak > cap && !stopped) {
      stopped = true;
      child.kill('SIGKILL');
    }
  }, 50);
  const code = await new Promise((done) => child.on('close', done));
  clearInterval(look);
  if (code !== 0 && !stopped) throw new Error(`${command} ended with status ${code}`);
  return { seconds: (performance.now() - started) / 1000, busy, peak, stopped, growth };
}

function print({ who, n, seconds, busy, peak, stopped, growth }) {
  const each = growth.length > 1 ? (growth.at(-1) - growth[0]) / (growth.length - 1) : undefined;
  const notes = [
    ...(n > photos.length ? [`${photos.length} photos, repeated`] : []),
    ...(each === undefined ? [] : [`${each.toFixed(0)} MB more an image`]),
    ...(stopped ? [`stopped at the cap of ${cap} MB after ${growth.length} of ${n} images`] : []),
  ];
  const done = stopped ? growth.length : n;
  const cells = [who, n, seconds.toFixed(1), busy.toFixed(1), (seconds / done).toFixed(3), peak.toFixed(0)];
  console.log(`| ${[...cells, notes.join('; ')].join(' | ')} |`);
}

const rows = [];
async function measure(who, n, command, argsOf) {
  const row = { who, n, ...(await timed(command, await argsOf(await imagesOf(n)))) };
  print(row);
  rows.push(row);
}

console.log('| who | images | s | s of processor | s an image | peak MB | notes |');
console.log('| --- | --- | --- | --- | --- | --- | --- |');
try {
  for (const n of numbers(values.ours))
    await measure('int8-gate', n, process.execPath, async (images) => {
      const settings = join(folder, `${n}.yml`);
      await writeFile(
        settings,
        `version: 1\nmodel: ${model}\nvalidation: { images: ${validation}, annotations: ${annotations} }\n` +
          `calibration: { images: ${images} }\nquantization: { biasCorrection: off, equalization: off }\n` +
          `cache: { enabled: false }\ngate: { thresholds: { mAP50-95: { maxDrop: 0.02 } } }\n`,
      );
      return ['dist/cli.js', 'quantize', '--config', settings, '--out', join(folder, 'out')];
    });
  for (const n of numbers(values.peer))
    await measure('onnxruntime', n, values.python, (images) => [
      'bench/calibration.py',
      model,
      images,
      String(n),
      values.size,
    ]);
} finally {
  await rm(folder, { recursive: true, force: true });
}

/**
 * Seconds that one more image takes: start and end of the program, which are the same for any number, drop out. Undefined
 * where there are no two numbers of images to tell it from, or a machine busy with other work spoilt it.
 */
function perImage(who, what) {
  const own = rows.filter((row) => row.who === who && !row.stopped);
  const [first, last] = [own[0], own.at(-1)];
  if (own.length < 2 || last[what] <= first[what]) return undefined;
  return (last[what] - first[what]) / (last.n - first.n);
}
for (const [what, words] of [
  ['seconds', 's'],
  ['busy', 's of processor'],
]) {
  const [ours, peer] = [perImage('int8-gate', what), perImage('onnxruntime', what)];
  if (ours !== undefined) console.log(`int8-gate: ${ours.toFixed(3)} ${words} for one more image`);
  if (peer === undefined) continue;
  console.log(`onnxruntime: ${peer.toFixed(3)} ${words} for one more image`);
  if (ours !== undefined) console.log(`ratio ${(ours / peer).toFixed(2)}`);
}
