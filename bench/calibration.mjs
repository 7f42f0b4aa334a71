// Time and peak memory of calibration, beside onnxruntime's Percentile calibrator:
//   node bench/calibration.mjs MODEL CALIBRATION_FOLDER ANNOTATIONS IMAGES [--size 640] [--ours 8,32,128] [--peer 8 --python PYTHON]
// Build first (npm run build). The peer needs onnx, onnxruntime and opencv-python-headless, and about 260 MB an image.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: 'string', default: '640' },
    ours: { type: 'string', default: '8,32,128' },
    peer: { type: 'string', default: '' },
    python: { type: 'string', default: 'python3' },
  },
});
const [model, calibration, annotations, images] = positionals.map((path) => resolve(path));
const numbers = (list) => list.split(',').filter(Boolean).map(Number);

/** Runs a program; answers seconds and the peak of its resident memory in MB, as Linux keeps it. */
async function timed(command, args) {
  const started = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  let peak = 0;
  const look = setInterval(async () => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  }, 50);
  const code = await new Promise((done) => child.on('close', done));
  clearInterval(look);
  if (code !== 0) throw new Error(`${command} ended with status ${code}`);
  return { seconds: (performance.now() - started) / 1000, peak };
}

const folder = await mkdtemp(join(tmpdir(), 'int8-gate-bench-'));
const rows = [];
try {
  for (const n of numbers(values.ours)) {
    const settings = join(folder, `${n}.yml`);
    await writeFile(
      settings,
      `version: 1\nmodel: ${model}\nvalidation: { images: ${images}, annotations: ${annotations} }\n` +
        `calibration: { images: ${calibration}, count: ${n} }\ngate: { thresholds: { mAP50-95: { maxDrop: 0.02 } } }\n`,
    );
    const args = ['dist/cli.js', 'quantize', '--config', settings, '--out', join(folder, 'out')];
    rows.push({ who: 'int8-gate', n, ...(await timed(process.execPath, args)) });
  }
  for (const n of numbers(values.peer)) {
    const args = ['bench/calibration.py', model, calibration, String(n), values.size];
    rows.push({ who: 'onnxruntime', n, ...(await timed(values.python, args)) });
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
const perImage = (who) => {
  const own = rows.filter((row) => row.who === who);
  const [first, last] = [own[0], own.at(-1)];
  return own.length > 1 ? (last.seconds - first.seconds) / (last.n - first.n) : last && last.seconds / last.n;
};
for (const { who, n, seconds, peak } of rows)
  console.log(
    `${who.padEnd(12)} ${String(n).padStart(4)} images ${seconds.toFixed(1).padStart(6)} s ${peak.toFixed(0).padStart(6)} MB`,
  );
const [ours, peer] = [perImage('int8-gate'), perImage('onnxruntime')];
console.log(`int8-gate: ${ours.toFixed(3)} s an image`);
if (peer !== undefined)
  console.log(`onnxruntime: ${peer.toFixed(3)} s an image; ratio ${(ours / peer).toFixed(2)}`);
