/** FP32 on the same images with one thing changed in the preprocessing: whether the settings fit the model. */
import {
  DetectionBuilder,
  openImages,
  type DetectionTable,
  type PreprocessingSpec,
} from '../dataset/index.js';
import type { PreprocessingTrial } from '../diagnosis/index.js';
import { compareFound, evaluateCoco } from '../evaluation/index.js';
import { modelOf, subsetGeometries, subsetOf, tryDecode } from './detect.js';
import { feedOf, type Bench } from './prepare.js';

/** FP32 below this mAP on the subset may have the wrong scale of its input. */
const POOR_MAP = 0.2;

/** FP32 on the subset with red and blue swapped; and with another scale of the input where it detects next to nothing. */
export async function tryPreprocessing(
  bench: Bench,
  fp32: DetectionTable,
): Promise<readonly PreprocessingTrial[]> {
  const { spec, subset, subsetTruth } = bench;
  const found = subsetOf(fp32, subset);
  const before = evaluateCoco(subsetTruth, found).stats.AP;
  const color = spec.color === 'rgb' ? 'bgr' : 'rgb';
  const changes: { readonly change: string; readonly spec: PreprocessingSpec }[] = [
    { change: `color: ${color}`, spec: { ...spec, color } },
  ];
  if (before < POOR_MAP && spec.dtype !== 'uint8') {
    const scale = spec.scale === 1 ? 1 / 255 : 1;
    changes.push({
      change: `scale: ${scale === 1 ? '1' : '0.00392156862745098'}`,
      spec: { ...spec, scale },
    });
  }
  const trials: PreprocessingTrial[] = [];
  for (const { change, spec: other } of changes) {
    const detections = await detectSubset(bench, other);
    if (detections === undefined) continue;
    const after = evaluateCoco(subsetTruth, detections).stats.AP;
    trials.push({
      change,
      before,
      after,
      images: subset.length,
      found: compareFound(subsetTruth, found, detections),
    });
  }
  return trials;
}

/** What FP32 finds on the subset under another preprocessing; undefined when the outputs are not finite. */
async function detectSubset(bench: Bench, spec: PreprocessingSpec): Promise<DetectionTable | undefined> {
  const records = bench.subset.map((i) => bench.validation.records[i] as (typeof bench.truth.images)[number]);
  const store = openImages(records, spec, { memoryMiB: 16 });
  const geometries = await subsetGeometries(bench);
  const session = await bench.engine.load(modelOf(bench, 'FP32', bench.bytes));
  const table = new DetectionBuilder();
  let broken = false;
  try {
    await session.run(
      feedOf(bench, store),
      (i, outputs) => {
        const geometry = geometries[i] as (typeof geometries)[number];
        broken ||= !tryDecode(bench, table, 'FP32', i, outputs, geometry);
      },
      { signal: bench.context.signal },
    );
    return broken ? undefined : table.finish();
  } finally {
    await session.release();
  }
}
