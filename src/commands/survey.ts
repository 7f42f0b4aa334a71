/** What lies in a folder: models, labelled sets and folders of images. */
import type { Dirent } from 'node:fs';
import { access, open, readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { loadGroundTruth, looksLikeImage, type AnnotationFormat } from '../dataset/index.js';
import { InputFault, systemCode } from '../faults/index.js';

/** Folders that never hold a user's data. */
const SKIPPED = new Set(['node_modules', '.git', 'dist', 'build', 'int8-gate-report', 'venv', '__pycache__']);
const DEPTH = 4;
/** What tells a YOLO data.yaml, whatever its name, from other YAML; and a label file from other text. */
const CONFIG = /^names:[^]*^(val|train|test):|^(val|train|test):[^]*^names:/m;
const LABELS = /^\s*\d+([ \t]+-?\d*\.?\d+(e-?\d+)?){4,}\s*$/im;
/** Bytes of a file that are looked at to tell what it is. */
const HEAD = 64_000;
/** Images of COCO annotations that are looked for in a folder. */
const LOOKED_FOR = 20;
/** Text files of a folder that are looked at. */
const TRIED = 3;

/** A file or folder that may hold annotations. */
export interface Candidate {
  readonly path: string;
  readonly format: AnnotationFormat;
}

/** What was found below a folder. */
export interface Survey {
  readonly models: string[];
  readonly annotations: Candidate[];
  /** Folders of YOLO label files. */
  readonly labels: string[];
  /** Folders that hold images, with how many. */
  readonly folders: Map<string, number>;
}

/** Looks through a folder and its subfolders, a few deep. */
export async function survey(folder: string): Promise<Survey> {
  const found: Survey = { models: [], annotations: [], labels: [], folders: new Map() };
  await look(folder, DEPTH, found, new Set());
  return found;
}

async function look(folder: string, depth: number, found: Survey, seen: Set<string>): Promise<void> {
  // A folder that links lead to twice is one folder.
  const real = await realpath(folder);
  if (seen.has(real)) return;
  seen.add(real);
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (systemCode(error) === 'EACCES') return []; // a folder that we may not read holds no input of ours
    throw error;
  });
  let images = 0;
  let xml: string | undefined;
  const texts: string[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (await leadsToFolder(entry, path)) {
      if (depth > 0 && !SKIPPED.has(entry.name)) await look(path, depth - 1, found, seen);
    } else if (entry.name.endsWith('.onnx')) found.models.push(path);
    else if (entry.name.endsWith('.json')) found.annotations.push({ path, format: 'coco' });
    else if (/\.ya?ml$/i.test(entry.name)) {
      if (CONFIG.test(await headOf(path))) found.annotations.push({ path, format: 'yolo' });
    } else if (entry.name.endsWith('.xml')) xml ??= path;
    else if (entry.name.endsWith('.txt')) texts.push(path);
    else if (looksLikeImage(entry.name)) images++;
  }
  if (images > 0) found.folders.set(folder, images);
  if (xml !== undefined && (await headOf(xml)).includes('<annotation'))
    found.annotations.push({ path: folder, format: 'voc' });
  for (const path of texts.slice(0, TRIED))
    if (LABELS.test(await headOf(path))) {
      found.labels.push(folder);
      break;
    }
}

async function headOf(file: string): Promise<string> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD), 0, HEAD, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Data sets are often linked into a project; a link that leads nowhere is none. */
async function leadsToFolder(entry: Dirent, path: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  return stat(path).then(
    (target) => target.isDirectory(),
    () => false,
  );
}

/** Several things could be meant: whoever can ask may ask. */
export class ChoiceFault extends InputFault {
  constructor(
    readonly what: string,
    readonly options: readonly string[],
    fix: string,
  ) {
    super({ where: what, what: `several could be meant: ${options.map(shown).join(', ')}`, fix });
  }
}

function shown(path: string): string {
  return relative(process.cwd(), path);
}

/** The one that is found. @throws InputFault when there is none, ChoiceFault when there is a choice to make. */
export function only(found: readonly string[], what: string, flag: string, kind: string): string {
  if (found.length === 1) return found[0] as string;
  const fix = `Name ${kind} with \`${flag}\`.`;
  if (found.length > 1) throw new ChoiceFault(what, found, fix);
  throw new InputFault({ where: what, what: `none is found in this folder and those below`, fix });
}

/**
 * The annotations of the validation set: the only ones, else the only ones whose name speaks of validation.
 * @throws InputFault when there are none, or a choice to make
 */
export async function annotationsIn({ annotations, labels }: Survey): Promise<string> {
  const found: string[] = [];
  for (const { path, format } of annotations) if (format !== 'coco' || (await isCoco(path))) found.push(path);
  // Labels belong to a data.yaml or other annotations, where there are any.
  if (found.length === 0) found.push(...labels);
  const speaking = found.filter((path) => /val/i.test(relative(process.cwd(), path)));
  const kind = 'annotations (COCO .json, YOLO data.yaml or folder of labels, or a folder of Pascal VOC .xml)';
  return only(speaking.length === 1 ? speaking : found, 'annotations', '--annotations', kind);
}

async function isCoco(file: string): Promise<boolean> {
  try {
    await loadGroundTruth({ format: 'coco', annotations: file, boxesOnly: true });
    return true;
  } catch (error) {
    if (!(error instanceof InputFault)) throw error; // other JSON is not what we look for
    return false;
  }
}

/**
 * The folder that holds the images of COCO annotations or of a folder of labels; undefined for formats that tell it
 * themselves.
 * @throws InputFault when no folder holds the first image, ChoiceFault when several do and none is called like the annotations
 */
export async function imagesOf(
  annotations: string,
  { folders, labels }: Survey,
): Promise<string | undefined> {
  if (labels.includes(annotations)) return imagesBeside(annotations, folders);
  if (!annotations.endsWith('.json')) return undefined;
  const truth = await loadGroundTruth({ format: 'coco', annotations, boxesOnly: true });
  const names = truth.images.slice(0, LOOKED_FOR).map(({ name }) => name);
  // Where one image is missing, loading names it; here the folder is to be found all the same.
  for (const some of [names, names.slice(0, 1)]) {
    const holding: string[] = [];
    for (const folder of folders.keys()) if (await holdsAll(folder, some)) holding.push(folder);
    if (holding.length > 0) return likeliest(holding, annotations);
  }
  throw new InputFault({
    where: shown(annotations),
    what: `no folder here holds its images (looked for ${names[0] ?? 'any, it lists none'})`,
    fix: 'Name the folder with `--images`.',
  });
}

/**
 * Of folders that hold images of the same names the one whose path is most like that of the annotations: `data/val` for
 * `data/val.json`, `images/val2017` for `annotations/instances_val2017.json`.
 * @throws ChoiceFault when several are as like
 */
function likeliest(folders: readonly string[], annotations: string): string {
  const words = partsOf(annotations);
  const alike = folders.map((folder) => [...partsOf(folder)].filter((word) => words.has(word)).length);
  const most = Math.max(...alike);
  return only(
    folders.filter((_, i) => alike[i] === most),
    'images',
    '--images',
    'the folder of the annotated images',
  );
}

/** Words of a path below this folder, without endings. */
function partsOf(path: string): ReadonlySet<string> {
  const parts = relative(process.cwd(), path).toLowerCase().split(sep);
  return new Set(parts.flatMap((part) => [part, ...part.replace(/\.json$/, '').split(/[_.-]/)]));
}

/** `images/val` for `labels/val`; else the folder itself, where images lie among the labels. */
function imagesBeside(labels: string, folders: Survey['folders']): string {
  const parts = labels.split(sep);
  const at = parts.lastIndexOf('labels');
  const beside = at < 0 ? labels : parts.with(at, 'images').join(sep);
  for (const folder of [beside, labels]) if (folders.has(folder)) return folder;
  throw new InputFault({
    where: shown(labels),
    what: `no images lie in ${shown(beside)}, where those of a folder of labels are looked for`,
    fix: 'Name the folder with `--images`.',
  });
}

async function holdsAll(folder: string, names: readonly string[]): Promise<boolean> {
  for (const name of names)
    if (
      !(await access(join(folder, name)).then(
        () => true,
        () => false,
      ))
    )
      return false;
  return names.length > 0;
}

/**
 * The folder whose name speaks of calibration or training, else the only one that holds no validation image.
 * @throws InputFault when there is none, or a choice to make
 */
export function calibrationOf({ folders }: Survey, validation: ReadonlySet<string>): string {
  const names = [...folders.keys()].filter((folder) => !validation.has(resolve(folder))).sort();
  const speaking = names.filter((path) => /calib/i.test(relative(process.cwd(), path)));
  const training = names.filter((path) => /train/i.test(relative(process.cwd(), path)));
  return only(
    speaking.length > 0 ? speaking : training.length > 0 ? training : names,
    'calibration',
    '--calibration',
    'a folder of calibration images',
  );
}
