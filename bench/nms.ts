/**
 * Times class-aware suppression of one image's raw output, 8400 boxes, beside torchvision's batched_nms on a CPU.
 *
 * node bench/run.mjs nms [PYTHON] [--boxes 8400] [--classes 80] [--rounds 20]
 *
 * `dense`: every box is a candidate, classes at random, boxes clustered about 200 objects. `strong`: the best 1 in 20.
 * PYTHON has torch and torchvision; without it only our own times are printed. One thread each.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { nonMaximumSuppression } from '../src/detection/index.js';
import { mulberry32 } from '../src/evaluation/index.js';

const text = { type: 'string' } as const;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    boxes: { ...text, default: '8400' },
    classes: { ...text, default: '80' },
    rounds: { ...text, default: '20' },
  },
});
const [count, classCount, rounds] = [values.boxes, values.classes, values.rounds].map(Number) as [
  number,
  number,
  number,
];
const IOU = 0.7;

function candidates(n: number): { corners: Float32Array; classes: Int32Array; scores: Float32Array } {
  const random = mulberry32(7);
  const objects = Array.from({ length: 200 }, () => ({
    x: 640 * random(),
    y: 640 * random(),
    side: 16 + 150 * random(),
    cls: Math.floor(classCount * random()),
  }));
  const corners = new Float32Array(4 * n);
  const classes = new Int32Array(n);
  const scores = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    const { x, y, side, cls } = objects[Math.floor(objects.length * random())] as (typeof objects)[number];
    const [w, h] = [side * (0.8 + 0.4 * random()), side * (0.8 + 0.4 * random())];
    const [left, top] = [x + 0.2 * side * (random() - 0.5), y + 0.2 * side * (random() - 0.5)];
    corners.set([left, top, left + w, top + h], 4 * i);
    classes[i] = random() < 0.7 ? cls : Math.floor(classCount * random());
    scores[i] = random() ** 3;
  }
  return { corners, classes, scores };
}

const PEER = `
import json, sys, time
import numpy as np, torch
from torchvision.ops import batched_nms
torch.set_num_threads(1)
folder, n, rounds, iou = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
load = lambda name, kind: torch.from_numpy(np.fromfile(f"{folder}/{name}", kind))
boxes, classes, scores = load("corners", np.float32).view(n, 4), load("classes", np.int32).long(), load("scores", np.float32)
times = []
for _ in range(rounds + 3):
    start = time.process_time()
    kept = batched_nms(boxes, scores, classes, iou)
    times.append(time.process_time() - start)
print(json.dumps({"ms": 1000 * sorted(times[3:])[rounds // 2], "kept": len(kept)}))
`;

function peer(python: string, { corners, classes, scores }: ReturnType<typeof candidates>) {
  const folder = mkdtempSync(join(tmpdir(), 'nms-'));
  try {
    writeFileSync(join(folder, 'corners'), corners);
    writeFileSync(join(folder, 'classes'), classes);
    writeFileSync(join(folder, 'scores'), scores);
    const { stdout, stderr, status } = spawnSync(
      python,
      ['-c', PEER, folder, String(scores.length), String(rounds), String(IOU)],
      { encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(stderr);
    return JSON.parse(stdout) as { ms: number; kept: number };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

console.log('| candidates | kept | int8-gate ms | torchvision ms | kept there | ratio |');
console.log(`|${' --- |'.repeat(6)}`);
for (const [name, n] of [
  ['dense', count],
  ['strong', Math.round(count / 20)],
] as const) {
  const made = candidates(n);
  let kept = 0;
  const times = Array.from({ length: rounds + 10 }, () => {
    const before = process.cpuUsage();
    kept = nonMaximumSuppression(made, IOU, n).length;
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  })
    .slice(10)
    .sort((a, b) => a - b);
  const ms = times[rounds >> 1] as number;
  const other = positionals[0] === undefined ? undefined : peer(positionals[0], made);
  console.log(
    `| ${name}: ${n} | ${kept} | ${ms.toFixed(2)} | ${other?.ms.toFixed(2) ?? ''} | ${other?.kept ?? ''} | ${other === undefined ? '' : (ms / other.ms).toFixed(2)} |`,
  );
}
