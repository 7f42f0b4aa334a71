import { readdir, rename, writeFile, access } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { chooseDecoder, inferPreprocessing, type ModelView } from '../detection/index.js';
import { listImages, loadGroundTruth, looksLikeImage } from '../dataset/index.js';
import { createOnnxRuntimeEngine } from '../engine/index.js';
import { InputFault, systemCode } from '../faults/index.js';
import { buildGraph, encodeModel, readModel } from '../onnx/index.js';
import { terminalText } from '../report/index.js';
import { loadSettings } from '../settings/index.js';

/** What the user says; the rest is looked for. */
export interface InitOptions {
  readonly config: string;
  readonly model?: string;
  readonly images?: string;
  readonly annotations?: string;
  readonly calibration?: string;
  readonly force?: boolean;
}

/** Folders that never hold a user's data. */
const SKIPPED = new Set(['node_modules', '.git', 'dist', 'build', 'int8-gate-report', 'venv', '__pycache__']);
const DEPTH = 4;

interface Survey {
  readonly models: string[];
  readonly annotations: string[];
  /** Folders that hold images, with how many. */
  readonly folders: Map<string, number>;
}

/** Writes a commented settings file after looking at model and data; answers what it found. */
export async function init(options: InitOptions): Promise<string> {
  const file = resolve(options.config);
  if (
    options.force !== true &&
    (await access(file).then(
      () => true,
      () => false,
    ))
  )
    throw new InputFault({
      where: options.config,
      what: 'exists already',
      fix: 'Use `--force` to overwrite it, or name another file with `--config`.',
    });
  const survey: Survey = { models: [], annotations: [], folders: new Map() };
  await look(process.cwd(), DEPTH, survey);
  const model = options.model ?? only(survey.models, 'model', '--model', 'an .onnx file');
  const annotations =
    options.annotations ??
    only(await cocoFiles(survey.annotations), 'annotations', '--annotations', 'a COCO annotation file');
  const images = options.images ?? (await imagesOf(annotations, survey.folders));
  const others = new Map([...survey.folders].filter(([folder]) => resolve(folder) !== resolve(images)));
  const calibration = options.calibration ?? calibrationOf(others);
  const found = await inspect(model, annotations, images, calibration);
  const to = (path: string): string => JSON.stringify(relative(dirname(file), resolve(path)) || '.');
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(
    temporary,
    settingsText(
      { model: to(model), annotations: to(annotations), images: to(images), calibration: to(calibration) },
      found,
    ),
  );
  await rename(temporary, file);
  await loadSettings(file);
  return [`Wrote ${options.config}`, ...found.map((line) => `  ${line}`), 'Next: int8-gate run'].join('\n');
}

async function look(folder: string, depth: number, survey: Survey): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (systemCode(error) === 'EACCES') return []; // a folder that we may not read holds no input of ours
    throw error;
  });
  let images = 0;
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (depth > 0 && !SKIPPED.has(entry.name)) await look(path, depth - 1, survey);
    } else if (entry.name.endsWith('.onnx')) survey.models.push(path);
    else if (entry.name.endsWith('.json')) survey.annotations.push(path);
    else if (looksLikeImage(entry.name)) images++;
  }
  if (images > 0) survey.folders.set(folder, images);
}

function only(found: readonly string[], what: string, flag: string, kind: string): string {
  if (found.length === 1) return found[0] as string;
  const list = found.map((path) => relative(process.cwd(), path)).join(', ');
  throw new InputFault({
    where: what,
    what:
      found.length === 0
        ? `no ${kind.replace(/^an? /, '')} lies in this folder`
        : `several could be meant: ${list}`,
    fix: `Name ${kind} with \`${flag}\`.`,
  });
}

/** JSON files that are COCO annotations. */
async function cocoFiles(files: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const file of files) {
    try {
      await loadGroundTruth({ format: 'coco', annotations: file, boxesOnly: true });
      found.push(file);
    } catch (error) {
      if (!(error instanceof InputFault)) throw error; // other JSON is not what we look for
    }
  }
  return found;
}

/** The folder that holds the first image of the annotations. */
async function imagesOf(annotations: string, folders: ReadonlyMap<string, number>): Promise<string> {
  const truth = await loadGroundTruth({ format: 'coco', annotations, boxesOnly: true });
  const name = truth.images[0]?.name ?? '';
  for (const folder of folders.keys())
    if (
      await access(join(folder, name)).then(
        () => true,
        () => false,
      )
    )
      return folder;
  throw new InputFault({
    where: annotations,
    what: `no folder here holds its images (looked for ${name})`,
    fix: 'Name the folder with `--images`.',
  });
}

/** The folder whose name speaks of calibration or training, else the only other one. */
function calibrationOf(folders: ReadonlyMap<string, number>): string {
  const names = [...folders.keys()].sort();
  const speaking = names.filter((path) => /calib/i.test(path));
  const training = names.filter((path) => /train/i.test(path));
  return only(
    speaking.length > 0 ? speaking : training.length > 0 ? training : names,
    'calibration',
    '--calibration',
    'a folder of calibration images',
  );
}

/** Reads everything once, so that the settings are known to work. */
async function inspect(
  path: string,
  annotations: string,
  images: string,
  calibration: string,
): Promise<string[]> {
  const model = await readModel(path);
  const engine = await createOnnxRuntimeEngine({ threads: 1, batch: 1 });
  try {
    const session = await engine.load({ name: model.name, bytes: encodeModel(model.proto) });
    const view: ModelView = {
      inputs: session.inputs,
      outputs: session.outputs,
      metadata: buildGraph(model).metadata,
    };
    const choice = chooseDecoder(view);
    const { spec, reasons } = inferPreprocessing(view, choice);
    const truth = await loadGroundTruth({ format: 'coco', annotations, images });
    const records = await listImages(calibration);
    return [
      `decoder ${choice.decoder.format}: ${choice.why.join('; ')}`,
      `preprocessing ${spec.width}×${spec.height}: ${reasons.join('; ')}`,
      `${truth.images.length} validation images with ${truth.annotations.count} boxes of ${truth.categories.length} classes`,
      `${records.length} calibration images in ${relative(process.cwd(), resolve(calibration)) || '.'}`,
    ].map(terminalText); // names come from the model: none may end the comment that it stands in
  } finally {
    await engine.close();
  }
}

function settingsText(
  paths: Readonly<Record<'model' | 'images' | 'annotations' | 'calibration', string>>,
  found: readonly string[],
): string {
  return `# Settings of int8-gate. Reference: docs/settings.md
# Found:
${found.map((line) => `#   ${line}`).join('\n')}
version: 1

# The FP32 detector. Outputs and preprocessing are found out; see \`decoder\` and \`preprocessing\` to declare them.
model: ${paths.model}

# Labelled images that mAP is measured on. More images, narrower intervals: 500 or more are worth having.
validation:
  images: ${paths.images}
  annotations: ${paths.annotations}

# Images that INT8 ranges are taken from, without labels. They should show all that production shows.
calibration:
  images: ${paths.calibration}
  calibrator: percentile

quantization:
  operators: tensorrt # placement of Q/DQ that TensorRT fuses; the head stays float

gate:
  candidate: mixed # judge the cheapest mixed-precision engine; \`int8\` judges INT8 without a search
  thresholds:
    mAP50-95:
      maxDrop: 0.02 # below FP32; two points
`;
}
