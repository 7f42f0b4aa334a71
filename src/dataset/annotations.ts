/** The annotations of a COCO file on their way from bytes or objects into columns. */
import { IdIndex } from './ids.js';
import type { Problems } from './problems.js';
import { RecordReader } from './records.js';
import type { JsonScanner } from './scan.js';
import { scanNumbersAndBox, scannedRecord, type ScannedRecord } from './scan-record.js';
import { AnnotationBuilder } from './table.js';
import type { AnnotationTable, Category, ImageRecord } from './types.js';

/** Numbers of one record: where it lies, id, image id, category id, area (NaN = not given), crowd, box. */
const FIELDS = 10;
const NAMES = ['id', 'image_id', 'category_id', 'area', 'iscrowd', 'bbox'];
const KEYS = NAMES.map((key) => Buffer.from(key));

/** Records as scanned: ids still those of the file, which may name its images and categories only later. */
export interface ScannedAnnotations {
  readonly count: number;
  /** `[count, 10]`; an image id of NaN marks a record that needs a closer look. */
  readonly fields: Float64Array;
}

/** Scans the list that starts at the cursor. */
export function scanAnnotations(scanner: JsonScanner): ScannedAnnotations {
  let fields = new Float64Array(1024 * FIELDS);
  const record = scannedRecord(NAMES);
  let count = 0;
  scanner.open();
  for (; scanner.next(count, true); count++) {
    if ((count + 1) * FIELDS > fields.length) {
      const old = fields;
      fields = new Float64Array(old.length * 2);
      fields.set(old);
    }
    scanRecord(scanner, fields, count * FIELDS, record);
  }
  return { count, fields };
}

function scanRecord(scanner: JsonScanner, into: Float64Array, at: number, record: ScannedRecord): void {
  into.fill(NaN, at, at + FIELDS);
  scanner.peek();
  into[at] = scanner.at;
  if (!scanner.startsObject) return scanner.skip();
  const plain = scanNumbersAndBox(scanner, KEYS, record);
  into.set(record.numbers.subarray(0, 5), at + 1);
  into.set(record.box, at + 6);
  const [area, crowd] = [record.numbers[3] as number, record.numbers[4] as number];
  if (Number.isNaN(crowd)) into[at + 5] = 0;
  const known = Number.isNaN(area) || (area >= 0 && area < Infinity);
  if (!plain || !known || !(Number.isNaN(crowd) || crowd === 0 || crowd === 1)) into[at + 2] = NaN;
}

/** Checks annotations and keeps them as columns. */
export class Annotations {
  private readonly imageIndex: IdIndex;
  private readonly categoryIndex: IdIndex;
  private readonly builder = new AnnotationBuilder();
  private readonly reader: RecordReader;
  /** Records with mistakes. */
  private readonly refused: number[] = [];

  constructor(
    private readonly source: string,
    private readonly problems: Problems,
    images: readonly ImageRecord[],
    categories: readonly Category[],
  ) {
    this.imageIndex = new IdIndex(images);
    this.categoryIndex = new IdIndex(categories);
    this.reader = new RecordReader(source, problems);
  }

  /** Takes over what was scanned; `scanner` reads again what needs a closer look. */
  take({ count, fields }: ScannedAnnotations, scanner: JsonScanner): void {
    for (let i = 0; i < count; i++) {
      if (this.push(fields, i * FIELDS)) continue;
      scanner.at = fields[i * FIELDS] as number;
      this.read(scanner.record(NAMES, KEYS), i);
    }
  }

  private push(fields: Float64Array, at: number): boolean {
    const id = fields[at + 1] as number;
    const image = this.imageIndex.at(fields[at + 2] as number);
    const category = this.categoryIndex.at(fields[at + 3] as number);
    if (image < 0 || category < 0 || !Number.isSafeInteger(id)) return false;
    const [x, y] = [fields[at + 6] as number, fields[at + 7] as number];
    const [w, h] = [fields[at + 8] as number, fields[at + 9] as number];
    const given = fields[at + 4] as number;
    const area = Number.isNaN(given) ? w * h : given;
    this.builder.push({ image, category, x, y, w, h, area, crowd: fields[at + 5] === 1, ignore: false, id });
    return true;
  }

  /** Adds a record, or notes everything that is wrong with it. */
  read(value: unknown, i: number): void {
    if (!this.checked(value, i)) this.refused.push(i);
  }

  private checked(value: unknown, i: number): boolean {
    const { reader } = this;
    if (!reader.open(value, `annotations[${i}]`)) return false;
    const id = reader.integer('id');
    const image = this.lookUp('image_id', this.imageIndex, 'images');
    const category = this.lookUp('category_id', this.categoryIndex, 'categories');
    const box = reader.has('bbox')
      ? reader.box('bbox')
      : reader.wrong(
          'bbox',
          'is missing',
          'Boxes are judged, as pycocotools does, which takes none from `segmentation`: write each annotation’s bbox, [x, y, width, height], e.g. by pycocotools.mask.toBbox.',
        );
    const crowd = reader.flag('iscrowd');
    let area = box === undefined ? undefined : box[2] * box[3];
    if (reader.has('area')) area = reader.finite('area');
    if (area !== undefined && area < 0) area = reader.wrong('area', `must not be negative, is ${area}`);
    if (id === undefined || image === undefined || category === undefined) return false;
    if (box === undefined || crowd === undefined || area === undefined) return false;
    const [x, y, w, h] = box;
    this.builder.push({ image, category, x, y, w, h, area, crowd, ignore: false, id });
    return true;
  }

  private lookUp(key: string, known: IdIndex, what: string): number | undefined {
    const id = this.reader.integer(key);
    if (id === undefined) return undefined;
    const at = known.at(id);
    return at >= 0 ? at : this.reader.wrong(key, `${id} is no id in ${what} of this file`);
  }

  /** The table; a repeated id is noted as a mistake, or becomes the last annotation of that id. */
  finish(repeatedIds: 'refuse' | 'last'): AnnotationTable {
    const table = this.builder.finish();
    if (!repeats(table.id)) return table;
    if (repeatedIds === 'last') return resolveRepeats(table);
    const first = new Map<number, number>();
    let refused = 0;
    for (let row = 0; row < table.count; row++) {
      while (this.refused[refused] === row + refused) refused++;
      const id = table.id[row] as number;
      const before = first.get(id);
      if (before === undefined) first.set(id, row + refused);
      else
        this.problems.add(
          `${this.source} annotations[${row + refused}].id`,
          `${id} was used before, by annotations[${before}]`,
          'Ids must be unique.',
        );
    }
    return table;
  }
}

function repeats(ids: Float64Array): boolean {
  const sorted = ids.slice().sort();
  for (let i = 1; i < sorted.length; i++) if (sorted[i] === sorted[i - 1]) return true;
  return false;
}

/** As COCO.loadAnns: annotations in order of their images, each the last one of its id. */
function resolveRepeats(table: AnnotationTable): AnnotationTable {
  const last = new Map<number, number>();
  for (let row = 0; row < table.count; row++) last.set(table.id[row] as number, row);
  const order = Array.from({ length: table.count }, (_, row) => row).sort(
    (a, b) => (table.image[a] as number) - (table.image[b] as number),
  );
  const builder = new AnnotationBuilder();
  for (const from of order) {
    const row = last.get(table.id[from] as number) as number;
    const [x, y, w, h] = Array.from(table.bbox.subarray(4 * row, 4 * row + 4)) as [
      number,
      number,
      number,
      number,
    ];
    builder.push({
      image: table.image[row] as number,
      category: table.category[row] as number,
      x,
      y,
      w,
      h,
      area: table.area[row] as number,
      crowd: table.crowd[row] === 1,
      ignore: table.ignore[row] === 1,
      id: table.id[row] as number,
    });
  }
  return builder.finish();
}
