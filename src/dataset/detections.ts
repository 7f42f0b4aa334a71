/** COCO results JSON: `[{image_id, category_id, bbox: [x, y, w, h], score}]`. */
import { InputFault } from '../faults/index.js';
import { readBytes } from './files.js';
import { IdIndex } from './ids.js';
import { Problems, show } from './problems.js';
import { RecordReader } from './records.js';
import { JsonScanner } from './scan.js';
import { DetectionBuilder } from './table.js';
import type { DetectionTable, GroundTruth } from './types.js';

/**
 * Reads a COCO results file; an empty list is allowed (pycocotools fails on it).
 * @throws InputFault naming the record's index and key: unknown ids, NaN, negative sizes
 */
export async function loadDetections(file: string, truth: GroundTruth): Promise<DetectionTable> {
  return scanDetections(await readBytes(file, 'results file'), file, truth);
}

const NAMES = ['image_id', 'category_id', 'bbox', 'score'];
const KEYS = NAMES.map((key) => Buffer.from(key));

/** The pure part of {@link loadDetections}: from bytes to columns, an object only for records that are not as expected. */
export function scanDetections(bytes: Buffer, source: string, truth: GroundTruth): DetectionTable {
  const scanner = new JsonScanner(bytes, source, 'results file');
  if (!scanner.startsList) {
    const isObject = scanner.startsObject;
    refuse(source, isObject ? {} : scanner.value());
  }
  const records = new Records(source, truth);
  const box = new Float64Array(4);
  scanner.open();
  for (let i = 0; scanner.next(i, true); i++) {
    scanner.peek();
    const start = scanner.at;
    if (scanner.startsObject && scanRecord(scanner, records, box)) continue;
    scanner.at = start;
    records.read(scanner.record(NAMES, KEYS), i);
  }
  scanner.end();
  return records.finish();
}

/** Scans one record; answers false where it needs a closer look. */
function scanRecord(scanner: JsonScanner, records: Records, box: Float64Array): boolean {
  let [image, category, score] = [NaN, NaN, NaN];
  let plain = true;
  let boxes = 0;
  scanner.open();
  for (let i = 0; scanner.next(i, false); i++) {
    const key = scanner.key(KEYS);
    if (key < 0) scanner.skip();
    else if (key === 2) {
      boxes++;
      if (!scanBox(scanner, box)) plain = false;
    } else if (!scanner.startsNumber) {
      scanner.skip();
      plain = false;
    } else if (key === 0) image = scanner.number();
    else if (key === 1) category = scanner.number();
    else score = scanner.number();
  }
  return plain && boxes > 0 && records.push(image, category, box, score);
}

/** Scans a box into `box`; answers false (and has passed over the value) when it is none. */
export function scanBox(scanner: JsonScanner, box: Float64Array): boolean {
  if (!scanner.startsList) {
    scanner.skip();
    return false;
  }
  scanner.open();
  let count = 0;
  let plain = true;
  for (; scanner.next(count, true); count++) {
    if (!scanner.startsNumber) {
      scanner.skip();
      plain = false;
      continue;
    }
    const value = scanner.number();
    if (count < 4) box[count] = value;
  }
  return plain && count === 4 && isBox(box);
}

/** Finite, with sizes that are not negative. */
function isBox(box: Float64Array): boolean {
  const [w, h] = [box[2] as number, box[3] as number];
  return w >= 0 && h >= 0 && Number.isFinite((box[0] as number) + (box[1] as number) + w * h);
}

function refuse(source: string, json: unknown): never {
  throw new InputFault({
    where: source,
    what: `a COCO results file is an array of detections, this is ${typeof json === 'object' && json !== null ? 'an object' : show(json)}`,
  });
}

/** {@link loadDetections} on what JSON.parse gave. */
export function parseDetections(json: unknown, source: string, truth: GroundTruth): DetectionTable {
  if (!Array.isArray(json)) refuse(source, json);
  const records = new Records(source, truth);
  (json as unknown[]).forEach((value, i) => records.read(value, i));
  return records.finish();
}

/** Checks records and keeps them as columns. */
class Records {
  private readonly images: IdIndex;
  private readonly categories: IdIndex;
  private readonly builder = new DetectionBuilder();
  private readonly problems = new Problems();
  private readonly reader: RecordReader;

  constructor(
    private readonly source: string,
    private readonly truth: GroundTruth,
  ) {
    this.images = new IdIndex(truth.images);
    this.categories = new IdIndex(truth.categories);
    this.reader = new RecordReader(source, this.problems);
  }

  /** Adds a detection by the ids of its file; answers false where something about it is wrong. */
  push(imageId: number, categoryId: number, box: ArrayLike<number>, score: number): boolean {
    const image = this.images.at(imageId);
    const category = this.categories.at(categoryId);
    if (image < 0 || category < 0 || !Number.isFinite(score)) return false;
    const [x, y, w, h] = [box[0], box[1], box[2], box[3]] as [number, number, number, number];
    this.builder.push(image, category, x, y, w, h, score);
    return true;
  }

  /** Adds a record, or notes everything that is wrong with it. */
  read(value: unknown, i: number): void {
    const { reader } = this;
    if (!reader.open(value, `[${i}]`)) return;
    const image = this.lookUp('image_id', this.images);
    const category = this.lookUp('category_id', this.categories);
    const box = reader.box('bbox');
    const score = reader.finite('score');
    if (image === undefined || category === undefined || box === undefined || score === undefined) return;
    this.push(image, category, box, score);
  }

  /** @throws InputFault when anything was wrong */
  finish(): DetectionTable {
    this.problems.throwIfAny(this.source);
    return this.builder.finish();
  }

  private lookUp(key: string, known: IdIndex): number | undefined {
    const id = this.reader.integer(key);
    if (id === undefined || known.at(id) >= 0) return id;
    return this.reader.wrong(key, `${id} is not in the annotations ${this.truth.source}`);
  }
}
