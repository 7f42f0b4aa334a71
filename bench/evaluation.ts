/**
 * COCO evaluation side by side with pycocotools, faster-coco-eval and hotcoco, on a made-up set the size of COCO val2017:
 * each in a process of its own, one after the other, in rounds; the median of the rounds is shown.
 *
 *   python3 -m venv build/peers && build/peers/bin/pip install pycocotools==2.0.11 faster-coco-eval==1.8.0 hotcoco==1.3.0
 *   node bench/run.mjs evaluation --python build/peers/bin/python [--rounds 5] [--folder DIR]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeSet, VAL2017 } from './coco-set.js';

interface Run {
  /** Seconds from files to tables. */
  readonly load: number;
  /** Seconds from tables to the 12 numbers. */
  readonly evaluate: number;
  /** Peak memory of the process in MiB. */
  readonly memory: number;
  /** Processor seconds of the whole process, its start included. */
  readonly cpu: number;
  readonly stats: readonly number[];
}

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    folder: { type: 'string', default: 'build/bench/val2017' },
    only: { type: 'string' },
  },
});
const { folder } = values;
if (!existsSync(join(folder, 'dt.json'))) {
  const { truth, detections } = makeSet(VAL2017);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'gt.json'), JSON.stringify(truth));
  writeFileSync(join(folder, 'dt.json'), JSON.stringify(detections));
}

const peers = values.python === undefined ? [] : ['hotcoco', 'faster-coco-eval', 'pycocotools'];
const names = ['int8-gate', ...peers].filter(
  (name) => name === 'int8-gate' || values.only === undefined || values.only.split(',').includes(name),
);
const runs = new Map<string, Run[]>(names.map((name) => [name, []]));
for (let round = 0; round < Number(values.rounds); round++)
  for (const name of names) runs.get(name)?.push(measure(name));

function measure(name: string): Run {
  const [command, args] =
    name === 'int8-gate'
      ? [process.execPath, ['bench/run.mjs', 'evaluation-own', folder]]
      : [values.python ?? '', ['bench/evaluation-peer.py', name, folder]];
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name} failed: ${stderr}`);
  return JSON.parse(stdout) as Run;
}

function median(name: string, of: (run: Run) => number): number {
  const sorted = (runs.get(name) ?? []).map(of).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}

const own = runs.get('int8-gate')?.[0]?.stats ?? [];
console.log('                   load  evaluate    total   ratio  evaluate  memory  largest');
console.log('                      s         s        s   total     ratio     MiB  difference');
for (const name of names) {
  const [load, evaluate] = [median(name, (run) => run.load), median(name, (run) => run.evaluate)];
  const total = median(name, (run) => run.load + run.evaluate);
  const ratio = total / median('int8-gate', (run) => run.load + run.evaluate);
  const bare = evaluate / median('int8-gate', (run) => run.evaluate);
  const stats = runs.get(name)?.[0]?.stats ?? [];
  const difference = Math.max(...stats.map((value, i) => Math.abs(value - (own[i] ?? NaN))));
  console.log(
    [
      name.padEnd(16),
      load.toFixed(3).padStart(7),
      evaluate.toFixed(3).padStart(9),
      total.toFixed(3).padStart(8),
      ratio.toFixed(2).padStart(7),
      bare.toFixed(2).padStart(9),
      median(name, (run) => run.memory)
        .toFixed(0)
        .padStart(7),
      difference.toExponential(1).padStart(11),
    ].join(' '),
  );
}
