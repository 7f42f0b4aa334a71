/** Pascal VOC sets: an XML file for each image. */
import { basename, dirname, extname, join, relative } from 'node:path';
import { InputFault } from '../faults/index.js';
import { filesBelow, kindOf, readBytes } from './files.js';
import { looksLikeImage } from './list.js';
import { Problems } from './problems.js';
import { eachOf, measureImages } from './sizes.js';
import { annotationTable, type AnnotationRow } from './table.js';
import { parseVoc, type VocFile } from './voc-xml.js';
import type { GroundTruth, ImageRecord, Skipped } from './types.js';
import type { Split } from './yolo-config.js';

/** Where a VOC set lies. */
export interface VocSource {
  /** A folder of XML files, one that holds it as `Annotations`, or a list of its images, as `ImageSets/Main/val.txt`. */
  readonly annotations: string;
  /** Folder of the images; left out, `JPEGImages` beside the annotations, else the annotations' own folder. */
  readonly images: string | undefined;
  /** Whether images are turned by EXIF before boxes are laid on them. */
  readonly exif: boolean;
  /** The list `ImageSets/Main/<split>.txt` that tells which images are meant, where a set has it. */
  readonly split: Split;
}

/**
 * Reads a VOC set. Categories are the names that occur, in code-unit order, ids from 1; image ids count from 1 in the
 * order of the XML files; `difficult` objects are ignored: finding them neither helps nor hurts.
 * @throws InputFault naming file, line and key
 */
export async function loadVoc({ annotations, images, exif, split }: VocSource): Promise<GroundTruth> {
  const { folder, list } = await placesOf(annotations, split);
  const all = (await filesBelow(folder, 'folder of annotations')).filter((file) => /\.xml$/i.test(file));
  const files = list === undefined ? all : await listed(list, folder, all);
  if (files.length === 0)
    throw new InputFault({
      where: annotations,
      what: 'holds no .xml file, so there is nothing to evaluate on',
      fix: 'Name the folder that holds the .xml files as `validation.annotations`.',
    });
  const problems = new Problems();
  const texts = await eachOf(files, (file) => readBytes(file, 'annotation file'));
  const parsed = texts.map((text, i) => parseVoc(text.toString('utf8'), files[i] as string, problems));
  problems.throwIfAny(annotations);
  const found = parsed as VocFile[]; // undefined only with a problem noted
  const place = await imagesBeside(folder, images);
  const present = await filesBelow(place, 'folder of images');
  const records = pairUp(files, found, { folder, place, present }, problems);
  problems.throwIfAny(annotations);
  const measured = await measureImages(records, exif, problems);
  problems.throwIfAny(annotations);
  const categories = [...new Set(found.flatMap(({ objects }) => objects.map(({ name }) => name)))].sort();
  const rows = rowsOf(files, found, measured, categories, problems);
  problems.throwIfAny(annotations);
  return {
    source: annotations,
    images: measured,
    categories: categories.map((name, i) => ({ id: i + 1, name })),
    annotations: annotationTable(rows),
    skipped: countSkipped(found, measured, rows, {
      // With a list, images without an annotation are those of other splits.
      withoutFile: list === undefined ? unused(present, measured) : 0,
      unlisted: all.length - files.length,
    }),
  };
}

function rowsOf(
  files: readonly string[],
  found: readonly VocFile[],
  images: readonly ImageRecord[],
  categories: readonly string[],
  problems: Problems,
): AnnotationRow[] {
  const index = new Map(categories.map((name, i) => [name, i]));
  const rows: AnnotationRow[] = [];
  found.forEach(({ objects }, image) => {
    const { width, height } = images[image] as ImageRecord;
    objects.forEach(({ line, name, difficult, x, y, w, h }, i) => {
      if (x >= width || y >= height || x + w <= 0 || y + h <= 0)
        problems.add(
          `${files[image] as string}:${line} object[${i}].bndbox`,
          `lies outside the image of ${width}×${height} pixels`,
          'Correct or remove the object.',
        );
      rows.push({
        id: rows.length + 1,
        image,
        category: index.get(name) as number,
        x,
        y,
        w,
        h,
        area: w * h,
        crowd: false,
        ignore: difficult,
      });
    });
  });
  return rows;
}

function countSkipped(
  found: readonly VocFile[],
  images: readonly ImageRecord[],
  rows: readonly AnnotationRow[],
  { withoutFile, unlisted }: { readonly withoutFile: number; readonly unlisted: number },
): readonly Skipped[] {
  const objects = found.flatMap((file) => file.objects);
  const beyond = rows.filter(({ image, x, y, w, h }) => {
    const { width, height } = images[image] as ImageRecord;
    return x + w > width || y + h > height;
  });
  return [
    { what: 'objects marked difficult, ignored', count: rows.filter(({ ignore }) => ignore).length },
    {
      what: 'boxes that begin at 0 though VOC counts from 1, read as VOC has it',
      count: objects.filter(({ fromZero }) => fromZero).length,
    },
    { what: 'boxes that reach beyond the image, used as they are', count: beyond.length },
    { what: 'images without an annotation file, left out', count: withoutFile },
    { what: 'annotation files that the split does not list, left out', count: unlisted },
  ].filter(({ count }) => count > 0);
}

function unused(present: readonly string[], images: readonly ImageRecord[]): number {
  const used = new Set(images.map(({ file }) => file));
  return present.filter((file) => looksLikeImage(file) && !used.has(file)).length;
}

/** Where the XML files are, and the list of those that are meant. */
async function placesOf(
  annotations: string,
  split: Split,
): Promise<{ readonly folder: string; readonly list: string | undefined }> {
  if ((await kindOf(annotations)) === 'file') {
    // ImageSets/Main lies beside Annotations.
    const folder = join(dirname(annotations), '..', '..', 'Annotations');
    if ((await kindOf(folder)) === 'folder') return { folder, list: annotations };
    throw new InputFault({
      where: annotations,
      what: `is a file, and there is no folder ${folder}`,
      fix: 'Name the folder of the .xml files, or a list in the `ImageSets/Main` beside `Annotations`.',
    });
  }
  const inside = join(annotations, 'Annotations');
  if ((await kindOf(inside)) !== 'folder') return { folder: annotations, list: undefined };
  const list = join(annotations, 'ImageSets', 'Main', `${split}.txt`);
  return { folder: inside, list: (await kindOf(list)) === 'file' ? list : undefined };
}

/** The XML files of a list: a name a line, in lists of single classes with a flag behind it. */
async function listed(list: string, folder: string, all: readonly string[]): Promise<string[]> {
  const known = new Map(all.map((file) => [withoutEnding(relative(folder, file)), file]));
  const lines = (await readBytes(list, 'list of images')).toString('utf8').split(/\r\n|\n/);
  const problems = new Problems();
  const found = new Set<string>();
  lines.forEach((line, i) => {
    const [name = ''] = line.trim().split(/\s+/);
    if (name === '') return;
    const file = known.get(name);
    if (file === undefined)
      problems.add(
        `${list}:${i + 1}`,
        `there is no ${join(folder, name)}.xml`,
        'Add the annotation file, or take the line out.',
      );
    else found.add(file);
  });
  problems.throwIfAny(list);
  return [...found].sort();
}

async function imagesBeside(annotations: string, images: string | undefined): Promise<string> {
  if (images !== undefined) return images;
  const beside = join(dirname(annotations), 'JPEGImages');
  return (await kindOf(beside)) === 'folder' ? beside : annotations;
}

interface Places {
  readonly folder: string;
  readonly place: string;
  readonly present: readonly string[];
}

/** Each annotation's image: by `filename`, else by the name of the XML file, whatever the image's ending. */
function pairUp(
  files: readonly string[],
  found: readonly VocFile[],
  { folder, place, present }: Places,
  problems: Problems,
): ImageRecord[] {
  const known = new Set(present);
  const byStem = new Map(present.filter(looksLikeImage).map((file) => [withoutEnding(file), file]));
  const taken = new Map<string, string>();
  return files.flatMap((xml, i): ImageRecord[] => {
    const { filename, width, height } = found[i] as VocFile;
    const stem = withoutEnding(join(place, relative(folder, xml)));
    const named =
      filename === undefined ? [] : [join(dirname(stem), filename), join(place, basename(filename))];
    const file = named.find((path) => known.has(path)) ?? byStem.get(stem);
    if (file === undefined) {
      problems.add(
        xml,
        `its image ${filename ?? basename(stem)} is not in ${place}`,
        'Add the image, remove the annotation, or name the folder as `validation.images`.',
      );
      return [];
    }
    const other = taken.get(file);
    if (other !== undefined)
      problems.add(
        xml,
        `its image ${basename(file)} is annotated already, by ${other}`,
        'Keep one of the two.',
      );
    taken.set(file, xml);
    return [{ id: i + 1, file, name: relative(place, file), width, height }];
  });
}

function withoutEnding(path: string): string {
  return path.slice(0, path.length - extname(path).length);
}
