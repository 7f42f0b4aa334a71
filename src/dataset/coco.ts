/** COCO instances JSON. Format: https://cocodataset.org/#format-data (object detection). */
import { basename, join } from 'node:path';
import { InputFault } from '../faults/index.js';
import { readFolder, kindOf, readJson } from './files.js';
import { Problems, show } from './problems.js';
import { RecordReader, arrayOf, isObject } from './records.js';
import type { JsonObject } from './records.js';
import { annotationTable } from './table.js';
import type { AnnotationRow } from './table.js';
import type { Category, GroundTruth, ImageRecord } from './types.js';

/**
 * Reads a COCO instances file.
 *
 * Images without annotations are kept (their false positives count), a missing
 * `area` becomes width times height, a missing `iscrowd` 0. An `ignore` key has
 * no effect, as in pycocotools, which overwrites it with `iscrowd`.
 * @param images - folder of the images; leave out when only boxes matter, then files are not looked for
 * @throws InputFault naming the record's index and key
 */
export async function loadCoco(file: string, images: string | undefined): Promise<GroundTruth> {
  const json = await readJson(file, 'annotation file');
  const truth = parseCoco(json, file, images ?? '');
  return images === undefined ? truth : { ...truth, images: await locate(truth.images, images, file) };
}

/** The pure part of {@link loadCoco}. */
export function parseCoco(json: unknown, source: string, folder: string): GroundTruth {
  if (!isObject(json)) {
    const results = Array.isArray(json) ? ' (this looks like a results file)' : '';
    throw new InputFault({
      where: source,
      what: `a COCO annotation file is an object with images, annotations and categories; this is ${Array.isArray(json) ? 'an array' : show(json)}${results}`,
    });
  }
  const problems = new Problems();
  const categories = readCategories(json, source, problems);
  const images = readImages(json, source, folder, problems);
  const rows = readAnnotations(json, source, indexById(images), indexById(categories), problems);
  if (images.length === 0 && !problems.any)
    problems.add(`${source} images`, 'is empty: there is nothing to evaluate');
  problems.throwIfAny(source);
  return { source, images, categories, annotations: annotationTable(rows), skipped: [] };
}

function indexById(items: readonly { readonly id: number }[]): ReadonlyMap<number, number> {
  return new Map(items.map((item, index) => [item.id, index]));
}

function byId(a: { readonly id: number }, b: { readonly id: number }): number {
  return a.id - b.id;
}

function readCategories(top: JsonObject, source: string, problems: Problems): Category[] {
  const reader = new RecordReader(source, problems);
  const seen = new Map<number, number>();
  const found: Category[] = [];
  arrayOf(top, 'categories', source, problems).forEach((value, i) => {
    if (!reader.open(value, `categories[${i}]`)) return;
    const id = reader.integer('id');
    const name = reader.text('name');
    if (id === undefined || name === undefined) return;
    noteDuplicate(reader, seen, id, i, 'categories');
    found.push({ id, name });
  });
  return found.sort(byId);
}

function readImages(top: JsonObject, source: string, folder: string, problems: Problems): ImageRecord[] {
  const reader = new RecordReader(source, problems);
  const seen = new Map<number, number>();
  const found: ImageRecord[] = [];
  arrayOf(top, 'images', source, problems).forEach((value, i) => {
    if (!reader.open(value, `images[${i}]`)) return;
    const id = reader.integer('id');
    const name = reader.text('file_name');
    const width = reader.size('width');
    const height = reader.size('height');
    if (id === undefined || name === undefined || width === undefined || height === undefined) return;
    noteDuplicate(reader, seen, id, i, 'images');
    found.push({ id, name, file: join(folder, name), width, height });
  });
  return found.sort(byId);
}

function noteDuplicate(
  reader: RecordReader,
  seen: Map<number, number>,
  id: number,
  i: number,
  what: string,
): void {
  const first = seen.get(id);
  if (first === undefined) seen.set(id, i);
  else reader.wrong('id', `${id} was used before, by ${what}[${first}]`, 'Ids must be unique.');
}

function readAnnotations(
  top: JsonObject,
  source: string,
  images: ReadonlyMap<number, number>,
  categories: ReadonlyMap<number, number>,
  problems: Problems,
): AnnotationRow[] {
  const reader = new RecordReader(source, problems);
  const seen = new Map<number, number>();
  const rows: AnnotationRow[] = [];
  arrayOf(top, 'annotations', source, problems).forEach((value, i) => {
    if (!reader.open(value, `annotations[${i}]`)) return;
    const id = reader.integer('id');
    const image = lookUp(reader, 'image_id', images, 'images');
    const category = lookUp(reader, 'category_id', categories, 'categories');
    const box = reader.box('bbox');
    const crowd = reader.flag('iscrowd');
    let area = box === undefined ? undefined : box[2] * box[3];
    if (reader.has('area')) area = reader.finite('area');
    if (area !== undefined && area < 0) area = reader.wrong('area', `must not be negative, is ${area}`);
    if (id !== undefined) noteDuplicate(reader, seen, id, i, 'annotations');
    if (id === undefined || image === undefined || category === undefined) return;
    if (box === undefined || crowd === undefined || area === undefined) return;
    rows.push({
      id,
      image,
      category,
      x: box[0],
      y: box[1],
      w: box[2],
      h: box[3],
      area,
      crowd,
      ignore: false,
    });
  });
  return rows;
}

function lookUp(
  reader: RecordReader,
  key: string,
  known: ReadonlyMap<number, number>,
  what: string,
): number | undefined {
  const id = reader.integer(key);
  if (id === undefined) return undefined;
  return known.get(id) ?? reader.wrong(key, `${id} is no id in ${what} of this file`);
}

/**
 * Finds each image's file: under its name, else under the last part of its name
 * (exports often prefix the split's folder).
 */
async function locate(
  images: readonly ImageRecord[],
  folder: string,
  source: string,
): Promise<ImageRecord[]> {
  const present = new Set((await readFolder(folder, 'folder of images')).map((entry) => entry.name));
  const problems = new Problems();
  const found: ImageRecord[] = [];
  for (const image of images) {
    const short = basename(image.name);
    if (present.has(image.name)) found.push(image);
    else if (short !== image.name && (await kindOf(image.file)) === 'file') found.push(image);
    else if (short !== image.name && present.has(short)) found.push({ ...image, file: join(folder, short) });
    else {
      problems.add(
        `${source} images[id ${image.id}].file_name`,
        `${image.name} is not in ${folder}`,
        'Every annotated image must be there: add the file, or take the image and its annotations out.',
      );
    }
  }
  problems.throwIfAny(source);
  return found;
}
