/**
 * Writes a made-up COCO set as gt.json and dt.json.
 *
 * node bench/run.mjs make-coco-set --out DIR [--images 5000] [--boxes 36781] [--classes 80] [--detections 250000] [--seed 1] [--crowds 0.012] [--levels 0]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeSet, VAL2017, type SetSize } from './coco-set.js';

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    out: { ...text, default: 'build/bench/val2017' },
    images: text,
    boxes: text,
    classes: text,
    detections: text,
    seed: text,
    crowds: text,
    levels: text,
  },
});
const size = Object.fromEntries(
  (Object.keys(VAL2017) as (keyof SetSize)[]).map((name) => [name, Number(values[name] ?? VAL2017[name])]),
) as unknown as SetSize;
const { truth, detections } = makeSet(size);
mkdirSync(values.out, { recursive: true });
writeFileSync(join(values.out, 'gt.json'), JSON.stringify(truth));
writeFileSync(join(values.out, 'dt.json'), JSON.stringify(detections));
