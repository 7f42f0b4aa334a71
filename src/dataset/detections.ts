/** COCO results JSON: `[{image_id, category_id, bbox: [x, y, w, h], score}]`. */
import { InputFault } from '../faults/index.js';
import { readBytes } from './files.js';
import { IdIndex } from './ids.js';
import { Problems, show } from './problems.js';
import { RecordReader } from './records.js';
import { JsonScanner } from './scan.js';
import { scanNumbersAndBox, scannedRecord, type ScannedRecord } from './scan-record.js';
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
  const record = scannedRecord(NAMES);
  scanner.open();
  for (let i = 0; scanner.next(i, true); i++) {
    scanner.peek();
    const start = scanner.at;
    if (scanner.startsObject && scanRecord(scanner, records, record)) continue;
    scanner.at = start;
    records.read(scanner.record(NAMES, KEYS), i);
  }
  scanner.end();
  return records.finish();
}

/** Scans one record; answers false where it needs a closer look. */
function scanRecord(scanner: JsonScanner, records: Records, into: ScannedRecord): boolean {
  if (!scanNumbersAndBox(scanner, KEYS, into)) return false;
  const [image, category, , score] = into.numbers as unknown as [number, number, number, number];
  return records.push(image, category, into.box, score);
}

function refuse(source: string, json: unknown): never {
  throw new InputFault({
    where: source,
    what: `a COCO results file is an array of detections, this is ${typeof json === 'object' && json !== null ? 'an object' : show(json)}`,
    fix: 'Write `[{ "image_id": …, "category_id": …, "bbox": [x, y, width, height], "score": … }, …]`, as pycocotools loads.',
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
