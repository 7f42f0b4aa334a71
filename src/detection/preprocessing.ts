import type { PreprocessingSpec } from '../dataset/index.js';
import { InputFault } from '../faults/index.js';
import { imageInput, inputSize, layoutOf } from './view.js';
import type { DecoderChoice, DecoderFormat, ModelView } from './types.js';

type Fixed = Pick<PreprocessingSpec, 'resize' | 'interpolation' | 'color' | 'pad' | 'scale' | 'mean' | 'std'>;

/** A key of the settings that is set overrides; one that is not keeps the family's value. */
export type PreprocessingOverride =
  | 'auto'
  | ({
      readonly [K in Exclude<keyof PreprocessingSpec, 'mean' | 'std'>]?: PreprocessingSpec[K] | undefined;
    } & {
      /** Three numbers each, as the schema makes sure. */
      readonly mean?: readonly number[] | undefined;
      readonly std?: readonly number[] | undefined;
    });

const ULTRALYTICS: Fixed = {
  resize: 'letterbox',
  interpolation: 'opencv',
  color: 'rgb',
  pad: 114,
  scale: 1 / 255,
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

/** How each family was trained and is evaluated by its own code. */
const FAMILIES: Readonly<Record<DecoderFormat, { readonly fixed: Fixed; readonly words: string }>> = {
  yolov10: { fixed: ULTRALYTICS, words: 'RGB / 255, centred letterbox with 114, as Ultralytics' },
  yolov8: { fixed: ULTRALYTICS, words: 'RGB / 255, centred letterbox with 114, as Ultralytics' },
  yolov5: { fixed: ULTRALYTICS, words: 'RGB / 255, centred letterbox with 114, as Ultralytics' },
  yolox: {
    fixed: { ...ULTRALYTICS, resize: 'letterbox-top-left', color: 'bgr', scale: 1 },
    words: 'BGR 0…255, letterbox to the top left with 114, as YOLOX',
  },
};

/** Preprocessing by family, input shape and type, with what the settings say on top. */
export function inferPreprocessing(
  view: ModelView,
  choice: DecoderChoice,
  override: PreprocessingOverride = 'auto',
): { readonly spec: PreprocessingSpec; readonly reasons: string[] } {
  const family = FAMILIES[choice.decoder.format];
  const input = imageInput(view);
  const given = Object.fromEntries(
    Object.entries(override === 'auto' ? {} : override).filter(([, value]) => value !== undefined),
  );
  const size = 'height' in given && 'width' in given ? { height: 0, width: 0 } : inputSize(view);
  if (input.type !== 'float32' && input.type !== 'float16' && input.type !== 'uint8')
    throw new InputFault({
      where: `model input ${input.name}`,
      what: `has type ${input.type}; float32, float16 and uint8 are known`,
    });
  const spec: PreprocessingSpec = {
    ...family.fixed,
    ...(input.type === 'uint8' && { scale: 1 }),
    ...size,
    layout: layoutOf(view),
    dtype: input.type,
    exif: true,
    ...given,
  };
  contradict(view, spec);
  const set = Object.keys(given);
  return {
    spec,
    reasons: [family.words, ...(set.length > 0 ? [`set by the settings: ${set.join(', ')}`] : [])],
  };
}

function contradict(view: ModelView, spec: PreprocessingSpec): void {
  const { name, dims } = imageInput(view);
  const [height, width] = spec.layout === 'nchw' ? dims.slice(2) : dims.slice(1);
  if ((height === -1 || height === spec.height) && (width === -1 || width === spec.width)) return;
  throw new InputFault({
    where: 'preprocessing',
    what: `asks for ${spec.height}×${spec.width} (${spec.layout}), the model's input ${name} is fixed at [${dims.join(', ')}]`,
    fix: 'Leave height and width out, or export the model at the size that you want.',
  });
}
