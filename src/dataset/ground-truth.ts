import { InputFault } from '../faults/index.js';
import { loadCoco, type CocoOptions } from './coco.js';
import { findFormat, imagesOfCoco, type AnnotationFormat } from './format.js';
import { Problems } from './problems.js';
import { measureImages } from './sizes.js';
import { stratify } from './stratify.js';
import { noteUnits } from './units.js';
import type { GroundTruth, ImageRecord, Skipped } from './types.js';
import { loadVoc } from './voc.js';
import { loadYolo } from './yolo.js';
import type { Split } from './yolo-config.js';

/** Where a labelled set lies. */
export interface GroundTruthSource {
  readonly format: AnnotationFormat | 'auto';
  /** A file or a folder, as the format has it. */
  readonly annotations: string;
  /** Folder of the images. Left out: the format's own place. */
  readonly images?: string | undefined;
  /** Only boxes matter: images of COCO sets are not looked for. */
  readonly boxesOnly?: boolean;
  /** What repeated annotation ids of a COCO file mean, with `boxesOnly`; `refuse` when left out. */
  readonly repeatedIds?: CocoOptions['repeatedIds'];
  /** Split of a YOLO data.yaml or of VOC's `ImageSets/Main`; `val` when left out. */
  readonly split?: Split | undefined;
  /** Use only this many images, classes in about the proportions of the set. */
  readonly limit?: number | undefined;
  /** Seed of the choice by `limit`; 0 when left out. */
  readonly seed?: number | undefined;
  /** Whether images are turned as their EXIF orientation says; true when left out. */
  readonly exif?: boolean | undefined;
}

/**
 * Loads a labelled set, with the sizes of its images held against their headers.
 * @throws InputFault naming file, record or line, and key of every mistake
 */
export async function loadGroundTruth(source: GroundTruthSource): Promise<GroundTruth> {
  const whole = await loadWhole(source);
  if (source.limit === undefined || source.limit >= whole.images.length) return whole;
  const kept = stratify(whole, source.limit, source.seed ?? 0);
  const skipped = { what: 'images left out by the limit', count: whole.images.length - kept.length };
  return { ...pickImages(whole, kept), skipped: [...whole.skipped, skipped] };
}

async function loadWhole(source: GroundTruthSource): Promise<GroundTruth> {
  const { split = 'val', exif = true } = source;
  const { format, annotations } =
    source.format === 'auto' || source.format === 'coco'
      ? await settle(source.format, source.annotations)
      : { format: source.format, annotations: source.annotations };
  const { images } = source;
  switch (format) {
    case 'yolo':
      return loadYolo({ annotations, images, split, exif });
    case 'voc':
      return loadVoc({ annotations, images, exif, split });
    case 'coco':
      return source.boxesOnly === true
        ? loadCoco(annotations, undefined, { repeatedIds: source.repeatedIds ?? 'refuse' })
        : loadCocoMeasured(annotations, images ?? imagesOfCoco(annotations), exif);
  }
}

/** `coco` may be said of a folder that holds an export's annotation file. */
async function settle(
  format: 'auto' | 'coco',
  annotations: string,
): Promise<{ readonly format: AnnotationFormat; readonly annotations: string }> {
  if (format === 'auto') return findFormat(annotations);
  const found = await findFormat(annotations).catch((error: unknown) => {
    if (error instanceof InputFault) return undefined; // any ending may hold COCO when it is said to
    throw error;
  });
  return { format, annotations: found?.format === 'coco' ? found.annotations : annotations };
}

async function loadCocoMeasured(
  file: string,
  folder: string | undefined,
  exif: boolean,
): Promise<GroundTruth> {
  if (folder === undefined)
    throw new InputFault({
      where: file,
      what: 'is COCO, which does not say where the images lie',
      fix: 'Name their folder as `validation.images`.',
    });
  const truth = await loadCoco(file, folder);
  const problems = new Problems();
  const images = await measureImages(truth.images, exif, problems);
  const measured = { ...truth, images };
  noteUnits(measured, problems);
  if (!problems.any) noteOutside(measured, problems);
  problems.throwIfAny(file);
  return { ...measured, skipped: [...truth.skipped, ...oddBoxes(measured)] };
}

/** A box wholly outside its image was made for another one. */
function noteOutside({ source, images, annotations }: GroundTruth, problems: Problems): void {
  const { bbox, image, id, count } = annotations;
  for (let row = 0; row < count; row++) {
    const { width, height } = images[image[row] as number] as ImageRecord;
    const [x, y, w, h] = bbox.subarray(4 * row, 4 * row + 4) as unknown as [number, number, number, number];
    if (x <= width && y <= height && x + w >= 0 && y + h >= 0) continue;
    problems.add(
      `${source} annotations[id ${id[row] as number}].bbox`,
      `[${x}, ${y}, ${w}, ${h}] lies outside its image of ${width}×${height} pixels`,
      'Correct or remove the annotation.',
    );
  }
}

/** Boxes that pycocotools takes and that can hardly be found; the count is told. */
function oddBoxes({ images, annotations }: GroundTruth): readonly Skipped[] {
  const { bbox, image, count } = annotations;
  let [empty, beyond] = [0, 0];
  for (let row = 0; row < count; row++) {
    const { width, height } = images[image[row] as number] as ImageRecord;
    const [x, y, w, h] = bbox.subarray(4 * row, 4 * row + 4) as unknown as [number, number, number, number];
    if (w === 0 || h === 0) empty++;
    // Boxes are often rounded up at the border: a pixel is no mistake.
    if (x < -1 || y < -1 || x + w > width + 1 || y + h > height + 1) beyond++;
  }
  return [
    { what: 'boxes without area, kept as in pycocotools: no detection can match them', count: empty },
    { what: 'boxes that reach beyond the image, used as they are', count: beyond },
  ].filter((found) => found.count > 0);
}

/** How many boxes each category has, by its index. */
export function boxesByCategory({ categories, annotations }: GroundTruth): Int32Array {
  const boxes = new Int32Array(categories.length);
  for (const category of annotations.category) boxes[category] = (boxes[category] as number) + 1;
  return boxes;
}

/** The set cut to the images at these places (ascending), with their annotations. */
export function pickImages(truth: GroundTruth, kept: readonly number[]): GroundTruth {
  const place = new Map(kept.map((index, i) => [index, i]));
  const { annotations } = truth;
  const rows = Array.from(annotations.image.keys()).filter((row) =>
    place.has(annotations.image[row] as number),
  );
  return {
    ...truth,
    images: kept.map((index) => truth.images[index] as GroundTruth['images'][number]),
    annotations: {
      count: rows.length,
      image: Int32Array.from(rows, (row) => place.get(annotations.image[row] as number) as number),
      category: Int32Array.from(rows, (row) => annotations.category[row] as number),
      bbox: Float64Array.from(rows.flatMap((row) => [...annotations.bbox.subarray(4 * row, 4 * row + 4)])),
      area: Float64Array.from(rows, (row) => annotations.area[row] as number),
      crowd: Uint8Array.from(rows, (row) => annotations.crowd[row] as number),
      ignore: Uint8Array.from(rows, (row) => annotations.ignore[row] as number),
      id: Float64Array.from(rows, (row) => annotations.id[row] as number),
    },
  };
}
