/** int8-gate on gt.json and dt.json of a folder, in the form of evaluation-peer.py. */
import { loadDetections, loadGroundTruth } from '../src/dataset/index.js';
import { evaluateCoco } from '../src/evaluation/index.js';

const folder = process.argv[2] ?? 'build/bench/val2017';
const start = performance.now();
const truth = await loadGroundTruth({
  format: 'coco',
  annotations: `${folder}/gt.json`,
  boxesOnly: true,
});
const detections = await loadDetections(`${folder}/dt.json`, truth);
const loaded = performance.now();
const { stats } = evaluateCoco(truth, detections);
const end = performance.now();
const { user, system } = process.cpuUsage();
console.log(
  JSON.stringify({
    load: (loaded - start) / 1000,
    evaluate: (end - loaded) / 1000,
    memory: process.resourceUsage().maxRSS / 1024,
    cpu: (user + system) / 1e6,
    stats: Object.values(stats),
  }),
);
