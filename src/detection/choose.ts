import { InputFault } from '../faults/index.js';
import { makeDecoder } from './decoders.js';
import { unknownInputs } from './inputs.js';
import { LAYOUTS, shown } from './layouts.js';
import { refuseOtherTasks } from './refusals.js';
import { matchesOf } from './signatures.js';
import type {
  DecoderChoice,
  DecoderFormat,
  DecoderOptions,
  DecoderOverride,
  Match,
  ModelView,
  OutputRole,
} from './types.js';
import { imageInput, inputSize } from './view.js';
import { listed } from '../words/index.js';

/**
 * Finds the decoder that fits a model by metadata, names, shapes and, where they are at hand, operators.
 * @throws InputFault when none fits, or several do: then with the candidates and how to declare one.
 */
export function chooseDecoder(view: ModelView, override: DecoderOverride = 'auto'): DecoderChoice {
  const given = override === 'auto' ? {} : override;
  const wanted = given.format === 'auto' ? undefined : given.format;
  const named = namedOutputs(view, given.outputs);
  if (wanted === undefined) refuseOtherTasks(view);
  const unknown = unknownInputs(view, imageInput(view));
  if (unknown.length > 0)
    throw new InputFault({
      where: `model inputs ${view.inputs.map(shown).join('; ')}`,
      what: `${unknown.map(({ name }) => name).join(', ')}: it is not known what to fill in beside the image`,
      fix: 'Export the model with the image as its only input.',
    });
  const all = matchesOf(view, named, given.classes?.length, wanted);
  const candidates = all.length > 0 ? all : matchesBesideMaps(view, named, given.classes?.length, wanted);
  const [chosen] = candidates;
  if (chosen === undefined || candidates.length > 1) throw undecided(view, candidates, wanted);
  const options = optionsOf(view, chosen.format, given);
  if (chosen.format === 'yolov5-heads' && options.anchors?.length !== chosen.heads?.length)
    throw new InputFault({
      where: `model outputs ${view.outputs.map(shown).join('; ')}`,
      what: `${chosen.why.slice(chosen.why.lastIndexOf(': ') + 2)}, but ${options.anchors === undefined ? 'nothing tells the anchors' : `anchors of ${options.anchors.length} levels`}`,
      fix: 'Export with the decoding inside (YOLOv7: `--grid`), or give the anchors of each head, finest first, in pixels: `decoder: { format: yolov5-heads, anchors: [[10, 13, 16, 30, 33, 23], …] }`.',
    });
  return {
    decoder: makeDecoder(chosen, options, view),
    why: [chosen.why, ...(wanted === undefined ? [] : [`declared in the settings as ${wanted}`])],
  };
}

/**
 * Matches of the outputs that are no feature maps, for models that give some of those beside their detections. Only where
 * rows of six numbers or the known number of classes confirm it: prototypes of masks are maps too, and their coefficients
 * would be taken for classes.
 */
function matchesBesideMaps(
  view: ModelView,
  named: Readonly<Partial<Record<OutputRole, string>>>,
  classes: number | undefined,
  wanted: DecoderFormat | undefined,
): readonly Match[] {
  const outputs = view.outputs.filter(({ dims }) => dims.length !== 4);
  if (outputs.length === view.outputs.length || outputs.length === 0) return [];
  const maps = view.outputs.filter((output) => !outputs.includes(output)).map(({ name }) => name);
  return matchesOf({ ...view, outputs }, named, classes, wanted)
    .filter(
      ({ format, classCount }) => format === 'yolov10' || (classCount ?? -1) === (classes ?? view.categories),
    )
    .map((match) => ({ ...match, why: `${match.why}; nobody reads ${listed(maps)}` }));
}

function namedOutputs(
  view: ModelView,
  outputs: { readonly [R in OutputRole]?: string | undefined } = {},
): Readonly<Partial<Record<OutputRole, string>>> {
  const named = Object.entries(outputs).filter(
    (entry): entry is [OutputRole, string] => entry[1] !== undefined,
  );
  const missing = named.filter(([, name]) => !view.outputs.some((output) => output.name === name));
  if (missing.length > 0)
    throw new InputFault(
      missing.map(([role, name]) => ({
        where: `decoder.outputs.${role}`,
        what: `the model has no output called ${name}`,
        fix: `Its outputs are ${view.outputs.map(shown).join('; ')}.`,
      })),
    );
  return Object.fromEntries(named);
}

type Values = readonly [confidence: number, iou: number, maxDetections: number];

/** With what each family's own evaluation is run; where NMS is inside the model, nothing more is dropped. */
const VALUES: Readonly<Partial<Record<DecoderFormat, Values>>> = {
  yolov5: [0.001, 0.6, 300],
  'yolov5-heads': [0.001, 0.6, 300],
  yolov8: [0.001, 0.7, 300],
  yolov10: [0.001, 0.7, 300],
  yolox: [0.01, 0.65, 300],
  'yolox-decoded': [0.01, 0.65, 300],
  'yolo-nas': [0.01, 0.7, 300],
  'paddle-raw': [0.01, 0.7, 300],
  'paddle-rows': [0.01, 0.7, 300],
  'picodet-heads': [0.025, 0.6, 100],
  nanodet: [0.05, 0.6, 100],
  detr: [0, 0.7, 100],
};

function optionsOf(
  view: ModelView,
  format: DecoderFormat,
  given: Exclude<DecoderOverride, 'auto'>,
): DecoderOptions {
  const { height, width } = inputSize(view);
  const [confidence, iou, maxDetections] = VALUES[format] ?? [0, 0.7, 300];
  return {
    confidence: given.confidence ?? confidence,
    iou: given.iou ?? iou,
    maxDetections: given.maxDetections ?? maxDetections,
    inputHeight: height,
    inputWidth: width,
    anchors: given.anchors ?? anchorsOf(view),
  };
}

/** Anchors from the metadata's `anchors`: a list of lists of numbers. */
function anchorsOf(view: ModelView): readonly (readonly number[])[] | undefined {
  const text = view.metadata.get('anchors');
  const levels = text
    ?.match(/\[[\d.,\s]+\]/g)
    ?.map((level) => (level.match(/\d+(\.\d+)?/g) ?? []).map(Number));
  return levels?.every((level) => level.length > 0 && level.length % 2 === 0) === true ? levels : undefined;
}

function undecided(
  view: ModelView,
  candidates: readonly Match[],
  wanted: DecoderFormat | undefined,
): InputFault {
  const formats = Object.entries(LAYOUTS)
    .map(([format, layout]) => `${format} ${layout}`)
    .join('; ');
  const what =
    candidates.length > 1
      ? `several decoders fit: ${candidates.map(({ format, why }) => `${format} (${why})`).join('; ')}`
      : wanted !== undefined
        ? `the outputs do not have the layout of ${wanted}, ${LAYOUTS[wanted]}`
        : 'no decoder knows these outputs';
  return new InputFault({
    where: `model outputs ${view.outputs.map(shown).join('; ')}`,
    what,
    fix:
      candidates.length > 1
        ? `Declare one in the settings, as \`decoder: { format: ${(candidates[0] as Match).format} }\`; the number of classes settles it too, as \`decoder: { classes: […] }\`.`
        : `Declare one in the settings as \`decoder: { format: … }\`, outputs by name as \`outputs: { predictions: … }\` or \`outputs: { boxes: …, scores: … }\`. Known: ${formats}.`,
  });
}
