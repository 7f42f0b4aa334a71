/** A project whose every name is hostile: of layers, tensors, classes, images and the model's file. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeModel, parseModel, type ModelProto } from '../../src/onnx/index.js';
import { SIGNS } from '../commands/child.js';
import { NASTY } from './hostile.js';

/** In every hostile name, so that what was made of it can be found. */
export const MARK = 'pwned';

/** What stands in UTF-8 and in a path, the two limits on names of models and files. */
const USABLE = NASTY.filter((text) => !/\p{Surrogate}|\0/u.test(text));

/** The `i`-th name: begins with one nasty text, holds another, and is no other's. */
export function hostileName(i: number): string {
  const at = (index: number): string => USABLE[index % USABLE.length] as string;
  return `${at(i)}${MARK}${at(i * 7 + 3)}_${i}`;
}

/** The same for one file in a folder. */
const hostileFile = (i: number, ending: string): string =>
  `${hostileName(i).replaceAll('/', '\u2215')}${ending}`;

/** Renames nodes and tensors, and the classes in the metadata. */
function renameAll({ graph, metadataProps }: ModelProto): void {
  if (graph === undefined) throw new Error('a model without graph');
  const renamed = new Map<string, string>([['', '']]);
  const rename = (name: string): string => {
    const known = renamed.get(name) ?? hostileName(1000 + renamed.size);
    renamed.set(name, known);
    return known;
  };
  graph.name = hostileName(999);
  graph.node.forEach((node, i) => {
    node.name = hostileName(i);
    node.input = node.input.map(rename);
    node.output = node.output.map(rename);
  });
  for (const one of [...graph.input, ...graph.output, ...graph.valueInfo, ...graph.initializer])
    one.name = rename(one.name);
  for (const one of metadataProps) if (one.key === 'names') one.value = pythonDict(CLASSES);
}

const CLASSES = Array.from({ length: 8 }, (_, i) => hostileName(i * 8));
const pythonDict = (names: readonly string[]): string =>
  `{${names.map((name, i) => `${i}: '${name.replaceAll(/[\\']/g, '\\$&')}'`).join(', ')}}`;

interface Coco {
  readonly images: { id: number; file_name: string }[];
  readonly annotations: { image_id: number }[];
  readonly categories: { name: string }[];
}

const [VALIDATION, CALIBRATION] = [4, 4];

/** Writes the signs detector and a few of its images so; each threshold fails. `change` edits the annotations. */
export async function makeHostileProject(folder: string, change = (_: Coco): void => {}): Promise<void> {
  const { proto } = parseModel(await readFile(join(SIGNS, 'models', 'signs-v10.onnx')), 'signs');
  renameAll(proto);
  const model = hostileFile(0, '.onnx');
  await writeFile(join(folder, model), encodeModel(proto));

  await mkdir(join(folder, 'val'));
  await mkdir(join(folder, 'calib'));
  const all = JSON.parse(await readFile(join(SIGNS, 'val.json'), 'utf8')) as Coco;
  const images = all.images.slice(0, VALIDATION);
  const ids = new Set(images.map(({ id }) => id));
  for (const [i, image] of images.entries()) {
    const name = hostileFile(i * 9, '.jpg');
    await cp(join(SIGNS, 'val', image.file_name), join(folder, 'val', name));
    image.file_name = name;
  }
  for (let i = 0; i < CALIBRATION; i++)
    await cp(join(SIGNS, 'calib', `30000${i}.jpg`), join(folder, 'calib', hostileFile(i * 10 + 1, '.jpg')));
  const annotations: Coco = {
    images,
    annotations: all.annotations.filter((one) => ids.has(one.image_id)),
    categories: all.categories.map((one, i) => ({ ...one, name: CLASSES[i] as string })),
  };
  change(annotations);
  await writeFile(join(folder, 'val.json'), JSON.stringify(annotations));

  // JSON is YAML, and takes every character.
  const settings = {
    version: 1,
    model,
    validation: { images: 'val', annotations: 'val.json' },
    calibration: { images: 'calib' },
    gate: {
      thresholds: { 'mAP50-95': { min: 1 }, classAP: { min: 1, minBoxes: 1 } },
      resamples: 100,
    },
    sensitivity: { images: 1, maxFloatLayers: 1, calibrators: [] },
    report: { keepModels: false, images: 3, audit: true },
  };
  await writeFile(join(folder, 'int8-gate.yml'), JSON.stringify(settings, null, 2));
}
