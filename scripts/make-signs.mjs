// Draws the images and annotations of fixtures/signs anew: node scripts/make-signs.mjs [--out DIR] [--val N]
// With --val a validation set of N images alone. Deterministic by seed; seeds lie outside those that the detector was
// trained on (100000…108999).
import { mkdir, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CLASSES, SIZE, rasterize, scene } from '../fixtures/signs/scenes.mjs';

const { out, val } = parseArgs({
  options: { out: { type: 'string', default: 'fixtures/signs' }, val: { type: 'string' } },
}).values;
const SETS =
  val === undefined
    ? [
        { name: 'val', seeds: range(1000, 200), annotated: true },
        { name: 'calib', seeds: range(300000, 128) },
        { name: 'calib-night', seeds: range(310000, 128), lighting: 'night' },
      ]
    : [{ name: 'val', seeds: range(400000, Number(val)), annotated: true }];

function range(first, count) {
  return Array.from({ length: count }, (_, i) => first + i);
}
const round2 = (value) => Math.round(value * 100) / 100;

const digests = [];
for (const { name, seeds, lighting = null, annotated } of SETS) {
  await mkdir(join(out, name), { recursive: true });
  const coco = {
    info: { description: `signs, ${name}: procedurally drawn road-side scenes` },
    images: [],
    annotations: [],
    categories: CLASSES.map((label, i) => ({ id: i + 1, name: label })),
  };
  for (const seed of seeds) {
    const drawn = scene(seed, { lighting });
    const file = `${String(seed).padStart(6, '0')}.jpg`;
    const jpeg = await rasterize(drawn.svg);
    await writeFile(join(out, name, file), jpeg);
    digests.push(`${createHash('sha256').update(jpeg).digest('hex')}  ${name}/${file}`);
    coco.images.push({ id: seed, file_name: file, width: SIZE, height: SIZE });
    for (const { category, bbox } of drawn.boxes) {
      const box = bbox.map(round2);
      coco.annotations.push({
        id: coco.annotations.length + 1,
        image_id: seed,
        category_id: category + 1,
        bbox: box,
        area: round2(box[2] * box[3]),
        iscrowd: 0,
      });
    }
  }
  if (annotated) await writeFile(join(out, `${name}.json`), `${JSON.stringify(coco)}\n`);
}
await writeFile(join(out, 'SHA256SUMS'), `${digests.join('\n')}\n`);
