/** COCO results JSON: `[{image_id, category_id, bbox: [x, y, w, h], score}]`. */
import { InputFault } from '../faults/index.js';
import { readJson } from './files.js';
import { Problems, show } from './problems.js';
import { RecordReader } from './records.js';
import { DetectionBuilder } from './table.js';
import type { DetectionTable, GroundTruth } from './types.js';

/**
 * Reads a COCO results file; an empty list is allowed (pycocotools fails on it).
 * @throws InputFault naming the record's index and key: unknown ids, NaN, negative sizes
 */
export async function loadDetections(file: string, truth: GroundTruth): Promise<DetectionTable> {
  return parseDetections(await readJson(file, 'results file'), file, truth);
}

/** The pure part of {@link loadDetections}. */
export function parseDetections(json: unknown, source: string, truth: GroundTruth): DetectionTable {
  if (!Array.isArray(json)) {
    throw new InputFault({
      where: source,
      what: `a COCO results file is an array of detections, this is ${typeof json === 'object' ? 'an object' : show(json)}`,
    });
  }
  const problems = new Problems();
  const reader = new RecordReader(source, problems);
  const images = new Map(truth.images.map((image, index) => [image.id, index]));
  const categories = new Map(truth.categories.map((category, index) => [category.id, index]));
  const builder = new DetectionBuilder();
  (json as unknown[]).forEach((value, i) => {
    if (!reader.open(value, `[${i}]`)) return;
    const image = lookUp(reader, 'image_id', images, truth.source);
    const category = lookUp(reader, 'category_id', categories, truth.source);
    const box = reader.box('bbox');
    const score = reader.finite('score');
    if (image === undefined || category === undefined || box === undefined || score === undefined) return;
    builder.push(image, category, box[0], box[1], box[2], box[3], score);
  });
  problems.throwIfAny(source);
  return builder.finish();
}

function lookUp(
  reader: RecordReader,
  key: string,
  known: ReadonlyMap<number, number>,
  truth: string,
): number | undefined {
  const id = reader.integer(key);
  if (id === undefined) return undefined;
  return known.get(id) ?? reader.wrong(key, `${id} is not in the annotations ${truth}`);
}
