import { InputFault } from '../faults/index.js';
import type { TensorSpec } from '../engine/index.js';
import type { ModelView } from './types.js';

/**
 * The input that takes the image: the only one of rank 4, or of rank 3 with three channels, as torchvision's detectors
 * take images one by one.
 * @throws InputFault when there is none or more than one
 */
export function imageInput(view: ModelView): TensorSpec {
  const batches = view.inputs.filter(({ dims }) => dims.length === 4);
  const alone = view.inputs.filter(({ dims }) => dims.length === 3 && (dims[0] === 3 || dims[2] === 3));
  const images = batches.length > 0 ? batches : alone;
  const [first] = images;
  if (first !== undefined && images.length === 1) return first;
  throw new InputFault({
    where: `model inputs ${view.inputs.map(({ name, dims }) => `${name}[${dims.join(', ')}]`).join('; ')}`,
    what: `expected one image input of rank 4, found ${images.length}`,
    fix: 'Export the model with one image input, [batch, 3, height, width] or [batch, height, width, 3].',
  });
}

/** `nchw` when the second dimension is 3, `nhwc` when the last is. */
export function layoutOf(view: ModelView): 'nchw' | 'nhwc' {
  const { name, dims } = imageInput(view);
  const [channels, , last] = dims.slice(-3);
  if (channels === 3) return 'nchw';
  if (last === 3) return 'nhwc';
  if (channels === -1 && last === -1) return 'nchw';
  throw new InputFault({
    where: `model input ${name}`,
    what: `has dimensions [${dims.join(', ')}]: three colour channels are expected at place ${dims.length - 3} or ${dims.length - 1}`,
    ...(channels === 1 && { fix: 'Models of grey images are not judged.' }),
  });
}

/** Height and width of the image input as the model has them, -1 where free. */
export function heightAndWidth(view: ModelView): readonly [number, number] {
  const { dims } = imageInput(view);
  const [height = -1, width = -1] = layoutOf(view) === 'nchw' ? dims.slice(-2) : dims.slice(-3, -1);
  return [height, width];
}

/** Input size in pixels; free dimensions are taken from the settings, then from the metadata's `imgsz`. */
export function inputSize(view: ModelView): { readonly height: number; readonly width: number } {
  const [height, width] = heightAndWidth(view);
  if (height > 0 && width > 0) return { height, width };
  if (view.size !== undefined) return view.size;
  const known = /^\[?\s*(\d+)(?:\s*,\s*(\d+))?\s*\]?$/.exec(view.metadata.get('imgsz') ?? '');
  if (known !== null) return { height: Number(known[1]), width: Number(known[2] ?? known[1]) };
  const { name, dims } = imageInput(view);
  throw new InputFault({
    where: `model input ${name}`,
    what: `has free height and width [${dims.join(', ')}] and no metadata that tells them`,
    fix: 'Say the size in the settings: `preprocessing: { height: …, width: … }`.',
  });
}

/**
 * Class names from the metadata's `names`, a Python dict or a JSON object or list; or from its `character`, a name a line,
 * as RapidAI writes it into exports of Paddle.
 */
export function classNamesOf(view: ModelView): readonly string[] | undefined {
  const text = view.metadata.get('names');
  if (text === undefined) {
    const lines = view.metadata.get('character')?.trim().split(/\r?\n/);
    return lines?.every((line) => line.trim() !== '') === true ? lines : undefined;
  }
  const names: string[] = [];
  const entry = /(?:(\d+)|"(\d+)")\s*:\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/g;
  for (const [, bare, quoted, single, double] of text.matchAll(entry))
    names[Number(bare ?? quoted)] = (single ?? double ?? '').replace(/\\(.)/g, '$1');
  if (names.length > 0 && !names.includes(undefined as unknown as string)) return names;
  const list = /^\[(.*)\]$/s.exec(text.trim());
  if (list === null) return undefined;
  return [...(list[1] as string).matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/g)].map(
    ([, a, b]) => a ?? b ?? '',
  );
}
