/**
 * Times the paired bootstrap on a made-up set the size of COCO val2017.
 *
 * node bench/run.mjs bootstrap [--resamples 2000] [--images 5000]
 */
import { parseArgs } from 'node:util';
import { parseCoco, parseDetections } from '../src/dataset/index.js';
import { mulberry32, pairedBootstrap } from '../src/evaluation/index.js';
import { makeSet, VAL2017 } from './coco-set.js';

const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { resamples: text, images: text } });
const images = Number(values.images ?? VAL2017.images);
const share = images / VAL2017.images;
const made = makeSet({
  ...VAL2017,
  images,
  boxes: Math.round(VAL2017.boxes * share),
  detections: Math.round(VAL2017.detections * share),
});
const truth = parseCoco(made.truth, 'gt.json', '');
const reference = parseDetections(made.detections, 'dt.json', truth);
const random = mulberry32(1);
const candidate = { ...reference, score: reference.score.map((score) => score * (0.9 + 0.1 * random())) };
const resamples = Number(values.resamples ?? 2000);
for (const method of ['percentile', 'bca'] as const) {
  const start = performance.now();
  const before = process.cpuUsage();
  const { map } = pairedBootstrap({
    truth,
    reference,
    candidate,
    resamples,
    confidence: 0.95,
    seed: 1,
    method,
  });
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  console.log(
    `${method}: ${resamples} resamples of ${images} images, ${truth.annotations.count} boxes, ${reference.count} detections: ${seconds.toFixed(1)} s (${((user + system) / 1e6).toFixed(1)} s of processor time); drop ${map.drop.toFixed(4)} (${map.low.toFixed(4)} … ${map.high.toFixed(4)}); peak memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`,
  );
}
