import type { TensorSpec } from '../engine/index.js';
import { InputFault } from '../faults/index.js';
import { cellCount, makeDecoder } from './decoders.js';
import { classNamesOf, inputSize } from './view.js';
import type { DecoderChoice, DecoderFormat, DecoderOptions, DecoderOverride, ModelView } from './types.js';

/** Formats with the layout that each expects, as messages show them. */
const LAYOUTS: Readonly<Record<DecoderFormat, string>> = {
  yolov10: '[batch, n, 6]: x1 y1 x2 y2 score class, no NMS needed',
  yolov8: '[batch, 4 + classes, n]: cx cy w h, class probabilities',
  yolov5: '[batch, n, 5 + classes]: cx cy w h objectness, class probabilities',
  yolox: '[batch, n, 5 + classes]: offsets on the grid of strides 8, 16, 32',
};

interface Candidate {
  readonly format: DecoderFormat;
  readonly output: TensorSpec;
  readonly classCount: number;
  readonly why: string;
}

/**
 * Finds the decoder that fits a model by metadata, names and shapes.
 * @throws InputFault when none fits, or several do: then with the candidates and how to declare one.
 */
export function chooseDecoder(view: ModelView, override: DecoderOverride = 'auto'): DecoderChoice {
  const wanted = override === 'auto' ? undefined : override.format === 'auto' ? undefined : override.format;
  const candidates = candidatesOf(view);
  const fitting = wanted === undefined ? candidates : candidates.filter(({ format }) => format === wanted);
  const chosen = fitting.length === 1 ? fitting[0] : undefined;
  if (chosen === undefined) throw undecided(view, candidates, wanted);
  const options = optionsOf(view, chosen.format, override);
  return {
    decoder: makeDecoder(chosen.format, chosen.output.name, chosen.classCount, options),
    why: [chosen.why, ...(wanted === undefined ? [] : [`declared in the settings as ${wanted}`])],
  };
}

function optionsOf(view: ModelView, format: DecoderFormat, override: DecoderOverride): DecoderOptions {
  const given = override === 'auto' ? {} : override;
  const { height, width } = inputSize(view);
  // The values with which each family's own evaluation is run.
  return {
    confidence: given.confidence ?? (format === 'yolox' ? 0.01 : 0.001),
    iou: given.iou ?? (format === 'yolox' ? 0.65 : 0.7),
    maxDetections: given.maxDetections ?? 300,
    inputHeight: height,
    inputWidth: width,
  };
}

function candidatesOf(view: ModelView): readonly Candidate[] {
  const floats = view.outputs.filter(({ type, dims }) => type.startsWith('float') && dims.length === 3);
  const output = floats[0];
  if (output === undefined || view.outputs.length !== 1) return [];
  const [, rows = -1, columns = -1] = output.dims;
  const names = classNamesOf(view)?.length;
  const { height, width } = inputSize(view);
  const cells = cellCount(height, width);
  const shape = `output ${output.name} is [${output.dims.map((dim) => (dim < 0 ? '?' : dim)).join(', ')}]`;
  const found: Candidate[] = [];
  const add = (format: DecoderFormat, classCount: number, why: string): void =>
    void found.push({ format, output, classCount, why: `${shape}: ${why}` });
  const endToEnd = view.metadata.get('end2end');
  if (columns === 6 && endToEnd !== 'False' && rows !== cells && rows !== 3 * cells)
    add(
      'yolov10',
      names ?? 0,
      `rows of six numbers${endToEnd === 'True' ? ', and the metadata says end2end' : ''}`,
    );
  if (rows > 4 && columns === cells && (names === undefined || rows === 4 + names))
    add(
      'yolov8',
      rows - 4,
      `${rows} numbers for each of ${cells} cells${names === undefined ? '' : `, 4 for the box and one for each of ${names} classes`}`,
    );
  if (columns > 5 && rows === 3 * cells)
    add('yolov5', columns - 5, `${columns} numbers for each of 3 anchors on ${cells} cells`);
  if (columns > 5 && rows === cells) {
    add(
      'yolox',
      columns - 5,
      `${columns} numbers for each of ${cells} cells, one anchor a cell, and no metadata of Ultralytics`,
    );
    if (view.metadata.has('stride'))
      add('yolov5', columns - 5, `${columns} numbers for each of ${cells} cells`);
  }
  return found;
}

function undecided(
  view: ModelView,
  candidates: readonly Candidate[],
  wanted: DecoderFormat | undefined,
): InputFault {
  const shapes = view.outputs
    .map(({ name, type, dims }) => `${name}: ${type}[${dims.map((dim) => (dim < 0 ? '?' : dim)).join(', ')}]`)
    .join('; ');
  const formats = Object.entries(LAYOUTS)
    .map(([format, layout]) => `${format} ${layout}`)
    .join('; ');
  const what =
    wanted !== undefined
      ? `the outputs do not have the layout of ${wanted}, ${LAYOUTS[wanted]}`
      : candidates.length === 0
        ? 'no decoder knows these outputs'
        : `several decoders fit: ${candidates.map(({ format, why }) => `${format} (${why})`).join('; ')}`;
  return new InputFault({
    where: `model outputs ${shapes}`,
    what,
    fix: `Declare one in the settings as \`decoder: { format: … }\`. Known: ${formats}.`,
  });
}
