import { access, rename, writeFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import {
  chooseDecoder,
  inferPreprocessing,
  mapClasses,
  refusePlugins,
  type Decoder,
  type ModelView,
} from '../detection/index.js';
import { boxesByCategory, listImages, loadGroundTruth, type GroundTruth } from '../dataset/index.js';
import { createOnnxRuntimeEngine } from '../engine/index.js';
import { InputFault, type Problem } from '../faults/index.js';
import { buildGraph, encodeModel, readModel } from '../onnx/index.js';
import { terminalText } from '../report/index.js';
import { loadSettings } from '../settings/index.js';
import type { Ask } from './ask.js';
import { annotationsIn, calibrationOf, ChoiceFault, imagesOf, only, survey } from './survey.js';
import { repositoryOf, writeWorkflows } from './workflows.js';

/** What the user says; the rest is looked for. */
export interface InitOptions {
  readonly config: string;
  readonly model?: string;
  readonly images?: string;
  readonly annotations?: string;
  readonly calibration?: string;
  /** Fall of mAP50-95 below FP32 that passes, 0…1. */
  readonly maxDrop?: number;
  readonly force?: boolean;
  /** False where no workflows are wanted. */
  readonly workflows?: boolean;
}

/** From so many calibration images on, `count` limits them: ranges settle long before. */
const MANY = 1000;

/** Two points. */
const MAX_DROP = 0.02;

/**
 * Looks at model and data, writes a commented settings file and the workflows that use it; answers what it found.
 * @param ask - where somebody can be asked; without, a choice to make is a fault
 */
export async function init(options: InitOptions, ask?: Ask): Promise<string> {
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
  const found = await survey(process.cwd());
  const one = (find: () => string | Promise<string>): Promise<string> => chosen(find, ask);
  const [model, annotations] = await both(
    async () => options.model ?? (await one(() => only(found.models, 'model', '--model', 'an .onnx file'))),
    async () => options.annotations ?? (await one(() => annotationsIn(found))),
  );
  const images = options.images ?? (await chosen(() => imagesOf(annotations, found), ask));
  const truth = await loadGroundTruth({ format: 'auto', annotations, images });
  const validation = new Set(truth.images.map((image) => dirname(resolve(image.file))));
  const calibration = options.calibration ?? (await one(() => calibrationOf(found, validation)));
  const records = await listImages(calibration);
  const { said, open } = await inspect(model, truth, calibration, records.length);
  const maxDrop =
    options.maxDrop ??
    (await ask?.fraction('Fall of mAP50-95 below FP32 that may pass', MAX_DROP)) ??
    MAX_DROP;
  const to = (path: string): string => JSON.stringify(relative(dirname(file), resolve(path)) || '.');
  const temporary = `${file}.${process.pid}.tmp`;
  const paths = {
    model: to(model),
    annotations: to(annotations),
    ...(images !== undefined && { images: to(images) }),
    calibration: to(calibration),
  };
  await writeFile(temporary, settingsText(paths, records.length > MANY, maxDrop, said));
  await rename(temporary, file);
  await loadSettings(file);
  return [
    `Wrote ${options.config}`,
    ...said.map((line) => `  ${line}`),
    ...(await workflows(file, options)),
    ...(open === undefined
      ? ['Next: int8-gate run']
      : [
          terminalText(`To do before the first run: ${open.where}: ${open.what}`),
          ...(open.fix === undefined ? [] : [`  ${open.fix}`]),
        ]),
  ].join('\n');
}

/** Both, one after the other; what both lack is told at once. */
async function both(
  first: () => Promise<string>,
  second: () => Promise<string>,
): Promise<readonly [string, string]> {
  const problems: Problem[] = [];
  const found: string[] = [];
  for (const find of [first, second])
    try {
      found.push(await find());
    } catch (error) {
      if (!(error instanceof InputFault)) throw error;
      problems.push(...error.problems);
    }
  const [a, b] = found;
  if (a === undefined || b === undefined) throw new InputFault(problems);
  return [a, b];
}

/** What `find` finds; where several could be meant, what whoever is asked says. */
async function chosen<T>(find: () => T | Promise<T>, ask: Ask | undefined): Promise<T | string> {
  try {
    return await find();
  } catch (error) {
    if (!(error instanceof ChoiceFault) || ask === undefined) throw error;
    const names = error.options.map((path) => relative(process.cwd(), path));
    const name = await ask.choose(`Which ${error.what}?`, names);
    return error.options[names.indexOf(name)] as string;
  }
}

async function workflows(file: string, options: InitOptions): Promise<string[]> {
  if (options.workflows === false) return [];
  const root = await repositoryOf(dirname(file));
  return root === undefined
    ? ['No workflows: this is no git repository']
    : writeWorkflows(root, file, options.force === true);
}

/** What was found, and what the settings lack to work. */
interface Inspection {
  readonly said: string[];
  readonly open: Problem | undefined;
}

/** Loads the model once, so that the settings are known to work, and says what was found. */
async function inspect(
  path: string,
  truth: GroundTruth,
  calibration: string,
  calibrationImages: number,
): Promise<Inspection> {
  const model = await readModel(path);
  const graph = buildGraph(model);
  const operators = new Set(graph.nodes.map(({ opType }) => opType));
  refusePlugins(model.name, operators);
  const engine = await createOnnxRuntimeEngine({ threads: 1, batch: 1 });
  try {
    const session = await engine.load({ name: model.name, bytes: encodeModel(model.proto) });
    const view: ModelView = {
      inputs: session.inputs,
      outputs: session.outputs,
      metadata: graph.metadata,
      operators,
      categories: truth.categories.length,
    };
    const choice = chooseDecoder(view);
    const { spec, reasons } = inferPreprocessing(view, choice);
    const said = [
      `decoder ${choice.decoder.format}: ${choice.why.join('; ')}`,
      `preprocessing ${spec.width}×${spec.height}: ${reasons.join('; ')}`,
      `${truth.images.length} validation images with ${truth.annotations.count} boxes of ${truth.categories.length} ${truth.categories.length === 1 ? 'class' : 'classes'}`,
      ...truth.skipped.map(({ what, count }) => `${count} ${what}`),
      `${calibrationImages} calibration images in ${relative(process.cwd(), resolve(calibration)) || '.'}`,
    ].map(terminalText); // names come from the model: none may end the comment that it stands in
    return { said, open: mismatch(choice.decoder, view, truth) };
  } finally {
    await engine.close();
  }
}

/** Why the classes of model and annotations do not belong together, if they do not: names in the settings mend it. */
function mismatch(decoder: Decoder, view: ModelView, truth: GroundTruth): Problem | undefined {
  try {
    mapClasses(decoder, view, truth.categories, 'auto', boxesByCategory(truth));
    return undefined;
  } catch (error) {
    if (!(error instanceof InputFault)) throw error;
    return error.problems[0];
  }
}

interface Paths {
  readonly model: string;
  readonly annotations: string;
  /** Left out where the annotations tell. */
  readonly images?: string;
  readonly calibration: string;
}

function settingsText(paths: Paths, many: boolean, maxDrop: number, found: readonly string[]): string {
  return `# Settings of int8-gate. Reference: docs/settings.md
# Found:
${found.map((line) => `#   ${line}`).join('\n')}
version: 1

# The FP32 detector. Outputs and preprocessing are found out; see \`decoder\` and \`preprocessing\` to declare them.
model: ${paths.model}

# Labelled images that mAP is measured on. More images, narrower intervals: 500 or more are worth having.
validation:${paths.images === undefined ? '' : `\n  images: ${paths.images}`}
  annotations: ${paths.annotations}

# Images that INT8 ranges are taken from, without labels. They should show all that production shows.
calibration:
  images: ${paths.calibration}${many ? '\n  count: 500 # spread evenly over the folder' : ''}
  calibrator: percentile

quantization:
  operators: tensorrt # placement of Q/DQ that TensorRT fuses; the head stays float

gate:
  candidate: mixed # judge the cheapest mixed-precision engine; \`int8\` judges INT8 without a search
  thresholds:
    mAP50-95:
      maxDrop: ${maxDrop} # below FP32; 0.01 is one point
`;
}
