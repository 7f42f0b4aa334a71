/** Which format annotations are in, told from names of files alone. */
import { basename, extname, join } from 'node:path';
import { InputFault } from '../faults/index.js';
import { kindOf, readFolder } from './files.js';
import { configOf } from './yolo.js';

/** Formats of annotations. */
export type AnnotationFormat = 'coco' | 'yolo' | 'voc';

/** What `annotations` turned out to be. */
export interface FoundFormat {
  readonly format: AnnotationFormat;
  /** The file or folder to read: for a folder with one COCO file in it, that file. */
  readonly annotations: string;
}

const WAYS =
  'Name a COCO .json file, a YOLO data.yaml or folder of labels, or a folder of Pascal VOC .xml files; or say which with `validation.format`.';

/** @throws InputFault when a file or folder looks like none of the formats, or like several */
export async function findFormat(annotations: string): Promise<FoundFormat> {
  const kind = await kindOf(annotations);
  if (kind === 'none')
    throw new InputFault({ where: annotations, what: 'there is no such file or folder', fix: WAYS });
  if (kind === 'folder') return ofFolder(annotations);
  const ending = extname(annotations).toLowerCase();
  if (ending === '.json') return { format: 'coco', annotations };
  if (ending === '.txt' && /[\\/]ImageSets[\\/]/.test(annotations)) return { format: 'voc', annotations };
  if (ending === '.yaml' || ending === '.yml') return { format: 'yolo', annotations };
  throw new InputFault({
    where: annotations,
    what: `is no annotation file by its ending ${ending}`,
    fix: WAYS,
  });
}

async function ofFolder(annotations: string): Promise<FoundFormat> {
  const cocoFile = await cocoFileIn(annotations);
  if (cocoFile !== undefined) return { format: 'coco', annotations: cocoFile };
  if ((await configOf(annotations)) !== undefined) return { format: 'yolo', annotations };
  if ((await kindOf(join(annotations, 'Annotations'))) === 'folder') return { format: 'voc', annotations };
  const names = (await readFolder(annotations, 'folder of annotations')).map(({ name }) =>
    name.toLowerCase(),
  );
  const count = (ending: string): number => names.filter((name) => name.endsWith(ending)).length;
  const [xml, txt, json] = [count('.xml'), count('.txt'), count('.json')];
  if (xml > 0 && txt === 0) return { format: 'voc', annotations };
  if (txt > 0 && xml === 0) return { format: 'yolo', annotations };
  throw new InputFault({
    where: annotations,
    what:
      xml > 0 || json > 0
        ? `several formats could be meant: ${xml} .xml, ${txt} .txt and ${json} .json files lie here`
        : 'holds no annotations (.json, .txt or .xml)',
    fix: WAYS,
  });
}

/** The COCO file of an export of Roboflow. */
async function cocoFileIn(folder: string): Promise<string | undefined> {
  const file = join(folder, '_annotations.coco.json');
  return (await kindOf(file)) === 'file' ? file : undefined;
}

/** The folder in which an annotation format keeps its images when none is named; undefined when that is not known. */
export function imagesOfCoco(annotations: string): string | undefined {
  return basename(annotations) === '_annotations.coco.json' ? join(annotations, '..') : undefined;
}
