/** YOLO sets: a text file of labels beside each image, classes named in a data.yaml. */
import { dirname, extname, join, relative, resolve, sep } from 'node:path';
import { InputFault } from '../faults/index.js';
import { filesBelow, kindOf, readBytes, readTextIfThere } from './files.js';
import { looksLikeImage } from './list.js';
import { Problems } from './problems.js';
import { eachOf, measureImages } from './sizes.js';
import { annotationTable, type AnnotationRow } from './table.js';
import { readYoloConfig, type Split } from './yolo-config.js';
import { parseYoloLabels, type YoloLabels } from './yolo-labels.js';
import type { GroundTruth, ImageRecord, Skipped } from './types.js';

/** Where a YOLO set lies. */
export interface YoloSource {
  /** A data.yaml, a folder with one, or a folder of label files with a classes.txt. */
  readonly annotations: string;
  /** Folder of the images; left out, the split of data.yaml tells. */
  readonly images: string | undefined;
  readonly split: Split;
  /** Whether images are turned by EXIF before boxes are laid on them. */
  readonly exif: boolean;
}

interface Layout {
  readonly names: readonly string[];
  /** Absolute paths, sorted, unique. */
  readonly images: readonly string[];
  /** Images listed more than once. */
  readonly repeated: number;
  readonly labelsOf: (image: string) => string;
  readonly labelFiles: number | undefined;
}

/**
 * Reads a YOLO set. Category ids are the class numbers, image ids count from 1 in the order of paths, areas are those
 * of the boxes. Exact repeats of a row are dropped, as Ultralytics does, and an image without a label file has no objects.
 * @throws InputFault naming file and line
 */
export async function loadYolo(source: YoloSource): Promise<GroundTruth> {
  const { names, images: files, repeated, labelsOf, labelFiles } = await layoutOf(source);
  const root = source.images ?? commonFolder(files);
  const problems = new Problems();
  const images = await measureImages(
    files.map((file, i): ImageRecord => {
      return { id: i + 1, file, name: relative(root, file), width: 0, height: 0 };
    }),
    source.exif,
    problems,
  );
  const texts = await eachOf(images, ({ file }) => readTextIfThere(labelsOf(file), 'label file'));
  const labels = texts.map((text, i) =>
    text === undefined
      ? undefined
      : parseYoloLabels(text, labelsOf(files[i] as string), names.length, problems),
  );
  problems.throwIfAny(source.annotations);
  refuseUnlabelled(labels, source, files, labelsOf);
  return {
    source: source.annotations,
    images,
    categories: names.map((name, id) => ({ id, name })),
    annotations: annotationTable(rowsOf(images, labels)),
    skipped: countSkipped(labels, repeated, labelFiles),
  };
}

function rowsOf(
  images: readonly ImageRecord[],
  labels: readonly (YoloLabels | undefined)[],
): AnnotationRow[] {
  const rows: AnnotationRow[] = [];
  labels.forEach((found, image) => {
    const { width, height } = images[image] as ImageRecord;
    for (const { category, x, y, w, h } of found?.rows ?? []) {
      const box = { x: x * width, y: y * height, w: w * width, h: h * height };
      rows.push({
        id: rows.length + 1,
        image,
        category,
        ...box,
        area: box.w * box.h,
        crowd: false,
        ignore: false,
      });
    }
  });
  return rows;
}

function countSkipped(
  labels: readonly (YoloLabels | undefined)[],
  repeated: number,
  labelFiles: number | undefined,
): readonly Skipped[] {
  const sum = (of: (found: YoloLabels) => number): number =>
    labels.reduce((total, found) => total + (found === undefined ? 0 : of(found)), 0);
  const read = labels.filter((found) => found !== undefined).length;
  return [
    { what: 'rows that repeat another exactly, dropped', count: sum(({ duplicates }) => duplicates) },
    { what: 'polygons, read as the boxes around them', count: sum(({ polygons }) => polygons) },
    { what: 'images without a label file, taken as images without objects', count: labels.length - read },
    { what: 'images listed more than once, used once', count: repeated },
    {
      what: 'label files without an image, left out',
      count: labelFiles === undefined ? 0 : labelFiles - read,
    },
  ].filter(({ count }) => count > 0);
}

/** A set of which no label file is found was looked for in the wrong place; judged, it would give nonsense. */
function refuseUnlabelled(
  labels: readonly (YoloLabels | undefined)[],
  { annotations }: YoloSource,
  files: readonly string[],
  labelsOf: (image: string) => string,
): void {
  if (labels.some((found) => found !== undefined)) return;
  const [first = ''] = files;
  throw new InputFault({
    where: annotations,
    what: `none of ${files.length} images has a label file (looked for ${labelsOf(first)})`,
    fix: 'Labels lie in a folder `labels` beside `images`, or name their folder as `validation.annotations`.',
  });
}

async function layoutOf({ annotations, images, split }: YoloSource): Promise<Layout> {
  const config = await configOf(annotations);
  if (config !== undefined) {
    const { names, places } = await readYoloConfig(config, images === undefined ? split : undefined);
    const listed = await listPlaces(images === undefined ? places : [images], dirname(config));
    return { names, ...unique(listed, config), labelsOf: labelsBeside, labelFiles: undefined };
  }
  if (images === undefined)
    throw new InputFault({
      where: annotations,
      what: 'is a folder of labels without a data.yaml, so that the images are unknown',
      fix: 'Name the folder of the images as `validation.images`.',
    });
  const names = await namesBeside(annotations);
  const labelFiles = (await filesBelow(annotations, 'folder of labels')).filter(
    (file) => file.endsWith('.txt') && !NAME_FILES.some((name) => file.endsWith(`${sep}${name}`)),
  );
  const labelsOf = (image: string): string => withTxt(join(annotations, relative(images, image)));
  return {
    names,
    ...unique(await listPlaces([images], images), images),
    labelsOf,
    labelFiles: labelFiles.length,
  };
}

/** The data.yaml that is meant, undefined for a folder without one. */
export async function configOf(annotations: string): Promise<string | undefined> {
  if ((await kindOf(annotations)) !== 'folder') return annotations;
  for (const name of ['data.yaml', 'data.yml', 'dataset.yaml'])
    if ((await kindOf(join(annotations, name))) === 'file') return join(annotations, name);
  return undefined;
}

const NAME_FILES = ['classes.txt', 'obj.names'];

async function namesBeside(labels: string): Promise<readonly string[]> {
  for (const folder of [labels, dirname(labels)])
    for (const name of NAME_FILES) {
      const text = await readTextIfThere(join(folder, name), 'file of names');
      if (text === undefined) continue;
      const names = text.split(/\r\n|\n/).map((line) => line.trim());
      while (names.at(-1) === '') names.pop();
      const bad = names.findIndex((one, i) => one === '' || names.indexOf(one) !== i);
      if (bad < 0 && names.length > 0) return names;
      throw new InputFault({
        where: bad < 0 ? join(folder, name) : `${join(folder, name)}:${bad + 1}`,
        what: bad < 0 ? 'is empty' : names[bad] === '' ? 'is an empty line between names' : 'repeats a name',
        fix: 'One name a line, in the order of the class numbers.',
      });
    }
  throw new InputFault({
    where: labels,
    what: `has neither a data.yaml nor a ${NAME_FILES.join(' or ')} that names the classes`,
    fix: 'Name the data.yaml as `validation.annotations`, or write classes.txt: one name a line, in the order of the numbers.',
  });
}

/** Images of folders (with their subfolders) and of text files that list them. */
async function listPlaces(places: readonly string[], root: string): Promise<string[]> {
  const found: string[] = [];
  for (const place of places) {
    if ((await kindOf(place)) !== 'file')
      found.push(...(await filesBelow(place, 'folder of images')).filter((file) => looksLikeImage(file)));
    else found.push(...(await listFile(place, root)));
  }
  return found;
}

/** Paths in the list are relative to it, else to the set's folder. */
async function listFile(list: string, root: string): Promise<string[]> {
  const lines = (await readBytes(list, 'list of images')).toString('utf8').split(/\r\n|\n/);
  const problems = new Problems();
  const found: string[] = [];
  for (const [i, line] of lines.entries()) {
    const entry = line.trim();
    if (entry === '') continue;
    const candidates = [...new Set([resolve(dirname(list), entry), resolve(root, entry)])];
    let there: string | undefined;
    for (const path of candidates) if (there === undefined && (await kindOf(path)) === 'file') there = path;
    if (there !== undefined) found.push(there);
    else
      problems.add(
        `${list}:${i + 1}`,
        `${entry} is not there (looked at ${candidates.join(', ')})`,
        'Add the image, or take the line out.',
      );
  }
  problems.throwIfAny(list);
  return found;
}

function unique(listed: readonly string[], where: string): Pick<Layout, 'images' | 'repeated'> {
  if (listed.length === 0)
    throw new InputFault({
      where,
      what: 'names no image, so there is nothing to evaluate on',
      fix: 'Put images into the folder that it names, or name another with `validation.images`.',
    });
  const images = [...new Set(listed)].sort();
  return { images, repeated: listed.length - images.length };
}

/** The last folder called `images` becomes `labels`; without one, labels lie beside the image. */
function labelsBeside(image: string): string {
  const at = image.lastIndexOf(`${sep}images${sep}`);
  return withTxt(at < 0 ? image : `${image.slice(0, at)}${sep}labels${sep}${image.slice(at + 8)}`);
}

function withTxt(path: string): string {
  return `${path.slice(0, path.length - extname(path).length)}.txt`;
}

function commonFolder(files: readonly string[]): string {
  const folders = files.map((file) => dirname(file));
  let common = folders[0] ?? '';
  for (const folder of folders)
    while (folder !== common && !folder.startsWith(`${common}${sep}`) && common !== dirname(common))
      common = dirname(common);
  return common;
}
