/** COCO instances JSON. Format: https://cocodataset.org/#format-data (object detection). */
import { basename, join } from 'node:path';
import { InputFault } from '../faults/index.js';
import { Annotations, scanAnnotations, type ScannedAnnotations } from './annotations.js';
import { readBytes, readFolder, kindOf } from './files.js';
import { Problems, show } from './problems.js';
import { RecordReader, arrayOf, isObject } from './records.js';
import { JsonScanner } from './scan.js';
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
export async function loadCoco(
  file: string,
  images: string | undefined,
  options: CocoOptions = {},
): Promise<GroundTruth> {
  const truth = scanCoco(await readBytes(file, 'annotation file'), file, images ?? '', options);
  return images === undefined ? truth : { ...truth, images: await locate(truth.images, images, file) };
}

/** How a file is read. */
export interface CocoOptions {
  /**
   * `refuse` (the default): ids of annotations must be unique. `last`: as pycocotools, every annotation of a repeated
   * id becomes the last one of that id.
   */
  readonly repeatedIds?: 'refuse' | 'last';
}

const SECTIONS = ['images', 'categories', 'annotations'] as const;
const SECTION_KEYS = SECTIONS.map((key) => Buffer.from(key));

/** The records of a section, with at least the known keys. */
type Section = (
  key: 'images' | 'categories',
  known: readonly string[],
  problems: Problems,
) => Iterable<unknown>;

/** The pure part of {@link loadCoco}: annotations go from bytes to columns, an object only for those that are not as expected. */
export function scanCoco(
  bytes: Buffer,
  source: string,
  folder: string,
  options: CocoOptions = {},
): GroundTruth {
  const scanner = new JsonScanner(bytes, source, 'annotation file');
  if (!scanner.startsObject) refuse(source, scanner.startsList ? [] : scanner.value());
  const top: Record<string, unknown> = {};
  const places: number[] = [];
  let rows: ScannedAnnotations | undefined;
  scanner.open();
  for (let i = 0; scanner.next(i, false); i++) {
    const key = scanner.key(SECTION_KEYS);
    if (key < 0) scanner.skip();
    else if (!scanner.startsList) top[SECTIONS[key] as string] = scanner.brief();
    else if (key === 2) rows = scanAnnotations(scanner);
    else {
      // Read again once all is known to be JSON, a record at a time.
      places[key] = scanner.at;
      scanner.skip();
    }
  }
  scanner.end();
  const section: Section = (key, known, problems) => {
    const place = places[SECTIONS.indexOf(key)];
    return place === undefined ? arrayOf(top, key, source, problems) : scanner.recordsAt(place, known);
  };
  return assemble(section, source, folder, options, (annotations, problems) => {
    if (rows === undefined) arrayOf(top, 'annotations', source, problems);
    else annotations.take(rows, scanner);
  });
}

/** {@link loadCoco} on what JSON.parse gave. */
export function parseCoco(
  json: unknown,
  source: string,
  folder: string,
  options: CocoOptions = {},
): GroundTruth {
  if (!isObject(json)) refuse(source, json);
  const section: Section = (key, _, problems) => arrayOf(json, key, source, problems);
  return assemble(section, source, folder, options, (annotations, problems) =>
    arrayOf(json, 'annotations', source, problems).forEach((value, i) => annotations.read(value, i)),
  );
}

function refuse(source: string, json: unknown): never {
  const results = Array.isArray(json) ? ' (this looks like a results file)' : '';
  throw new InputFault({
    where: source,
    what: `a COCO annotation file is an object with images, annotations and categories; this is ${Array.isArray(json) ? 'an array' : show(json)}${results}`,
    fix: 'Name a COCO instances file as `validation.annotations` (`--ground-truth` for `evaluate`).',
  });
}

function assemble(
  section: Section,
  source: string,
  folder: string,
  options: CocoOptions,
  fill: (annotations: Annotations, problems: Problems) => void,
): GroundTruth {
  const problems = new Problems();
  const categories = readCategories(section, source, problems);
  const images = readImages(section, source, folder, problems);
  const annotations = new Annotations(source, problems, images, categories);
  fill(annotations, problems);
  if (images.length === 0 && !problems.any)
    problems.add(
      `${source} images`,
      'is empty: there is nothing to evaluate',
      'Name the annotation file of the validation set.',
    );
  const table = annotations.finish(options.repeatedIds ?? 'refuse');
  problems.throwIfAny(source);
  return { source, images, categories, annotations: table, skipped: [] };
}

function byId(a: { readonly id: number }, b: { readonly id: number }): number {
  return a.id - b.id;
}

function readCategories(section: Section, source: string, problems: Problems): Category[] {
  const reader = new RecordReader(source, problems);
  const seen = new Map<number, number>();
  const found: Category[] = [];
  let i = -1;
  for (const value of section('categories', ['id', 'name'], problems)) {
    if (!reader.open(value, `categories[${++i}]`)) continue;
    const id = reader.integer('id');
    const name = reader.text('name');
    if (id === undefined || name === undefined) continue;
    noteDuplicate(reader, seen, id, i, 'categories');
    found.push({ id, name });
  }
  return found.sort(byId);
}

function readImages(section: Section, source: string, folder: string, problems: Problems): ImageRecord[] {
  const reader = new RecordReader(source, problems);
  const seen = new Map<number, number>();
  const found: ImageRecord[] = [];
  let i = -1;
  for (const value of section('images', ['id', 'file_name', 'width', 'height'], problems)) {
    if (!reader.open(value, `images[${++i}]`)) continue;
    const id = reader.integer('id');
    const name = reader.text('file_name');
    const width = reader.size('width');
    const height = reader.size('height');
    if (id === undefined || name === undefined || width === undefined || height === undefined) continue;
    noteDuplicate(reader, seen, id, i, 'images');
    found.push({ id, name, file: folder === '' ? name : join(folder, name), width, height });
  }
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

/**
 * Finds each image's file: under its name, else under the last part of its name (exports often prefix the split's
 * folder). Accents may be composed in one place and not in the other, and backslashes may stand for slashes.
 */
async function locate(
  images: readonly ImageRecord[],
  folder: string,
  source: string,
): Promise<ImageRecord[]> {
  const present = new Map(
    (await readFolder(folder, 'folder of images')).map(({ name }) => [name.normalize('NFC'), name]),
  );
  const problems = new Problems();
  const found: ImageRecord[] = [];
  for (const image of images) {
    const path = image.name.normalize('NFC').replaceAll('\\', '/');
    const short = basename(path);
    const whole = present.get(image.name.normalize('NFC')) ?? present.get(path);
    if (whole !== undefined) found.push({ ...image, file: join(folder, whole) });
    else if (short !== path && (await kindOf(image.file)) === 'file') found.push(image);
    else if (short !== path && (await kindOf(join(folder, path))) === 'file')
      found.push({ ...image, file: join(folder, path) });
    else if (short !== path && present.has(short))
      found.push({ ...image, file: join(folder, present.get(short) as string) });
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
